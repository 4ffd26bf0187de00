"""The table: reading entries, and applying one plan to it in one transaction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from lib.service.storage.counters import add_to_counters, next_revision
from lib.service.storage.schema import entries, items

_PAGE = 2000


def hashes_by_key(connection: Connection) -> dict[str, tuple[int, bytes]]:
    """Key → (entry_id, record hash) of the whole table: about 200 bytes an entry."""
    rows = connection.execute(sa.select(entries.c.key, entries.c.entry_id, entries.c.record_hash)).yield_per(_PAGE)
    return {row.key: (row.entry_id, bytes(row.record_hash)) for row in rows}


def get_entries(connection: Connection, entry_ids: list[int]) -> dict[int, sa.Row[Any]]:
    """Entries by id; ids the table lacks are left out."""
    rows = connection.execute(sa.select(entries).where(entries.c.entry_id.in_(entry_ids)))
    return {row.entry_id: row for row in rows}


def _matching(query: sa.Select[Any], text: str | None) -> sa.Select[Any]:
    if not text:
        return query
    return query.where(entries.c.key.contains(text, autoescape=True) | entries.c.text.contains(text, autoescape=True))


def count_entries(connection: Connection, text: str | None = None) -> int:
    """How many entries contain ``text`` in key or text."""
    return int(connection.execute(_matching(sa.select(sa.func.count()).select_from(entries), text)).scalar_one())


def list_entries(connection: Connection, *, text: str | None, after: int, limit: int) -> list[sa.Row[Any]]:
    """Entries with their state in the queue, in the order they were first seen, after the id ``after``."""
    query = (
        sa.select(entries, items.c.state.label("item"))
        .join_from(entries, items, items.c.entry_id == entries.c.entry_id, isouter=True)
        .where(entries.c.entry_id > after)
        .order_by(entries.c.entry_id)
        .limit(limit)
    )
    return list(connection.execute(_matching(query, text)).all())


def stream_entries(connection: Connection, text: str | None = None) -> Iterator[list[sa.Row[Any]]]:
    """All matching entries in pages, in the order they were first seen."""
    after = 0
    while page := list_entries(connection, text=text, after=after, limit=_PAGE):
        yield page
        after = page[-1].entry_id


def list_columns(connection: Connection) -> tuple[list[str], list[str]]:
    """The names of every text column and every field column that some entry has."""
    keys = "SELECT DISTINCT j.key FROM entries, json_each(entries.{column}) j ORDER BY j.key"
    if connection.dialect.name == "postgresql":
        keys = "SELECT DISTINCT j.key FROM entries, json_object_keys(entries.{column}) AS j(key) ORDER BY j.key"
    texts, fields = (connection.execute(sa.text(keys.format(column=column))).scalars() for column in ("texts", "fields"))
    return list(texts), list(fields)


@dataclass(frozen=True, slots=True)
class Applied:
    """What one plan did to the table and the queue."""

    new: int
    changed: int
    removed: int
    to_embed: int
    from_cache: int


_INSERT_NEW = """
INSERT INTO entries (key, text, texts, fields, content_hash, record_hash, import_id, created_at, updated_at)
SELECT key, text, texts, fields, content_hash, record_hash, :job_id, :now, :now
FROM plan_rows WHERE plan_id = :plan_id AND change = 'new' ORDER BY position
"""
_UPDATE_CHANGED = """
UPDATE entries SET text = p.text, texts = p.texts, fields = p.fields, content_hash = p.content_hash,
  record_hash = p.record_hash, import_id = :job_id, updated_at = :now
FROM plan_rows p WHERE p.plan_id = :plan_id AND p.change = 'changed' AND p.entry_id = entries.entry_id
"""
# Removals that were held and not approved stay in the table: with_removals is 0 then.
_REMOVED = "SELECT entry_id FROM plan_rows WHERE plan_id = :plan_id AND change = 'removed' AND :with_removals = 1"
_TOUCHED = "SELECT entry_id FROM entries WHERE import_id = :job_id"
_REMEMBER_REMOVALS = f"INSERT INTO removals (entry_id, revision) SELECT entry_id, :revision FROM ({_REMOVED}) gone"  # noqa: S608 - constants
_DELETE_REMOVED = f"DELETE FROM entries WHERE entry_id IN ({_REMOVED})"  # noqa: S608
_COUNT_QUEUED = f"SELECT state, COUNT(*) AS n FROM items WHERE entry_id IN ({_TOUCHED} UNION ALL {_REMOVED}) GROUP BY state"  # noqa: S608
_DEQUEUE = f"DELETE FROM items WHERE entry_id IN ({_TOUCHED} UNION ALL {_REMOVED})"  # noqa: S608
_TAKE_FROM_CACHE = """
INSERT INTO embeddings (entry_id, content_hash, fingerprint, revision, embedded_at)
SELECT e.entry_id, e.content_hash, v.fingerprint, :revision, :now FROM entries e
JOIN vectors v ON v.content_hash = e.content_hash AND v.fingerprint = :fingerprint
LEFT JOIN embeddings m ON m.entry_id = e.entry_id
WHERE e.import_id = :job_id AND (m.entry_id IS NULL OR m.content_hash <> e.content_hash OR m.fingerprint <> v.fingerprint)
ON CONFLICT (entry_id) DO UPDATE SET content_hash = excluded.content_hash, fingerprint = excluded.fingerprint,
  revision = excluded.revision, embedded_at = excluded.embedded_at
"""
_ENQUEUE = """
INSERT INTO items (entry_id, content_hash, state, priority, attempts, enqueued_at, available_at)
SELECT e.entry_id, e.content_hash, 'pending', 0, 0, :now, :now FROM entries e
LEFT JOIN embeddings m ON m.entry_id = e.entry_id AND m.content_hash = e.content_hash AND m.fingerprint = :fingerprint
WHERE e.import_id = :job_id AND m.entry_id IS NULL ORDER BY e.entry_id
"""


def apply_plan(connection: Connection, *, plan_id: str, job_id: str, with_removals: bool, fingerprint: str, now: datetime) -> Applied:
    """Write the plan's rows into the table and the queue. All of it is in the caller's one transaction, or none of it."""
    revision = next_revision(connection)
    values = {
        "plan_id": plan_id,
        "job_id": job_id,
        "with_removals": int(with_removals),
        "fingerprint": fingerprint,
        "revision": revision,
        "now": now.timestamp(),
    }

    def run(statement: str) -> int:
        return connection.execute(sa.text(statement), values).rowcount

    new = run(_INSERT_NEW)
    changed = run(_UPDATE_CHANGED)
    queued = {row.state: row.n for row in connection.execute(sa.text(_COUNT_QUEUED), values)}
    run(_DEQUEUE)
    run(_REMEMBER_REMOVALS)
    removed = run(_DELETE_REMOVED)
    from_cache = run(_TAKE_FROM_CACHE)
    to_embed = run(_ENQUEUE)
    next_revision(connection, "table_revision")
    add_to_counters(connection, **{state: -count for state, count in queued.items()})
    add_to_counters(connection, entries=new - removed, pending=to_embed, arrived_total=to_embed)
    return Applied(new=new, changed=changed, removed=removed, to_embed=to_embed, from_cache=from_cache)
