"""Where the table and its vectors disagree, and what checks found. The index side is compared in ``operations.drift``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy import Connection

from lib.contract.health import DriftRow, IndexCheck
from lib.contract.index import LastCheck
from lib.contract.states import DriftKind
from lib.service.storage.counters import add_to_counters
from lib.service.storage.schema import drift_rows, entries, index_checks

#: The rows behind a number are listed up to this many; the number itself is always exact.
LISTED_ROWS = 10_000
KEPT_CHECKS = 100
#: So many entries are compared by one statement: who waits hears of each block, and PostgreSQL looks into indexes for so few.
BLOCK_ROWS = 8_192

Ids = NDArray[np.int64]
#: hears how many entries were compared; what it raises ends the comparing
Progress = Callable[[int], None]

#: Entries that nothing is on its way to mend, each with the first of its troubles; an entry in the queue is in good hands. The block
#: is named for both tables: PostgreSQL does not see that what bounds one bounds the other, and would read the whole other one each time.
_TROUBLED = """
SELECT e.entry_id, CASE
    WHEN m.entry_id IS NULL OR v.content_hash IS NULL THEN 'missing_vector'
    WHEN m.content_hash <> e.content_hash THEN 'stale'
    ELSE 'wrong_model' END AS kind
FROM entries e
LEFT JOIN embeddings m ON m.entry_id = e.entry_id AND m.entry_id BETWEEN :first AND :last
LEFT JOIN vectors v ON v.content_hash = m.content_hash AND v.fingerprint = m.fingerprint
WHERE e.entry_id BETWEEN :first AND :last
  AND (m.entry_id IS NULL OR v.content_hash IS NULL OR m.content_hash <> e.content_hash OR m.fingerprint <> :fingerprint)
  AND NOT EXISTS (SELECT 1 FROM items i WHERE i.entry_id = e.entry_id)
