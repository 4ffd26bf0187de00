"""Export to a Google sheet: compare it with the table (the plan), then carry out exactly that plan, all of it or nothing."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from sqlalchemy import Connection

from lib.contract.exports import ExportFilter, ExportRequest, SheetTarget
from lib.contract.jobs import JobFailure
from lib.contract.states import PlanState
from lib.service.operations.columns import choose_columns
from lib.service.operations.comparison import restore_texts
from lib.service.operations.runner import JobContext, OperationFailed
from lib.service.operations.sources import connect_sheets
from lib.service.sheets.google import GoogleSheets, Spreadsheet, Tab, parse_spreadsheet, sheet_of
from lib.service.sheets.grid import Grid, read_cells, read_grid
from lib.service.sheets.merge import Merge, agree, merge
from lib.service.sheets.reading import UnreadableSheet
from lib.service.sheets.staging import Write
from lib.service.sheets.swap import MARK, Swap, plan_swap
from lib.service.storage import entries, export_plans, scope
from lib.service.storage.agreements import put_agreed
from lib.service.storage.counters import get_counters

KEYS_AT_ONCE = 10_000
#: Rows that have moved are named up to this many.
NAMED_ROWS = 5


@dataclass(frozen=True)
class Seen:
    """Everything a plan is computed from."""

    book: Spreadsheet
    tab: Tab
    merged: Merge
    ours: dict[str, dict[str, str]]
    base: dict[str, dict[str, str]]
    table_revision: int


def compare_sheet(context: JobContext) -> dict[str, Any]:
    """Make the plan; its counts are the job's result. Nothing is written to the sheet."""
    return context.step("compare", _compare, context, context.job.arguments["plan_id"])


def write_sheet(context: JobContext, request: ExportRequest) -> dict[str, Any]:
    """Carry out the plan. Safe to repeat at any point: the mark in the sheet says whether the one change was made."""
    with _words_of_google():
        return _write(context, request, _get_plan(context, request.plan_id or ""))


@contextmanager
def _words_of_google() -> Iterator[None]:
    try:
        yield
    except UnreadableSheet as failure:
        raise OperationFailed(failure.code, failure.detail, failure.action) from failure


def _get_plan(context: JobContext, plan_id: str) -> Any:
    with context.database.read() as connection:
        plan = export_plans.get_export_plan(connection, plan_id)
    if plan is None:
        raise OperationFailed(JobFailure.PLAN_MISSING, "The plan was removed.", "Preview the sheet again.")
    return plan


# --- compare ---------------------------------------------------------------------------------------------------------


def _compare(context: JobContext, plan_id: str) -> dict[str, Any]:
    plan = _get_plan(context, plan_id)
    with _words_of_google():
        seen = _look(context, connect_sheets(context), plan)
    found = _describe(seen)
    with context.write() as connection:
        export_plans.replace_export_plan_rows(connection, plan_id, seen.merged.rows)
        export_plans.update_export_plan(
            connection,
            plan_id,
            state=PlanState.READY,
            found=found,
            row_hashes=_pack(_hash_rows(seen.merged)),
            table_revision=seen.table_revision,
        )
        _learn(connection, seen)
    return {"plan_id": plan_id, **found["counts"]}


def _learn(connection: Connection, seen: Seen) -> None:
    """A row that is the same on both sides is agreed on, however it came to be; unless the table has moved on while it was compared."""
    if get_counters(connection)["table_revision"] != seen.table_revision:
        return
    differing = {row.key for row in seen.merged.rows}
    same = {key: seen.base.get(key, {}) | cells for key, cells in seen.ours.items() if key not in differing}
    learned = {key: cells for key, cells in same.items() if seen.base.get(key) != cells}
    put_agreed(connection, sheet_of(seen.book, seen.tab), learned)


