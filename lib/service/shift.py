"""The shift log: notes of people beside what was done to the pipeline."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection

from lib.contract.errors import ErrorCode, FieldError
from lib.contract.model import utc_now
from lib.contract.shift import NoteRequest, ShiftEntry, ShiftReading
from lib.contract.states import ShiftKind
from lib.service.errors import ServiceError
from lib.service.storage import shift as rows
from lib.service.storage.audit import record_action
from lib.service.storage.database import Database

#: What the feed and the pages show; the audit keeps everything longer.
SHOWN_FOR = timedelta(days=7)
SHOWN = 50


def read_shift(connection: Connection) -> ShiftReading:
    """The last entries."""
    now = utc_now()
    return ShiftReading(entries=rows.list_entries(connection, since=now - SHOWN_FOR, limit=SHOWN), taken_at=now)


def list_shift(database: Database, since: datetime | None, limit: int) -> ShiftReading:
    """Entries since then, newest first."""
    now = utc_now()
    with database.read() as connection:
        return ShiftReading(entries=rows.list_entries(connection, since=since or now - SHOWN_FOR, limit=limit), taken_at=now)


def add_note(database: Database, request: NoteRequest, *, actor: str, request_id: str) -> ShiftEntry:
    """Pin what somebody writes to its time; 422 for a time to come."""
    now = utc_now()
    at = request.at or now
    if at > now + timedelta(minutes=1):
        why = "A note is about what has happened; this time is yet to come."
        raise ServiceError(ErrorCode.INVALID, why, errors=[FieldError(pointer="/body/at", detail=why)])
    with database.write() as connection:
        entry_id = rows.add_entry(connection, kind=ShiftKind.NOTE, actor=actor, text=request.text.strip(), at=at)
        after = {"text": request.text.strip(), "at": at.isoformat()}
        record_action(connection, actor=actor, action="add_note", object_id=str(entry_id), after=after, request_id=request_id)
        return _found(connection, entry_id)


def delete_note(database: Database, entry_id: int, *, actor: str, request_id: str) -> None:
    """Take a note back. What people did is no note: it stays."""
    with database.write() as connection:
        entry = _found(connection, entry_id)
        if entry.kind is not ShiftKind.NOTE:
            raise ServiceError(ErrorCode.NOT_FOUND, "That is no note: what was done stays in the log.")
        rows.delete_entry(connection, entry_id)
        before = {"text": entry.text, "at": entry.at.isoformat(), "actor": entry.actor}
        record_action(connection, actor=actor, action="delete_note", object_id=str(entry_id), before=before, request_id=request_id)


def _found(connection: Connection, entry_id: int) -> ShiftEntry:
    entry = rows.get_entry(connection, entry_id)
    if entry is None:
        raise ServiceError(ErrorCode.NOT_FOUND, f"There is no note {entry_id}.")
    return entry
