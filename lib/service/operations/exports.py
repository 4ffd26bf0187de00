"""Export: write entries to a file beside its final place, then rename it there."""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from lib.contract.exports import ExportRequest
from lib.contract.jobs import JobFailure
from lib.contract.model import utc_now
from lib.service.operations.comparison import restore_texts
from lib.service.operations.runner import JobContext, OperationFailed
from lib.service.sheets.cells import disarm, escape
from lib.service.storage import entries, exports, plans
from lib.service.storage.settings import get_setting


def export_entries(context: JobContext) -> dict[str, Any]:
    """Write the file; the job's result names it."""
    return context.step("write_file", _write_file, context)


def _write_file(context: JobContext) -> dict[str, Any]:
    request = ExportRequest.model_validate(context.job.arguments)
    export_id = str(UUID(context.job.job_id).hex)  # one file per job: a repeated step makes it anew
    folder = context.config.exports_dir
    with context.write():  # as the attempt that owns the job: one that was overtaken must not take the file from the next
        for left_over in folder.glob(f"{export_id}.*.part"):
            left_over.unlink(missing_ok=True)
    # Named by attempt: one that was fenced and wakes up must not write into the file of the next.
    building = folder / f"{export_id}.{context.attempt}.part"
    try:
        rows = _write_rows(context, building, request)
        return _publish(context, export_id, building, folder / f"{export_id}.csv", rows)
    finally:
        building.unlink(missing_ok=True)


def _write_rows(context: JobContext, path: Path, request: ExportRequest) -> int:
    safe: Callable[[str], str] = disarm if request.target.spreadsheet_safe else escape
    with context.database.read() as connection:
        total = entries.count_entries(connection, request.filter.text)
        if not total:
            raise OperationFailed(JobFailure.NOTHING_MATCHES, "No entry matches the filter.", "Change the filter, or export everything.")
        key_name, text_names, field_names = _columns(context, connection)
        done = 0
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([safe(name) for name in (key_name, *text_names, *field_names)])
            for page in entries.stream_entries(connection, request.filter.text):
                for entry in page:
                    values = entry.fields | restore_texts(entry.texts, entry.text)
                    cells = (entry.key, *(values.get(name, "") for name in (*text_names, *field_names)))
                    writer.writerow([safe(cell) for cell in cells])
                done += len(page)
                context.tell("writing", done, total)
            file.flush()
            os.fsync(file.fileno())
    return done


def _columns(context: JobContext, connection: Connection) -> tuple[str, list[str], list[str]]:
    """The key's name, and every text and field column any entry has; those of the last import first, in its order."""
    mapping = plans.last_applied_mapping(connection) or {"key": "key", "text": [], "fields": []}
    texts, fields = dict.fromkeys(mapping["text"]), dict.fromkeys(mapping["fields"])
    context.tell("reading the columns")
    more_texts, more_fields = entries.list_columns(connection)
    texts.update(dict.fromkeys(more_texts))
    fields.update(dict.fromkeys(more_fields))
    key = mapping["key"]
    while key in texts or key in fields:  # an earlier import used the key's name for another column
        key += " (key)"
    return key, list(texts), [name for name in fields if name not in texts]


def _publish(context: JobContext, export_id: str, building: Path, path: Path, rows: int) -> dict[str, Any]:
    """Give the finished file its name, and say that it is there."""
    with building.open("rb") as file:
        sha256, size_bytes = hashlib.file_digest(file, "sha256").hexdigest(), file.tell()
    now = utc_now()
    name = f"switchyard-export-{now:%Y-%m-%d-%H%M}.csv"
    with context.write() as connection:
        building.replace(path)
        keep_days = int(get_setting(connection, "export.keep_days"))
        exports.put_export(
            connection,
            export_id=export_id,
            job_id=context.job.job_id,
            name=name,
            rows=rows,
            size_bytes=size_bytes,
            sha256=sha256,
            created_at=now,
            expires_at=now + timedelta(days=keep_days),
        )
    return {"export_id": export_id, "name": name, "rows": rows, "sha256": sha256}
