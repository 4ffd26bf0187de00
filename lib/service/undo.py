"""Taking imports back: what would happen, and asking for it."""

from __future__ import annotations

from lib.contract.errors import ErrorCode
from lib.contract.imports import UndoReport, UndoRow
from lib.contract.jobs import Job
from lib.contract.model import utc_now
from lib.contract.operations import Started
from lib.contract.states import Operation, UndoOutcome
from lib.service import gate
from lib.service.cursors import decode_cursor, split_page
from lib.service.engine import JobQueue
from lib.service.errors import ServiceError
from lib.service.intentions import start_or_wait
from lib.service.jobs import Start, get_job
from lib.service.storage import changes
from lib.service.storage.database import Database

_WHY_KEPT = "Changed since the import, so it is left as it is now."


def start_undo(database: Database, queue: JobQueue, import_job_id: str, start: Start) -> Started:
    """Take back one import; 404 when there is none, 409 when it is too old, undone already, or something is in the way."""
    _find_import(database, import_job_id)  # before the gate: what does not exist is not waited for
    return start_or_wait(database, queue, start, when_free=start.when_free)


def get_undo(database: Database, import_job_id: str, *, outcome: UndoOutcome | None, limit: int, cursor: str | None) -> UndoReport:
    """What an undo would do with each row now; once it is done, what it did. 404 when there is no such import."""
    job = _find_import(database, import_job_id)
    after = decode_cursor(cursor, int)[0] if cursor else -1
    with database.read() as connection:
        decision = gate.decide(connection, Operation.UNDO, {"import_job_id": import_job_id})
        counts = changes.count_undo(connection, import_job_id)
        rows = changes.list_undo_rows(connection, import_job_id, outcome=outcome, after=after, limit=limit + 1)
    shown, more = split_page(rows, limit, lambda row: (row.entry_id,))
    return UndoReport(
        job_id=import_job_id,
        gate=decision,
        undone_by_job=(job.result or {}).get("undone_by"),
        expires_at=job.finished_at + gate.UNDO_FOR if job.finished_at else None,
        counts={outcome.value: counts.get(outcome.value, 0) for outcome in UndoOutcome},
        rows=[
            UndoRow(key=row.key, change=row.change, outcome=row.outcome, detail="" if row.outcome == UndoOutcome.REVERSED else _WHY_KEPT)
            for row in shown
        ],
        next_cursor=more,
        taken_at=utc_now(),
    )


def _find_import(database: Database, job_id: str) -> Job:
    job = get_job(database, job_id)
    if job.operation is not Operation.IMPORT:
        raise ServiceError(ErrorCode.NOT_FOUND, "There is no such import.", action="Only imports can be undone.")
    return job
