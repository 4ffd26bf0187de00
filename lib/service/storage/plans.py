"""Plans and their rows, and the uploads they were read from."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from lib.contract.states import PlanState
from lib.service.storage.schema import plan_rows, plans, uploads

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


def fail_unfinished_plan(connection: Connection, job_id: str, *, error: dict[str, Any]) -> None:
    """The job that was making a plan has ended: if the plan is not ready, it has failed."""
    unfinished = (plans.c.job_id == job_id, plans.c.state == PlanState.BUILDING)
    connection.execute(sa.delete(plan_rows).where(plan_rows.c.plan_id.in_(sa.select(plans.c.plan_id).where(*unfinished))))
    connection.execute(sa.update(plans).where(*unfinished).values(state=PlanState.FAILED, error=error))


def clear_plan_rows(connection: Connection, plan_id: str) -> None:
    """Forget the rows of an earlier attempt."""
    connection.execute(sa.delete(plan_rows).where(plan_rows.c.plan_id == plan_id))


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
