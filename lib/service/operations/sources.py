"""From the source of a plan to its reader, opened on behalf of a job; and whether it is still what the plan was made from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from lib.contract.imports import ColumnMapping, FileSource, SheetSource
from lib.contract.jobs import JobFailure
from lib.service.credentials import open_sheets
from lib.service.operations.runner import JobContext, OperationFailed
from lib.service.sheets.google import GoogleSheets
from lib.service.sheets.google_sheet import GoogleSheet
from lib.service.sheets.opening import find_moved_file, open_sheet
from lib.service.sheets.reading import Record, Sheet, UnreadableSheet
from lib.service.sheets.row_marks import Moves
from lib.service.storage import plans

#: Hears of a Google sheet that is read again and of each of its records, before it is known whether they are the plan's.
Listen = Callable[[GoogleSheet], Callable[[Record], None]]


@contextmanager
def open_source(context: JobContext, plan: Any) -> Iterator[Sheet]:
    """What the plan is made from."""
    if plan.source["kind"] == "google_sheet":
        sheet = _open_google(context, plan)
        with context.write() as connection:  # its title is known only now
            plans.update_plan(connection, plan.plan_id, source_name=sheet.name)
        yield sheet
    else:
        with open_sheet(context.config, FileSource.model_validate(plan.source), plan.source_name) as file:
            yield file


def connect_sheets(context: JobContext) -> GoogleSheets:
    """Signed in with the stored key; when Google asks for patience, the job counts the seconds down in public and can be cancelled."""
    return open_sheets(context.database, context.config, wait=context.wait)


def _open_google(context: JobContext, plan: Any) -> GoogleSheet:
    return GoogleSheet(connect_sheets(context), SheetSource.model_validate(plan.source))


def check_unmoved(context: JobContext, plan: Any, listen: Listen) -> None:
    """OperationFailed when the source is no longer what the plan was made from; the plan is stale then and says why."""
    try:
        moved = _sheet_moved(context, plan, listen) if plan.source["kind"] == "google_sheet" else find_moved_file(context.config, plan)
    except UnreadableSheet as unreadable:
        raise OperationFailed(unreadable.code, unreadable.detail, unreadable.action) from unreadable
    if moved:
        with context.write() as connection:
            error = plans.mark_moved(connection, plan, moved)
        raise OperationFailed(JobFailure.PLAN_STALE, error.detail, error.action)


def _sheet_moved(context: JobContext, plan: Any, listen: Listen) -> str:
    """Read once more: Google has no mark that tells whether a tab has changed."""
    context.tell("comparing the sheet with the plan")
    sheet = _open_google(context, plan)
    mapping = ColumnMapping.model_validate(plan.mapping)
    if not {mapping.key, *mapping.text, *mapping.fields} <= {*sheet.header}:
        return "its header row is another"
    with context.database.read() as connection:
        moves = Moves(sheet.header.index(mapping.key), plans.get_plan_marks(connection, plan.plan_id))
    hear = listen(sheet)
    for number, record in enumerate(moves.watch(sheet.records()), start=1):
        hear(record)
        context.tell("comparing the sheet with the plan", number)
    return "" if sheet.fingerprint() == str(plan.source_sha256) else moves.describe()