def _look(context: JobContext, sheets: GoogleSheets, plan: Any) -> Seen:
    """Read the sheet and the table, and compare them with what they last agreed on."""
    target = SheetTarget.model_validate(plan.target)
    context.tell("asking for the sheet")
    book = sheets.describe(parse_spreadsheet(target.spreadsheet))
    tab = book.tab(target.tab)
    grid = read_grid(sheets, book, tab, lambda done, total: context.tell("reading the sheet", done, total))
    if mark := tab.marks.get(MARK):
        with context.write() as connection:  # the sheet may know better than its job whether a write took effect
            export_plans.adopt_agreement(connection, sheet_of(book, tab), mark)
    context.tell("reading the table")
    with context.database.read() as connection:
        columns = choose_columns(connection, plan.columns).names
        ours = _read_entries(context, connection, ExportFilter.model_validate(plan.filter), columns)
        known = _list_keys(connection)
        base = export_plans.read_agreement(connection, sheet_of(book, tab))
        revision = get_counters(connection)["table_revision"]
    context.tell("comparing")
    return Seen(book, tab, merge(grid, columns, ours, base, known), ours, base, revision)


def _read_entries(context: JobContext, connection: Connection, wanted: ExportFilter, columns: list[str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for page in scope.stream_matching(connection, wanted):
        for entry in page:
            values = entry.fields | restore_texts(entry.texts, entry.text)
            found[entry.key] = {name: values.get(name, "") for name in columns[1:]}
        context.tell("reading the table", len(found))
    if not found:
        raise OperationFailed(JobFailure.NOTHING_MATCHES, "No entry matches the filter.", "Change the filter, or export everything.")
    return found


def _list_keys(connection: Connection) -> set[str]:
    known: set[str] = set()
    after = 0
    while page := entries.list_keys(connection, after=after, limit=KEYS_AT_ONCE):
        known.update(row.key for row in page)
        after = page[-1].entry_id
    return known


def _describe(seen: Seen) -> dict[str, Any]:
    layout, grid = seen.merged.layout, seen.merged.grid
    ours = set(layout.at.values())
    return {
        "title": seen.book.title,
        "counts": seen.merged.count().model_dump(),
        "new_columns": layout.new,
        "untouched_columns": layout.others,
        "formulas": sum(1 for _, column in grid.formulas() if column not in ours),
    }


def _hash_rows(merged: Merge) -> dict[str, str]:
    """What each row of the sheet holds in our columns; the header's under the empty key."""
    at = [merged.layout.at[name] for name in merged.layout.columns if merged.layout.at[name] < merged.grid.width]
    rows = {"": merged.grid.header}
    key_at = merged.layout.at[merged.layout.key]
    for shown, entered in zip(merged.grid.shown[1:], merged.grid.entered[1:], strict=True):
        if shown[key_at]:
            rows[shown[key_at]] = [cell for place in at for cell in (shown[place], entered[place])]
    return {key: blake2b(json.dumps(cells).encode(), digest_size=8).hexdigest() for key, cells in rows.items()}


def _pack(hashes: dict[str, str]) -> bytes:
    return zlib.compress(json.dumps(hashes).encode())


def _check_unmoved(plan: Any, seen: Seen) -> None:
    """PLAN_STALE, naming what moved, unless sheet and table are as they were when the plan was made."""
    if plan.table_revision != seen.table_revision:
        raise _moved("The table has changed since the preview.")
    before, after = json.loads(zlib.decompress(plan.row_hashes)), _hash_rows(seen.merged)
    if before == after:
        return
    moved = [key for key in dict.fromkeys((*before, *after)) if before.get(key) != after.get(key)]
    if "" in moved:
        raise _moved("The header row of the sheet has changed since the preview.")
    named = ", ".join(repr(key[:60]) for key in moved[:NAMED_ROWS])
    more = f" and {len(moved) - NAMED_ROWS:,} more" if len(moved) > NAMED_ROWS else ""
    raise _moved(f"The sheet has changed since the preview, in the rows of {named}{more}.")


def _moved(what: str) -> OperationFailed:
    return OperationFailed(JobFailure.PLAN_STALE, f"{what} Nothing was written.", "Preview the sheet again.")


# --- write -----------------------------------------------------------------------------------------------------------


def _write(context: JobContext, request: ExportRequest, plan: Any) -> dict[str, Any]:
    if plan.applied_by_job == context.job.job_id and plan.state == PlanState.APPLIED:
        return dict(plan.applied)  # died between the commit and the checkpoint
    sheets = connect_sheets(context)
    target = SheetTarget.model_validate(plan.target)
    spreadsheet_id = parse_spreadsheet(target.spreadsheet)
    write = Write(sheets=sheets, spreadsheet_id=spreadsheet_id, tab_title=target.tab, job_id=context.job.job_id, tell=context.tell)
    context.tell("asking for the sheet")
    if not write.has_committed():
        try:
            _stage_and_commit(context, request, plan, write)
        except Exception:
            if not write.has_arrived():
                with suppress(Exception):  # what stopped it may stop this too; then the next export removes what is left
                    write.clean_up()
                raise
    return _finish(context, plan, write)


def _stage_and_commit(context: JobContext, request: ExportRequest, plan: Any, write: Write) -> None:
    write.clean_up()
    seen = _look(context, write.sheets, plan)
    _check_unmoved(plan, seen)
    swap = plan_swap(seen.merged, keep=request.keep, choices=request.choices)
    _remember(context, request, plan, seen, swap)
    if not swap.blocks:
        raise OperationFailed(JobFailure.NOTHING_MATCHES, "Every difference stays as it is in the sheet: there is nothing to write.")
    stage = write.stage(swap)
    _check_still(context, seen.merged.grid, write)
    context.tell("putting it in place")
    write.commit(swap, stage)


def _check_still(context: JobContext, grid: Grid, write: Write) -> None:
    """Nobody has edited the tab while the staging tab was filled."""
    book, tab = write.look()
    entered = read_cells(write.sheets, book, tab, formulas=True, tell=lambda done, total: context.tell("looking once more", done, total))
    if _without_ends(entered) != _without_ends(grid.entered):
        raise _moved("The sheet was edited while the export was under way.")


def _without_ends(rows: list[list[str]]) -> dict[tuple[int, int], str]:
    """Only the cells that hold something: how far empty ones reach says nothing."""
    return {(row, column): cell for row, line in enumerate(rows) for column, cell in enumerate(line) if cell}


def _remember(context: JobContext, request: ExportRequest, plan: Any, seen: Seen, swap: Swap) -> None:
    """What will count once the change is made is written down before it is: afterwards nobody could compute it again."""
    agreed = agree(seen.merged, seen.ours, seen.base, keep=request.keep, choices=request.choices)
    counts = seen.merged.count()
    ours = sum(
        cell.change == "conflict" and cell.column in written
        for row, written in seen.merged.decided(request.keep, request.choices)
        for cell in row.cells
    )
    applied = {
        "plan_id": plan.plan_id,
        "spreadsheet": seen.book.title,
        "tab": seen.tab.title,
        "rows": len(seen.ours),
        **{name: getattr(counts, name) for name in ("add", "change", "clear", "keep")},
        "conflicts_ours": ours,
        "conflicts_theirs": counts.conflict - ours,
        "blocks": len(swap.blocks),
        "sheet": sheet_of(seen.book, seen.tab),
    }
    with context.write() as connection:
        if plan.applied_by_job:  # an earlier job that did not get through: had it, the mark would have said so by now
            export_plans.put_agreement(connection, plan.applied_by_job, {})
        export_plans.put_agreement(connection, context.job.job_id, agreed)
        export_plans.update_export_plan(connection, plan.plan_id, applied_by_job=context.job.job_id, applied=applied)


def _finish(context: JobContext, plan: Any, write: Write) -> dict[str, Any]:
    """The sheet holds the new content: say so everywhere, in one transaction."""
    with context.write() as connection:
        row = export_plans.get_export_plan(connection, plan.plan_id)
        applied = dict(row.applied) if row and row.applied else {}
        export_plans.adopt_agreement(connection, applied.pop("sheet", ""), context.job.job_id)
        export_plans.update_export_plan(connection, plan.plan_id, state=PlanState.APPLIED, applied=applied)
    context.say(f"the tab {write.tab_title} was written in one change of {applied.pop('blocks', 0):,} blocks")
    return applied
