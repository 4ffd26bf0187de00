"""Drawing the sample of a rehearsal, and reading what it is made of. Nothing here writes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy import Connection

from lib.contract.states import Change
from lib.service.storage.schema import entries, plan_rows, vectors

_AT_ONCE = 500


def list_entry_ids(connection: Connection) -> NDArray[np.int64]:
    """The ids of the whole table, in order."""
    found = connection.execute(sa.select(entries.c.entry_id).order_by(entries.c.entry_id)).scalars()
    return np.fromiter(found, np.int64)


@dataclass(frozen=True)
class Touched:
    """Every row that applying a plan would touch, in the order of the sheet. ``entry_ids``: 0 for rows that are new."""

    positions: NDArray[np.int64]
    entry_ids: NDArray[np.int64]
    removed: NDArray[np.bool_]


def list_touched(connection: Connection, plan_id: str, *, with_removals: bool) -> Touched:
    """What applying the plan would touch."""
    changes = [Change.NEW, Change.CHANGED, *([Change.REMOVED] if with_removals else [])]
    query = sa.select(plan_rows.c.position, plan_rows.c.entry_id, plan_rows.c.change).where(
        plan_rows.c.plan_id == plan_id, plan_rows.c.ticked, plan_rows.c.change.in_(changes)
    )
    rows = connection.execute(query.order_by(plan_rows.c.position))
    found = np.array([(row.position, row.entry_id or 0, row.change == Change.REMOVED) for row in rows], np.int64).reshape(-1, 3)
    return Touched(found[:, 0].copy(), found[:, 1].copy(), found[:, 2].astype(bool))


def positions_of(connection: Connection, plan_id: str, keys: Iterable[str]) -> list[int]:
    """The places in the plan of those of the keys that it names."""
    mine = sa.select(plan_rows.c.position).where(plan_rows.c.plan_id == plan_id)
    return [found for part in _parts(sorted(set(keys))) for found in connection.execute(mine.where(plan_rows.c.key.in_(part))).scalars()]


def entry_ids_of(connection: Connection, keys: Iterable[str]) -> list[int]:
    """The ids of those of the keys that the table has."""
    found: list[int] = []
    for part in _parts(sorted(set(keys))):
        found += connection.execute(sa.select(entries.c.entry_id).where(entries.c.key.in_(part))).scalars()
    return sorted(found)


def texts_of_entries(connection: Connection, entry_ids: Sequence[int]) -> dict[int, sa.Row[Any]]:
    """Entry id → (key, text, content_hash)."""
    query: sa.Select[Any] = sa.select(entries.c.entry_id, entries.c.key, entries.c.text, entries.c.content_hash)
    rows = [row for part in _parts(entry_ids) for row in connection.execute(query.where(entries.c.entry_id.in_(part)))]
    return {row.entry_id: row for row in rows}


def texts_of_plan_rows(connection: Connection, plan_id: str, positions: Sequence[int]) -> dict[int, sa.Row[Any]]:
    """Position in the plan → (key, text, content_hash)."""
    query: sa.Select[Any] = sa.select(plan_rows.c.position, plan_rows.c.key, plan_rows.c.text, plan_rows.c.content_hash)
    mine = query.where(plan_rows.c.plan_id == plan_id)
    rows = [row for part in _parts(positions) for row in connection.execute(mine.where(plan_rows.c.position.in_(part)))]
    return {row.position: row for row in rows}


def known_vectors(connection: Connection, fingerprint: str, hashes: Iterable[bytes]) -> dict[bytes, bytes]:
    """Content hash → the vector of this model, of those texts that have one."""
    query = sa.select(vectors.c.content_hash, vectors.c.vector).where(vectors.c.fingerprint == fingerprint)
    rows = [row for part in _parts(sorted(set(hashes))) for row in connection.execute(query.where(vectors.c.content_hash.in_(part)))]
    return {bytes(row.content_hash): row.vector for row in rows}


def _parts(whole: Sequence[Any]) -> list[list[Any]]:
    return [list(whole[start : start + _AT_ONCE]) for start in range(0, len(whole), _AT_ONCE)]
