"""Ticking rows of a plan, and its bad rows as a file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from lib.contract.errors import ErrorCode
from lib.contract.formulas import disarm
from lib.contract.imports import RowError, hold_removals
from lib.contract.plans import RowFilter, TickRequest
from lib.contract.states import Change
from lib.service import gate
from lib.service.errors import GateRefused, ServiceError
from lib.service.plan_fields import tick_columns
from lib.service.storage import plans as rows
from lib.service.storage.audit import outcome_of, record_action
from lib.service.storage.counters import get_counters
from lib.service.storage.database import Database
from lib.service.storage.plan_rows import count_left_out_cells, count_texts, list_plan_rows, tick_plan_rows

_PAGE = 500


def tick_rows(database: Database, plan_id: str, request: TickRequest, *, actor: str, request_id: str) -> None:
    """Tick or untick rows; the plan's counts, what is held and what is to embed follow in the same transaction."""
    with database.write() as connection:
        plan = find_plan(rows.get_plan(connection, plan_id), plan_id)
        asked = request.model_dump(mode="json", exclude_none=True)
        counters = get_counters(connection)
        decision = gate.decide_ticks(connection, plan, request.ticks_revision, table_revision=counters["table_revision"])
        outcome = outcome_of(decision)
        if decision.allowed:
            asked |= _tick(connection, plan, request, table_size=counters["entries"])
        record_action(connection, actor=actor, action="tick_rows", object_id=plan_id, after=asked, outcome=outcome, request_id=request_id)
    if not decision.allowed:
        raise GateRefused(decision)


def _tick(connection: sa.Connection, plan: sa.Row[Any], request: TickRequest, *, table_size: int) -> dict[str, Any]:
    did: dict[str, Any] = {}
    positions, texts_before = request.positions, 0
    if request.columns:
        texts_before = count_texts(connection, plan.plan_id, positions or [], plan.fingerprint)
        did["cells"], positions = tick_columns(connection, plan, request)
        texts_before -= count_texts(connection, plan.plan_id, request.positions or [], plan.fingerprint)
    touched, texts = tick_plan_rows(
        connection,
        plan.plan_id,
        ticked=request.ticked,
        positions=positions,
        wanted=request.matching or RowFilter(),
        fingerprint=plan.fingerprint,
    )
    sign = -1 if request.ticked else 1
    unticked = {change: (plan.unticked or {}).get(change, 0) + sign * touched.get(change, 0) for change in ("new", "changed", "removed")}
    rows.update_plan(
        connection,
        plan.plan_id,
        unticked=unticked,
        ticks_revision=plan.ticks_revision + 1,
        left_out_cells=count_left_out_cells(connection, plan.plan_id),
        to_embed=None if plan.to_embed is None else plan.to_embed - texts_before - sign * texts,
        held_removals=hold_removals(plan.counts.get(Change.REMOVED, 0) - unticked[Change.REMOVED], table_size),
    )
    return did | {"rows": touched}


def write_bad_rows(database: Database, plan_id: str) -> Iterator[str]:
    """Every invalid row as CSV, safe to open in a spreadsheet: its number, what it says, what is wrong and how to mend it."""
    with database.read() as connection:
        plan = find_plan(rows.get_plan(connection, plan_id), plan_id)
    mapping = plan.mapping
    columns = (mapping["key"], *mapping["text"], *mapping["fields"])
    return _write_bad_rows(database, plan_id, columns)


def _write_bad_rows(database: Database, plan_id: str, columns: tuple[str, ...]) -> Iterator[str]:
    yield _lines([("row", *columns, "what is wrong", "how to mend it")])
    after = 0
    while True:
        with database.read() as connection:
            page = list_plan_rows(connection, plan_id, RowFilter(change=Change.INVALID), after=after, limit=_PAGE)
        if not page:
            return
        after = page[-1].position
        yield _lines([_bad_row(row, columns) for row in page])


def _bad_row(row: sa.Row[Any], columns: tuple[str, ...]) -> tuple[str, ...]:
    values = {columns[0]: row.key} | {name: row.text if value is None else value for name, value in row.texts.items()} | row.fields
    errors = [RowError.model_validate(error) for error in row.errors or []]
    wrong = " ".join(f"{error.column}: {error.rule}" if error.column else error.rule for error in errors)
    fix = " ".join(dict.fromkeys(error.fix for error in errors))
    return (str(row.row), *(values.get(name, "") for name in columns), wrong, fix)


def _lines(lines: list[tuple[str, ...]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerows([[disarm(cell) for cell in line] for line in lines])
    return buffer.getvalue()


def find_plan(plan: sa.Row[Any] | None, plan_id: str) -> sa.Row[Any]:
    """The plan; 404 when there is none."""
    if plan is None:
        raise ServiceError(ErrorCode.NOT_FOUND, f"There is no plan {plan_id}.", action="It may have been removed by age: preview again.")
    return plan
