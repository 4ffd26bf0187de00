"""Vectors of a second model beside those in use, and the moment in which it becomes the one in use."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from lib.contract.settings import SettingValue
from lib.service.storage.counters import add_to_counters, next_revision
from lib.service.storage.schema import models

_WITHOUT = (
    "FROM entries e LEFT JOIN vectors v ON v.content_hash = e.content_hash AND v.fingerprint = :fingerprint WHERE v.vector_id IS NULL"
)
_LIST = f"SELECT e.entry_id, e.content_hash, e.text {_WITHOUT} AND e.entry_id > :after ORDER BY e.entry_id LIMIT :limit"
#: Entries in the queue are left there: a worker of the new model settles them, from the cache where it can.
_SWITCH = """
INSERT INTO embeddings (entry_id, content_hash, fingerprint, revision, embedded_at)
SELECT e.entry_id, e.content_hash, :fingerprint, :revision, :now FROM entries e
JOIN vectors v ON v.content_hash = e.content_hash AND v.fingerprint = :fingerprint
WHERE NOT EXISTS (SELECT 1 FROM items i WHERE i.entry_id = e.entry_id)
ON CONFLICT (entry_id) DO UPDATE SET content_hash = excluded.content_hash, fingerprint = excluded.fingerprint,
  revision = excluded.revision, embedded_at = excluded.embedded_at, embedded_by = NULL, attempts = NULL, shortened_to = NULL
"""
_ENQUEUE = f"""
INSERT INTO items (entry_id, content_hash, state, priority, attempts, enqueued_at, available_at, due_at)
SELECT e.entry_id, e.content_hash, 'pending', 0, 0, :now, :now, :now {_WITHOUT}
  AND NOT EXISTS (SELECT 1 FROM items i WHERE i.entry_id = e.entry_id)
"""  # noqa: S608 - put together from our own words


def count_without(connection: Connection, fingerprint: str) -> int:
    """Entries whose text has no vector of this model yet."""
    return int(connection.execute(sa.text(f"SELECT COUNT(*) {_WITHOUT}"), {"fingerprint": fingerprint}).scalar_one())


def list_without(connection: Connection, fingerprint: str, *, after: int, limit: int) -> list[sa.Row[Any]]:
    """(entry_id, content_hash, text) of such entries after an id."""
    parameters = {"fingerprint": fingerprint, "after": after, "limit": limit}
    return list(connection.execute(sa.text(_LIST), parameters).all())


def switch_model(connection: Connection, *, fingerprint: str, now: datetime) -> int:
    """From here on every entry's vector is the one of this model; what has none waits in the queue. Answers how many wait."""
    values = {"fingerprint": fingerprint, "revision": next_revision(connection), "now": now.timestamp()}
    connection.execute(sa.text(_SWITCH), values)
    added = connection.execute(sa.text(_ENQUEUE), values).rowcount
    add_to_counters(connection, pending=added, arrived_total=added)
    return added


def note_model(connection: Connection, fingerprint: str, settings: dict[str, SettingValue], *, now: datetime) -> None:
    """Remember how this model is opened: a generation made with it may be served after the settings have moved on."""
    values = {"settings": settings, "noted_at": now}
    if not connection.execute(sa.update(models).where(models.c.fingerprint == fingerprint).values(**values)).rowcount:
        connection.execute(sa.insert(models).values(fingerprint=fingerprint, **values))


def find_model(connection: Connection, fingerprint: str) -> dict[str, SettingValue] | None:
    """How this model is opened; None when nobody has changed the model since it was chosen."""
    found: dict[str, SettingValue] | None = connection.execute(
        sa.select(models.c.settings).where(models.c.fingerprint == fingerprint)
    ).scalar_one_or_none()
    return found
