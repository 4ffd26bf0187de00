"""Looking things up by how they begin. Every query is a look-up in an index or stops after a bounded stretch of rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection

from lib.service.storage.schema import entries, items, jobs, plans, snapshots

#: Words are looked for in this many of the newest entries: more would take longer than a person waits for the next letter.
NEWEST = 100_000
#: Sorts after everything that begins with what stands before it.
_LAST = "\U0010ffff"
#: Ids are hexadecimal; what is not cannot begin one.
_HEX = frozenset("0123456789abcdef")


def find_jobs(connection: Connection, text: str, limit: int) -> Sequence[sa.Row[Any]]:
    """Jobs whose id begins so, newest first."""
    return _by_id(connection, jobs, jobs.c.job_id, text, limit, jobs.c.seq.desc())


def find_plans(connection: Connection, text: str, limit: int) -> Sequence[sa.Row[Any]]:
    """Plans whose id begins so, newest first."""
    return _by_id(connection, plans, plans.c.plan_id, text, limit, plans.c.created_at.desc())


def _by_id(
    connection: Connection, table: sa.Table, column: ColumnElement[str], text: str, limit: int, order: ColumnElement[Any]
) -> Sequence[sa.Row[Any]]:
    start = text.lower()
    if not set(start) <= _HEX:
        return []
    # Digits sort before letters in every collation, so a range finds the beginnings of hexadecimal ids.
    return connection.execute(sa.select(table).where(column >= start, column < start + "g").order_by(order).limit(limit)).all()


def find_snapshots(connection: Connection, text: str, limit: int) -> Sequence[sa.Row[Any]]:
    """Snapshots whose name contains it, newest first; there are few."""
    named = snapshots.c.name.icontains(text, autoescape=True)
    return connection.execute(sa.select(snapshots).where(named).order_by(snapshots.c.taken_at.desc()).limit(limit)).all()


def find_entries(connection: Connection, text: str, limit: int) -> list[sa.Row[Any]]:
    """Entries by number, by the beginning of their key, and then by words in key or text; each once, with its state in the queue."""
    found: dict[int, sa.Row[Any]] = {}
    number = int(text) if text.isdecimal() and len(text) < 18 else None
    searches = [entries.c.entry_id == number] if number is not None else []
    searches += [_begins(connection, spelling) for spelling in dict.fromkeys((text, text.upper(), text.lower()))]
    for condition in searches:
        found |= {row.entry_id: row for row in _entries(connection, entries, condition, limit, order=entries.c.key)}
    if len(found) < limit:
        newest = sa.select(entries).order_by(entries.c.entry_id.desc()).limit(NEWEST).subquery()
        words = _contains(connection, newest.c.key, text) | _contains(connection, newest.c.text, text)
        found |= {row.entry_id: row for row in _entries(connection, newest, words, limit) if row.entry_id not in found}
    return list(found.values())[:limit]


def _begins(connection: Connection, text: str) -> ColumnElement[bool]:
    if connection.dialect.name == "postgresql":  # whose collations need not sort what begins alike together
        return entries.c.key.startswith(text, autoescape=True)
    return (entries.c.key >= text) & (entries.c.key < text + _LAST)


def _contains(connection: Connection, column: ColumnElement[str], text: str) -> ColumnElement[bool]:
    """Whatever the case. SQLite's LIKE ignores it by itself, and twice as fast as with both sides lowered."""
    return (column.icontains if connection.dialect.name == "postgresql" else column.contains)(text, autoescape=True)


def _entries(
    connection: Connection, source: sa.FromClause, condition: ColumnElement[bool], limit: int, order: ColumnElement[Any] | None = None
) -> Sequence[sa.Row[Any]]:
    columns = [source.c.entry_id, source.c.key, source.c.text, items.c.state.label("item")]
    query = sa.select(*columns).select_from(source).join(items, items.c.entry_id == source.c.entry_id, isouter=True)
    return connection.execute(query.where(condition).order_by(order).limit(limit)).all()