"""
_TROUBLED_IN_ORDER = _TROUBLED + "ORDER BY e.entry_id"
_EXPECTED = """
SELECT m.entry_id FROM embeddings m
JOIN vectors v ON v.content_hash = m.content_hash AND v.fingerprint = m.fingerprint
WHERE m.fingerprint = :fingerprint AND m.revision <= :revision AND m.entry_id BETWEEN :first AND :last ORDER BY m.entry_id
"""
_LAST_ID = 2**63 - 1
_NEXT_BLOCK = "SELECT entry_id FROM entries WHERE entry_id > :last ORDER BY entry_id LIMIT :limit"
_LEAVING = "SELECT entry_id FROM removals WHERE revision > :revision"
_ENQUEUE = f"""
INSERT INTO items (entry_id, content_hash, state, priority, attempts, enqueued_at, available_at, due_at)
SELECT e.entry_id, e.content_hash, 'pending', 0, 0, :now, :now, :now FROM entries e
JOIN ({_TROUBLED}) t ON t.entry_id = e.entry_id ORDER BY e.entry_id
"""  # noqa: S608 - put together from our own words


def _ids(connection: Connection, statement: str, **parameters: Any) -> Ids:
    return np.fromiter(connection.execute(sa.text(statement), parameters).scalars(), np.int64)


def _walk(connection: Connection, on_progress: Progress) -> Iterator[Ids]:
    """The ids of all entries in order, a block at a time; the next one is told of when the last has been looked at."""
    done, last = 0, -1
    while True:
        on_progress(done)
        block = _ids(connection, _NEXT_BLOCK, last=last, limit=BLOCK_ROWS)
        if not len(block):
            return
        yield block
        done, last = done + len(block), int(block[-1])


def find_troubled(connection: Connection, fingerprint: str, on_progress: Progress = lambda _: None) -> dict[DriftKind, Ids]:
    """Table side: entry ids by trouble, each entry once."""
    kinds = (DriftKind.MISSING_VECTOR, DriftKind.STALE, DriftKind.WRONG_MODEL)
    found: dict[DriftKind, list[int]] = {kind: [] for kind in kinds}
    for block in _walk(connection, on_progress):
        parameters = {"fingerprint": fingerprint, "first": int(block[0]), "last": int(block[-1])}
        for entry_id, kind in connection.execute(sa.text(_TROUBLED_IN_ORDER), parameters):
            found[DriftKind(kind)].append(entry_id)
    return {kind: np.asarray(ids, np.int64) for kind, ids in found.items()}


def list_held(connection: Connection, *, fingerprint: str, revision: int, on_progress: Progress = lambda _: None) -> tuple[Ids, Ids]:
    """(ids that a generation of this model and revision must hold; ids it may hold: every entry, and what was removed since)."""
    must, may = [np.empty(0, np.int64)], [_ids(connection, _LEAVING, revision=revision)]
    for block in _walk(connection, on_progress):
        first, last = int(block[0]), int(block[-1])
        must.append(_ids(connection, _EXPECTED, fingerprint=fingerprint, revision=revision, first=first, last=last))
        may.append(block)
    return np.concatenate(must), np.concatenate(may)


def enqueue_troubled(connection: Connection, *, fingerprint: str, now: datetime) -> int:
    """Put every troubled entry into the queue; answers how many. A second time there are none: they wait by then."""
    parameters = {"fingerprint": fingerprint, "first": 0, "last": _LAST_ID, "now": now.timestamp()}
    added = connection.execute(sa.text(_ENQUEUE), parameters).rowcount
    add_to_counters(connection, pending=added, arrived_total=added)
    return added


def put_check(connection: Connection, check: IndexCheck, found: Mapping[DriftKind, Sequence[tuple[int, str]]]) -> None:
    """Keep a check and the rows behind its numbers; a repeated step replaces its own. Rows of older checks go."""
    connection.execute(sa.delete(drift_rows))
    connection.execute(sa.delete(index_checks).where(index_checks.c.check_id == check.check_id))
    values = {"check_id": check.check_id, "checked_at": check.checked_at, "reading": check.model_dump(mode="json")}
    connection.execute(sa.insert(index_checks).values(**values))
    for kind, ids in found.items():
        listed = ids[:LISTED_ROWS]
        keys = _keys(connection, [entry_id for entry_id, _ in listed])
        rows = [
            {"check_id": check.check_id, "kind": kind, "position": at, "entry_id": ident, "key": keys.get(ident), "detail": detail}
            for at, (ident, detail) in enumerate(listed)
        ]
        if rows:
            connection.execute(sa.insert(drift_rows), rows)
    oldest = sa.select(index_checks.c.checked_at).order_by(index_checks.c.checked_at.desc()).offset(KEPT_CHECKS).limit(1)
    if (before := connection.execute(oldest).scalar_one_or_none()) is not None:
        connection.execute(sa.delete(index_checks).where(index_checks.c.checked_at <= before))


def _keys(connection: Connection, entry_ids: Sequence[int]) -> dict[int, str]:
    keys: dict[int, str] = {}
    for start in range(0, len(entry_ids), 500):
        query = sa.select(entries.c.entry_id, entries.c.key).where(entries.c.entry_id.in_(entry_ids[start : start + 500]))
        keys |= {row.entry_id: row.key for row in connection.execute(query)}
    return keys


def latest_check(connection: Connection) -> IndexCheck | None:
    """The newest check, or None."""
    query = sa.select(index_checks.c.reading).order_by(index_checks.c.checked_at.desc()).limit(1)
    reading = connection.execute(query).scalar_one_or_none()
    return IndexCheck.model_validate(reading) if reading else None


def latest_look(connection: Connection) -> IndexCheck | None:
    """The newest check that looked at the vectors, or None."""
    query = sa.select(index_checks.c.reading).order_by(index_checks.c.checked_at.desc())
    return next((IndexCheck.model_validate(reading) for reading in connection.execute(query).scalars() if reading["vectors"]), None)


def last_check(connection: Connection) -> LastCheck | None:
    """What the newest check came to, in short."""
    check = latest_check(connection)
    if check is None:
        return None
    sheet = check.drift.sheet
    return LastCheck(
        checked_at=check.checked_at,
        generation=check.generation,
        disagree=check.drift.total,
        sheet_name=sheet.source_name if sheet else None,
        sheet_records=sheet.records if sheet else None,
        sheet_read_at=sheet.read_at if sheet else None,
        sheet_differences=sheet.differences if sheet else None,
    )


def list_drift_rows(connection: Connection, check_id: str, kind: DriftKind, *, after: int, limit: int) -> list[tuple[int, DriftRow]]:
    """(position, row) behind one number of a check, after a position."""
    query = (
        sa.select(drift_rows)
        .where(drift_rows.c.check_id == check_id, drift_rows.c.kind == kind, drift_rows.c.position > after)
        .order_by(drift_rows.c.position)
        .limit(limit)
    )
    return [(row.position, DriftRow(entry_id=row.entry_id, key=row.key, detail=row.detail)) for row in connection.execute(query)]


def count_drift_rows(connection: Connection, check_id: str, kind: DriftKind) -> int:
    """How many rows are listed behind one number."""
    query = sa.select(sa.func.count()).select_from(drift_rows).where(drift_rows.c.check_id == check_id, drift_rows.c.kind == kind)
    return int(connection.execute(query).scalar_one())


def keys_of(connection: Connection, entry_ids: Sequence[int]) -> dict[int, str]:
    """Entry id → key; ids the table lacks are left out."""
    return _keys(connection, list(entry_ids))
