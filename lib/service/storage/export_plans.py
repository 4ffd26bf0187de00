"""Plans of exports to Google sheets, and what a sheet and the table last agreed on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from lib.contract.export_plans import ExportPlanRow
from lib.contract.states import PlanState
from lib.service.storage.schema import agreements, export_plan_rows, export_plans

_PAGE = 5000


def insert_export_plan(connection: Connection, **values: Any) -> None:
    """A new plan, building."""
    connection.execute(sa.insert(export_plans).values(state=PlanState.BUILDING, found={}, **values))


def get_export_plan(connection: Connection, plan_id: str) -> sa.Row[Any] | None:
    """The plan's row, or None."""
    return connection.execute(sa.select(export_plans).where(export_plans.c.plan_id == plan_id)).one_or_none()


def update_export_plan(connection: Connection, plan_id: str, **values: Any) -> None:
    """Change some columns of a plan."""
    connection.execute(sa.update(export_plans).where(export_plans.c.plan_id == plan_id).values(**values))


def fail_unfinished_export_plan(connection: Connection, job_id: str, *, error: dict[str, Any]) -> None:
    """The job that was making a plan has ended: if the plan is not ready, it has failed."""
    unfinished = (export_plans.c.job_id == job_id, export_plans.c.state == PlanState.BUILDING)
    connection.execute(sa.update(export_plans).where(*unfinished).values(state=PlanState.FAILED, error=error))


def replace_export_plan_rows(connection: Connection, plan_id: str, rows: Iterable[ExportPlanRow]) -> None:
    """The rows of a plan, those of an earlier attempt forgotten."""
    connection.execute(sa.delete(export_plan_rows).where(export_plan_rows.c.plan_id == plan_id))
    numbered = [
        {
            "plan_id": plan_id,
            "position": position,
            "row": row.row,
            "key": row.key,
            "change": row.change.value,
            "cells": [cell.model_dump(mode="json") for cell in row.cells],
        }
        for position, row in enumerate(rows, start=1)
    ]
    for start in range(0, len(numbered), _PAGE):
        connection.execute(sa.insert(export_plan_rows), numbered[start : start + _PAGE])


def list_export_plan_rows(connection: Connection, plan_id: str, *, change: str | None, after: int, limit: int) -> list[sa.Row[Any]]:
    """Rows of a plan in the order of the sheet, new ones last, after the position ``after``."""
    mine, later = export_plan_rows.c.plan_id == plan_id, export_plan_rows.c.position > after
    query = sa.select(export_plan_rows).where(mine, later).order_by(export_plan_rows.c.position).limit(limit)
    return list(connection.execute(query.where(export_plan_rows.c.change == change) if change else query).all())


def count_export_plan_rows(connection: Connection, plan_id: str, change: str) -> int:
    """How many rows of a plan are of one change."""
    mine, same = export_plan_rows.c.plan_id == plan_id, export_plan_rows.c.change == change
    return int(connection.execute(sa.select(sa.func.count()).select_from(export_plan_rows).where(mine, same)).scalar_one())


def forget_old_export_plans(connection: Connection, before: datetime) -> None:
    """Drop plans by age, and what writes that came to nothing had in hand."""
    old = export_plans.c.created_at < before
    gone = sa.select(export_plans.c.applied_by_job).where(old, export_plans.c.applied_by_job.is_not(None))
    connection.execute(sa.delete(agreements).where(agreements.c.sheet.in_(gone)))
    connection.execute(sa.delete(export_plans).where(old))


# --- agreements ------------------------------------------------------------------------------------------------------


def read_agreement(connection: Connection, sheet: str) -> dict[str, dict[str, str]]:
    """Key → column → the value that stood on both sides."""
    rows = connection.execute(sa.select(agreements.c.key, agreements.c.cells).where(agreements.c.sheet == sheet)).yield_per(_PAGE)
    return {row.key: row.cells for row in rows}


def put_agreement(connection: Connection, sheet: str, cells_by_key: Mapping[str, Mapping[str, str]]) -> None:
    """Replace what is known of a sheet, or of a write under way."""
    connection.execute(sa.delete(agreements).where(agreements.c.sheet == sheet))
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    statement = f"INSERT INTO agreements (sheet, key, cells) VALUES ({mark}, {mark}, {mark})"  # noqa: S608 - constants
    for part in _parts([(sheet, key, json.dumps(cells, ensure_ascii=False)) for key, cells in cells_by_key.items()]):
        connection.exec_driver_sql(statement, part)


def adopt_agreement(connection: Connection, sheet: str, job_id: str) -> bool:
    """The write of this job took effect: what it had in hand counts from now on. False when it had nothing in hand."""
    if connection.execute(sa.select(agreements.c.key).where(agreements.c.sheet == job_id).limit(1)).first() is None:
        return False
    connection.execute(sa.delete(agreements).where(agreements.c.sheet == sheet))
    connection.execute(sa.update(agreements).where(agreements.c.sheet == job_id).values(sheet=sheet))
    return True


def _parts(rows: list[tuple[str, str, str]]) -> Iterator[list[tuple[Any, ...]]]:
    for start in range(0, len(rows), _PAGE):
        yield list(rows[start : start + _PAGE])
