"""Vectors that are current, and what changed since a revision: all the index needs to know of the table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy import Connection

from lib.service.storage.schema import embeddings, entries

#: Rows per batch handed to the index: 8,192 × 256 floats are 8 MiB.
BATCH_ROWS = 8192

Batch = tuple[NDArray[np.int64], NDArray[np.float32]]

_CURRENT = (
    "SELECT m.entry_id, v.vector FROM embeddings m "
    "JOIN vectors v ON v.content_hash = m.content_hash AND v.fingerprint = m.fingerprint "
    "WHERE m.fingerprint = :fingerprint AND m.revision <= :upto AND m.entry_id > :last "
    "ORDER BY m.entry_id LIMIT :limit"
)

_CHANGED = (
    "SELECT m.entry_id, v.vector, m.revision FROM embeddings m "
    "JOIN vectors v ON v.content_hash = m.content_hash AND v.fingerprint = m.fingerprint "
    "WHERE m.fingerprint = :fingerprint AND (m.revision, m.entry_id) > (:after, :last) AND m.revision <= :upto "
    "ORDER BY m.revision, m.entry_id LIMIT :limit"
)

_CHOSEN = (
    "SELECT m.entry_id, v.vector FROM embeddings m "
    "JOIN vectors v ON v.content_hash = m.content_hash AND v.fingerprint = m.fingerprint "
    "WHERE m.fingerprint = :fingerprint AND m.entry_id IN :ids"
)
_CHOSEN_ROWS = 500


def count_changes(connection: Connection, *, after: int) -> int:
    """Embeddings and removals newer than revision ``after``: what a generation of that revision lacks. 0: there is no generation."""
    statement = sa.text(
        "SELECT (SELECT COUNT(*) FROM embeddings WHERE revision > :after)"
        " + (SELECT COUNT(*) FROM removals WHERE revision > :after AND :after > 0)"  # where there is no index, nothing must leave it
    )
    return int(connection.execute(statement, {"after": after}).scalar_one())


def count_embeddings(connection: Connection, fingerprint: str) -> int:
    """Entries that have a vector of this model."""
    statement = sa.text("SELECT COUNT(*) FROM embeddings WHERE fingerprint = :fingerprint")
    return int(connection.execute(statement, {"fingerprint": fingerprint}).scalar_one())


def has_embeddings(connection: Connection) -> bool:
    """Whether any entry has a vector, of whatever model: one look-up, however many there are."""
    return connection.execute(sa.text("SELECT 1 FROM embeddings LIMIT 1")).first() is not None


def has_removals(connection: Connection) -> bool:
    """Whether any entry was removed that a generation on disk may still hold."""
    return connection.execute(sa.text("SELECT 1 FROM removals LIMIT 1")).first() is not None


def stream_embeddings(connection: Connection, *, fingerprint: str, upto: int) -> Iterator[Batch]:
    """(ids, vectors) of every entry embedded not after a revision, in the order of ids."""
    return _stream(connection, _CURRENT, {"fingerprint": fingerprint, "upto": upto, "last": -1}, {"last": "entry_id"})


def stream_changes(connection: Connection, *, fingerprint: str, after: int, upto: int) -> Iterator[Batch]:
    """(ids, vectors) of every entry embedded after one revision and not after another, in the order of revisions.

    It looks at what changed only, where the order of ids would have the whole table walked through.
    """
    parameters = {"fingerprint": fingerprint, "after": after + 1, "upto": upto, "last": -1}
    return _stream(connection, _CHANGED, parameters, {"after": "revision", "last": "entry_id"})


def _stream(connection: Connection, statement: str, parameters: dict[str, Any], cursor: dict[str, str]) -> Iterator[Batch]:
    """A batch at a time; ``cursor``: which parameters come from which columns of the row before."""
    while True:
        rows = connection.execute(sa.text(statement), parameters | {"limit": BATCH_ROWS}).all()
        if rows:
            ids = np.fromiter((row[0] for row in rows), np.int64, len(rows))  # by number: a name costs more than the vector
            yield ids, np.frombuffer(b"".join(row[1] for row in rows), dtype="<f4").reshape(len(rows), -1)
        if len(rows) < BATCH_ROWS:
            return
        parameters |= {name: getattr(rows[-1], column) for name, column in cursor.items()}


def list_embedded(connection: Connection, fingerprint: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(ids, revisions) of every entry that has a vector of this model, in the order of ids."""
    statement = sa.text("SELECT entry_id, revision FROM embeddings WHERE fingerprint = :fingerprint ORDER BY entry_id")
    rows = connection.execute(statement, {"fingerprint": fingerprint})
    pair: Any = np.dtype((np.int64, 2))
    pairs = np.fromiter((tuple(row) for row in rows), pair)  # one at a time: a list of millions weighs as much as their vectors
    return pairs[:, 0].copy(), pairs[:, 1].copy()


