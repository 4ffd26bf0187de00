"""The shift log's rows."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from lib.contract.shift import ShiftEntry
from lib.contract.states import ShiftKind
from lib.service.storage.schema import shift_log


def add_entry(connection: Connection, *, kind: ShiftKind, actor: str, text: str, at: datetime, job_id: str | None = None) -> int:
    """Pin something to its time; the entry's id."""
    values = {"kind": kind, "actor": actor, "text": text, "at": at, "job_id": job_id}
    return int(connection.execute(sa.insert(shift_log).values(**values).returning(shift_log.c.entry_id)).scalar_one())


def list_entries(connection: Connection, *, since: datetime, limit: int) -> list[ShiftEntry]:
    """Entries pinned since then, newest first."""
    query = sa.select(shift_log).where(shift_log.c.at >= since)
    rows = connection.execute(query.order_by(shift_log.c.at.desc(), shift_log.c.entry_id.desc()).limit(limit))
    return [ShiftEntry.model_validate(dict(row._mapping)) for row in rows]


def get_entry(connection: Connection, entry_id: int) -> ShiftEntry | None:
    """One entry."""
    found = connection.execute(sa.select(shift_log).where(shift_log.c.entry_id == entry_id)).one_or_none()
    return ShiftEntry.model_validate(dict(found._mapping)) if found else None


def delete_entry(connection: Connection, entry_id: int) -> None:
    """Take one out."""
    connection.execute(sa.delete(shift_log).where(shift_log.c.entry_id == entry_id))


def forget_old(connection: Connection, before: datetime) -> None:
    """Drop entries by age."""
    connection.execute(sa.delete(shift_log).where(shift_log.c.at < before))
