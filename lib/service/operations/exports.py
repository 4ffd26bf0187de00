"""Export: write entries to a file beside its final place, then rename it there."""

from __future__ import annotations

import hashlib
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from lib.contract.exports import XLSX_MAX_CELL_CHARACTERS, ExportFormat, ExportRequest, FileTarget, SheetTarget
from lib.contract.jobs import JobFailure
from lib.contract.model import utc_now
from lib.service.operations.columns import TableColumns, choose_columns
from lib.service.operations.comparison import restore_texts
from lib.service.operations.runner import JobContext, OperationFailed
from lib.service.operations.sheet_exports import write_sheet
from lib.service.sheets.writers import DoesNotFit, SheetWriter, open_writer, work_dir
from lib.service.storage import exports, scope
from lib.service.storage.settings import get_setting


def export_entries(context: JobContext) -> dict[str, Any]:
    """Write the file, or carry out the plan for a sheet; the job's result says what came of it."""
    request = ExportRequest.model_validate(context.job.arguments)
    if isinstance(request.target, SheetTarget):
        return context.step("write_sheet", write_sheet, context, request)
    return context.step("write_file", _write_file, context, request, request.target)


def _write_file(context: JobContext, request: ExportRequest, target: FileTarget) -> dict[str, Any]:
    export_id = str(UUID(context.job.job_id).hex)  # one file per job: a repeated step makes it anew
    folder = context.config.exports_dir
    with context.write():  # as the attempt that owns the job: one that was overtaken must not take the file from the next
        _remove_left_overs(folder, export_id)
    # Named by attempt: one that was fenced and wakes up must not write into the file of the next.
    building = folder / f"{export_id}.{context.attempt}.part"
    try:
        rows = _write_rows(context, building, request, target)
        return _publish(context, export_id, building, target.format, rows)
    finally:
        building.unlink(missing_ok=True)


def _remove_left_overs(folder: Path, export_id: str) -> None:
    for left_over in folder.glob(f"{export_id}.*.part"):
        shutil.rmtree(work_dir(left_over), ignore_errors=True)
        left_over.unlink(missing_ok=True)
    for work in folder.glob(f"{export_id}.*.part.work"):
        shutil.rmtree(work, ignore_errors=True)


def _write_rows(context: JobContext, path: Path, request: ExportRequest, target: FileTarget) -> int:
    with context.database.read() as connection:
        total = scope.count_matching(connection, request.filter, longer_than=XLSX_MAX_CELL_CHARACTERS).entries
        if not total:
            raise OperationFailed(JobFailure.NOTHING_MATCHES, "No entry matches the filter.", "Change the filter, or export everything.")
        context.tell("reading the columns")
        columns = choose_columns(connection, request.columns)
        with open_writer(path, target, columns.names) as writer:
            done = _write_entries(context, connection, writer, request, columns, total)
            context.tell("finishing the file", done, total)
    return done


def _write_entries(
    context: JobContext, connection: Connection, writer: SheetWriter, request: ExportRequest, columns: TableColumns, total: int
) -> int:
    done = 0
    for page in scope.stream_matching(connection, request.filter):
        for entry in page:
            values = entry.fields | restore_texts(entry.texts, entry.text)
            try:
                writer.write_row([entry.key, *(values.get(name, "") for name in (*columns.text, *columns.fields))])
            except DoesNotFit as misfit:
                raise _does_not_fit(entry.key, misfit) from misfit
        done += len(page)
        context.tell("writing", done, total)
    return done


def _does_not_fit(key: str, misfit: DoesNotFit) -> OperationFailed:
    detail = f"The cell of entry {key[:80]!r} in column {misfit.column!r} does not fit: {misfit.what}. Nothing was cut: there is no file."
    return OperationFailed(JobFailure.DOES_NOT_FIT, detail, "Choose CSV or Parquet, or leave out this column or entry.")


def _publish(context: JobContext, export_id: str, building: Path, written_as: ExportFormat, rows: int) -> dict[str, Any]:
    """Give the finished file its name, and say that it is there."""
    with building.open("rb") as file:
        sha256, size_bytes = hashlib.file_digest(file, "sha256").hexdigest(), file.tell()
    now = utc_now()
    name = f"switchyard-export-{now:%Y-%m-%d-%H%M}.{written_as}"
    with context.write() as connection:
        building.replace(context.config.exports_dir / exports.file_name(export_id, written_as))
        keep_days = int(get_setting(connection, "export.keep_days"))
        exports.put_export(
            connection,
            export_id=export_id,
            job_id=context.job.job_id,
            name=name,
            format=written_as,
            rows=rows,
            size_bytes=size_bytes,
            sha256=sha256,
            created_at=now,
            expires_at=now + timedelta(days=keep_days),
        )
    return {"export_id": export_id, "name": name, "format": written_as.value, "rows": rows, "sha256": sha256}