def vectors_of(connection: Connection, fingerprint: str, entry_ids: NDArray[np.int64]) -> Batch:
    """(ids, vectors) of those of the entries that have a vector of this model, in the order of ids."""
    ids: list[int] = []
    found: list[bytes] = []
    query = sa.text(_CHOSEN).bindparams(sa.bindparam("ids", expanding=True))
    for start in range(0, len(entry_ids), _CHOSEN_ROWS):
        chosen = entry_ids[start : start + _CHOSEN_ROWS].tolist()
        for row in connection.execute(query, {"fingerprint": fingerprint, "ids": chosen}):
            ids.append(row.entry_id)
            found.append(row.vector)
    vectors = np.frombuffer(b"".join(found), "<f4").reshape(len(ids), -1) if ids else np.empty((0, 0), np.float32)
    order = np.argsort(ids)
    return np.asarray(ids, np.int64)[order], vectors[order]


def mark_changed(connection: Connection, entry_ids: NDArray[np.int64], revision: int) -> None:
    """Have the next refresh take up these entries' vectors, whatever a generation of an earlier revision says it has."""
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    statement = f"UPDATE embeddings SET revision = {mark} WHERE entry_id = {mark}"  # noqa: S608 - marks only
    if len(entry_ids):
        connection.exec_driver_sql(statement, [(revision, entry_id) for entry_id in entry_ids.tolist()])


def mark_removed(connection: Connection, entry_ids: NDArray[np.int64], revision: int) -> None:
    """Have the next refresh let go of these ids."""
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    if len(entry_ids):
        connection.exec_driver_sql(
            f"INSERT INTO removals (entry_id, revision) VALUES ({mark}, {mark}) "  # noqa: S608 - marks only
            "ON CONFLICT (entry_id) DO UPDATE SET revision = excluded.revision",
            [(entry_id, revision) for entry_id in entry_ids.tolist()],
        )


def list_removals(connection: Connection, *, after: int, upto: int) -> NDArray[np.int64]:
    """Ids of entries removed after one revision and not after another."""
    statement = sa.text("SELECT entry_id FROM removals WHERE revision > :after AND revision <= :upto")
    return np.array(connection.execute(statement, {"after": after, "upto": upto}).scalars().all(), dtype=np.int64)


def forget_removals(connection: Connection, *, upto: int) -> None:
    """Drop removals that no generation one can still go back to has left to make."""
    connection.execute(sa.text("DELETE FROM removals WHERE revision <= :upto"), {"upto": upto})


def current_embeddings(connection: Connection, entry_ids: list[int]) -> dict[int, Any]:
    """(revision, embedded_at) of those of the entries whose vector is of their present text."""
    query = (
        sa.select(embeddings.c.entry_id, embeddings.c.revision, embeddings.c.embedded_at)
        .join(entries, (entries.c.entry_id == embeddings.c.entry_id) & (entries.c.content_hash == embeddings.c.content_hash))
        .where(embeddings.c.entry_id.in_(entry_ids))
    )
    return {row.entry_id: row for row in connection.execute(query)}


def last_fingerprint(connection: Connection) -> str:
    """Of the embedder that embedded last; empty when nothing was embedded yet."""
    found = connection.execute(sa.text("SELECT fingerprint FROM embeddings ORDER BY revision DESC LIMIT 1")).scalar_one_or_none()
    return str(found or "")
