"""Plans and their rows, and the uploads they were read from."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from lib.contract.jobs import JobError, JobFailure
from lib.contract.states import Change, PlanState
from lib.service.storage.schema import plan_marks, plan_rows, plans, uploads

#: What :func:`add_plan_rows` writes, in this order.
PLAN_ROW_COLUMNS = (
    "plan_id",
    "position",
    "row",
    "change",
    "key",
    "text",
    "texts",
    "fields",
    "content_hash",
    "record_hash",
    "entry_id",
    "differences",
    "errors",
)


def insert_plan(connection: Connection, **values: Any) -> None:
    """A new plan, building."""
    connection.execute(sa.insert(plans).values(state=PlanState.BUILDING, counts={}, held_removals=0, **values))


def get_plan(connection: Connection, plan_id: str) -> sa.Row[Any] | None:
    """The plan's row, or None."""
    return connection.execute(sa.select(plans).where(plans.c.plan_id == plan_id)).one_or_none()


def newest_read_plan(connection: Connection) -> sa.Row[Any] | None:
    """The newest plan whose source could be read, or None."""
    query = sa.select(plans).where(plans.c.state.not_in([PlanState.BUILDING, PlanState.FAILED]))
    return connection.execute(query.order_by(plans.c.created_at.desc()).limit(1)).one_or_none()


def update_plan(connection: Connection, plan_id: str, **values: Any) -> None:
    """Change some columns of a plan."""
    connection.execute(sa.update(plans).where(plans.c.plan_id == plan_id).values(**values))


def mark_moved(connection: Connection, plan: sa.Row[Any], moved: str) -> JobError:
    """The source is no longer what the plan was made from: it says so from now on, and can never be applied."""
    detail = f"“{plan.source_name}” has changed since this plan was made: {moved}. Nothing was applied."
    error = JobError(code=JobFailure.PLAN_STALE, detail=detail, action="Preview it again.")
    update_plan(connection, plan.plan_id, state=PlanState.STALE, error=error.model_dump())
    return error


def fail_unfinished_plan(connection: Connection, job_id: str, *, error: dict[str, Any]) -> None:
    """The job that was making a plan has ended: if the plan is not ready, it has failed."""
    unfinished = (plans.c.job_id == job_id, plans.c.state == PlanState.BUILDING)
    connection.execute(sa.delete(plan_rows).where(plan_rows.c.plan_id.in_(sa.select(plans.c.plan_id).where(*unfinished))))
    connection.execute(sa.update(plans).where(*unfinished).values(state=PlanState.FAILED, error=error))


def clear_plan_rows(connection: Connection, plan_id: str) -> None:
    """Forget the rows of an earlier attempt."""
    connection.execute(sa.delete(plan_rows).where(plan_rows.c.plan_id == plan_id))


def put_plan_marks(connection: Connection, plan_id: str, marks: bytes) -> None:
    """Keep the marks of the rows a plan was made from."""
    connection.execute(sa.delete(plan_marks).where(plan_marks.c.plan_id == plan_id))
    connection.execute(sa.insert(plan_marks).values(plan_id=plan_id, marks=marks))


def get_plan_marks(connection: Connection, plan_id: str) -> bytes:
    """The marks; none when none were kept."""
    return connection.execute(sa.select(plan_marks.c.marks).where(plan_marks.c.plan_id == plan_id)).scalar_one_or_none() or b""


def list_left_out(connection: Connection, plan_id: str) -> set[int]:
    """Numbers of the rows of the source that applying the plan leaves out: invalid ones and unticked ones."""
    left_out = sa.not_(plan_rows.c.ticked) | (plan_rows.c.change == Change.INVALID)
    query = sa.select(plan_rows.c.row).where(plan_rows.c.plan_id == plan_id, plan_rows.c.row.is_not(None), left_out)
    return set(connection.execute(query).scalars())


def add_plan_rows(connection: Connection, rows: Iterable[tuple[Any, ...]]) -> None:
    """Bulk insert; each tuple is in the order of ``PLAN_ROW_COLUMNS``, with JSON columns encoded already."""
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    columns = ", ".join(f'"{name}"' for name in PLAN_ROW_COLUMNS)
    marks = ", ".join([mark] * len(PLAN_ROW_COLUMNS))
    connection.exec_driver_sql(f"INSERT INTO plan_rows ({columns}) VALUES ({marks})", list(rows))  # noqa: S608 - constants


_TO_EMBED = """
SELECT COUNT(*) FROM plan_rows p
LEFT JOIN vectors v ON v.content_hash = p.content_hash AND v.fingerprint = :fingerprint
WHERE p.plan_id = :plan_id AND p.change IN ('new', 'changed') AND v.content_hash IS NULL
"""


def count_to_embed(connection: Connection, plan_id: str, fingerprint: str) -> int:
    """New and changed rows of a plan whose text has no vector of this model yet."""
    return int(connection.execute(sa.text(_TO_EMBED), {"plan_id": plan_id, "fingerprint": fingerprint}).scalar_one())


def last_applied_mapping(connection: Connection) -> dict[str, Any] | None:
    """The column mapping of the import that was applied last: the names an export uses."""
    query = sa.select(plans.c.mapping).where(plans.c.state == PlanState.APPLIED).order_by(plans.c.created_at.desc()).limit(1)
    return connection.execute(query).scalar_one_or_none()


def insert_upload(connection: Connection, **values: Any) -> None:
    """A file is announced."""
    connection.execute(sa.insert(uploads).values(**values))


def get_upload(connection: Connection, upload_id: str) -> sa.Row[Any] | None:
    """The upload's row, or None."""
    return connection.execute(sa.select(uploads).where(uploads.c.upload_id == upload_id)).one_or_none()


def forget_old(connection: Connection, *, plans_before: datetime, uploads_before: datetime) -> list[str]:
    """Drop plans and uploads by age; answers the ids of the uploads whose files may go.

    The rows of an applied plan stay as long as the plan: they are what an undo would start from.
    """
    # The last applied one stays: its mapping is how exports name their columns.
    last_applied = sa.select(plans.c.plan_id).where(plans.c.state == PlanState.APPLIED).order_by(plans.c.created_at.desc()).limit(1)
    connection.execute(sa.delete(plans).where(plans.c.created_at < plans_before, plans.c.plan_id.not_in(last_applied)))
    old = list(connection.execute(sa.select(uploads.c.upload_id).where(uploads.c.created_at < uploads_before)).scalars())
    connection.execute(sa.delete(uploads).where(uploads.c.created_at < uploads_before))
    return old
