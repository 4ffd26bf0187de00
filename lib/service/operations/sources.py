"""From the source of a plan to its reader, opened on behalf of a job."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lib.contract.imports import FileSource, SheetSource
from lib.contract.jobs import JobFailure
from lib.contract.states import PlanState
from lib.service.credentials import open_sheets
from lib.service.operations.runner import JobContext, OperationFailed
from lib.service.sheets.digest import hash_file
from lib.service.sheets.google_sheet import GoogleSheet
from lib.service.sheets.opening import open_sheet
from lib.service.sheets.reading import Sheet, UnreadableSheet
from lib.service.storage import plans


@contextmanager
def open_source(context: JobContext, plan: Any) -> Iterator[Sheet]:
    """What the plan is made from; a Google sheet is waited for in public when Google asks for patience."""
    if plan.source["kind"] == "google_sheet":
        google = open_sheets(context.database, context.config, wait=context.wait)
        sheet = GoogleSheet(google, SheetSource.model_validate(plan.source))
        if plan.state == PlanState.BUILDING:
            with context.write() as connection:  # its title is known only now
                plans.update_plan(connection, plan.plan_id, source_name=sheet.name)
        yield sheet
    else:
        with open_sheet(context.config, FileSource.model_validate(plan.source), plan.source_name) as file:
            yield file


def check_unmoved(context: JobContext, plan: Any) -> None:
    """OperationFailed when the source is no longer what the plan was made from."""
    try:
        moved = _sheet_moved(context, plan) if plan.source["kind"] == "google_sheet" else _file_moved(context, plan)
    except UnreadableSheet as error:
        raise OperationFailed(error.code, error.detail, error.action) from error
    if moved:
        detail = f"“{plan.source_name}” has changed since this plan was made."
        raise OperationFailed(JobFailure.PLAN_STALE, detail, "Preview it again.")


def _file_moved(context: JobContext, plan: Any) -> bool:
    path = context.config.uploads_dir / plan.source["upload_id"]
    # Removed by age is harmless: the plan's rows are what is applied.
    return path.is_file() and hash_file(path) != str(plan.source_sha256)


def _sheet_moved(context: JobContext, plan: Any) -> bool:
    """Read once more: Google has no mark that tells whether a tab has changed."""
    context.tell("comparing the sheet with the plan")
    with open_source(context, plan) as sheet:
        for number, _ in enumerate(sheet.records(), start=1):
            context.tell("comparing the sheet with the plan", number)
        return sheet.fingerprint() != str(plan.source_sha256)
