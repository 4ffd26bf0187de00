"""Reading the table."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from lib.service.storage.schema import entries, items

_PAGE = 2000


def hashes_by_key(connection: Connection, keys: list[str]) -> dict[str, tuple[int, bytes]]:
    """Key → (entry_id, record hash) of those of the keys that the table has."""
    # One parameter for all of them: a statement with thousands would be put together and prepared anew each time.
    named = "SELECT value FROM json_each(:keys)"
    if connection.dialect.name == "postgresql":
        named = "SELECT value FROM json_array_elements_text(CAST(:keys AS json)) AS t(value)"
    statement = f"SELECT key, entry_id, record_hash FROM entries WHERE key IN ({named})"  # noqa: S608 - one of two constants
    rows = connection.execute(sa.text(statement), {"keys": json.dumps(keys)})
    return {row.key: (row.entry_id, bytes(row.record_hash)) for row in rows}


def list_keys(connection: Connection, *, after: int, limit: int) -> list[sa.Row[Any]]:
    """(entry_id, key) in the order in which entries were first seen, after the id ``after``."""
    query: sa.Select[Any] = (
        sa.select(entries.c.entry_id, entries.c.key).where(entries.c.entry_id > after).order_by(entries.c.entry_id).limit(limit)
    )
    return list(connection.execute(query).all())


def hash_table(connection: Connection) -> str:
    """sha256 over (entry_id, record hash) of the whole table in the order of ids: equal exactly when the tables are."""
    digest = sha256()
    rows = connection.execute(sa.select(entries.c.entry_id, entries.c.record_hash).order_by(entries.c.entry_id)).yield_per(_PAGE)
    for row in rows:
        digest.update(row.entry_id.to_bytes(8, "little") + row.record_hash)
    return digest.hexdigest()


def get_entries(connection: Connection, entry_ids: list[int]) -> dict[int, sa.Row[Any]]:
    """Entries by id; ids the table lacks are left out."""
    rows = connection.execute(sa.select(entries).where(entries.c.entry_id.in_(entry_ids)))
    return {row.entry_id: row for row in rows}


def find_by_key(connection: Connection, key: str) -> int | None:
    """The id of the entry with this key, or None."""
    found: int | None = connection.execute(sa.select(entries.c.entry_id).where(entries.c.key == key)).scalar_one_or_none()
    return found


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


def list_columns(connection: Connection) -> tuple[list[str], list[str]]:
    """The names of every text column and every field column that some entry has."""
    keys = "SELECT DISTINCT j.key FROM entries, json_each(entries.{column}) j ORDER BY j.key"
    if connection.dialect.name == "postgresql":
        keys = "SELECT DISTINCT j.key FROM entries, json_object_keys(entries.{column}) AS j(key) ORDER BY j.key"
    texts, fields = (connection.execute(sa.text(keys.format(column=column))).scalars() for column in ("texts", "fields"))
    return list(texts), list(fields)
