"""Changing the table: apply a plan, take one back. Each in the caller's one transaction, queue and counters with it.

Both follow the same road: write down what was there, change the entries, then bring queue, vectors and removals in line
with the entries that were touched (``import_id`` is this job's) and those that are gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from lib.contract.states import UndoOutcome
from lib.service.storage.counters import add_to_counters, count_items, next_revision
from lib.service.storage.schema import import_changes, jobs


@dataclass(frozen=True, slots=True)
class Applied:
    """What one plan did to the table and the queue."""

    new: int
    changed: int
    removed: int
    to_embed: int
    from_cache: int


@dataclass(frozen=True, slots=True)
class Undone:
    """What one undo did to the table and the queue."""

    reversed: int
    kept: int
    to_embed: int
    from_cache: int


# Removals that were held and not approved stay in the table: with_removals is 0 then.
_REMOVED = "SELECT entry_id FROM plan_rows WHERE plan_id = :plan_id AND change = 'removed' AND ticked AND :with_removals = 1"

_REMEMBER_BEFORE = f"""
INSERT INTO import_changes (job_id, entry_id, key, change, after_hash, text, texts, fields, content_hash, record_hash, created_at)
SELECT :job_id, e.entry_id, e.key, p.change, p.record_hash, e.text, e.texts, e.fields, e.content_hash, e.record_hash, e.created_at
FROM plan_rows p JOIN entries e ON e.entry_id = p.entry_id
WHERE p.plan_id = :plan_id AND p.ticked AND (p.change = 'changed' OR p.entry_id IN ({_REMOVED}))
"""  # noqa: S608 - constants
_INSERT_NEW = """
INSERT INTO entries (key, text, texts, fields, content_hash, record_hash, import_id, created_at, updated_at)
SELECT key, text, texts, fields, content_hash, record_hash, :job_id, :now, :now
FROM plan_rows WHERE plan_id = :plan_id AND change = 'new' AND ticked ORDER BY position
"""
_UPDATE_CHANGED = """
UPDATE entries SET text = p.text, texts = p.texts, fields = p.fields, content_hash = p.content_hash,
  record_hash = p.record_hash, import_id = :job_id, updated_at = :now
FROM plan_rows p WHERE p.plan_id = :plan_id AND p.change = 'changed' AND p.ticked AND p.entry_id = entries.entry_id
"""
_REMEMBER_NEW = """
INSERT INTO import_changes (job_id, entry_id, key, change, after_hash)
SELECT :job_id, e.entry_id, e.key, 'new', e.record_hash FROM plan_rows p JOIN entries e ON e.key = p.key
WHERE p.plan_id = :plan_id AND p.change = 'new' AND p.ticked
"""


def apply_plan(connection: Connection, *, plan_id: str, job_id: str, with_removals: bool, fingerprint: str, now: datetime) -> Applied:
    """Write the plan's rows into the table and the queue, and keep what they replace."""
    values = _values(connection, job_id, fingerprint, now) | {"plan_id": plan_id, "with_removals": int(with_removals)}
    _run(connection, _REMEMBER_BEFORE, values)
    new = _run(connection, _INSERT_NEW, values)
    changed = _run(connection, _UPDATE_CHANGED, values)
    _run(connection, _REMEMBER_NEW, values)
    removed, to_embed, from_cache = _bring_in_line(connection, values, gone=_REMOVED)
    add_to_counters(connection, entries=new)
    return Applied(new=new, changed=changed, removed=removed, to_embed=to_embed, from_cache=from_cache)


#: What an undo would do with each row: an entry that is still as the import left it goes back, any other is kept.
_OUTCOME = """
CASE WHEN c.change = 'removed' THEN
  CASE WHEN EXISTS (SELECT 1 FROM entries e WHERE e.key = c.key OR e.entry_id = c.entry_id) THEN 'kept' ELSE 'reversed' END
ELSE
  CASE WHEN EXISTS (SELECT 1 FROM entries e WHERE e.entry_id = c.entry_id AND e.record_hash = c.after_hash) THEN 'reversed' ELSE 'kept' END
END
"""
_DECIDE = f"UPDATE import_changes AS c SET outcome = {_OUTCOME} WHERE c.job_id = :import_job_id"  # noqa: S608
_REVERSED = "FROM import_changes WHERE job_id = :import_job_id AND outcome = 'reversed'"
_ADDED_BY_IMPORT = f"SELECT entry_id {_REVERSED} AND change = 'new'"
_PUT_BACK_CHANGED = f"""
UPDATE entries SET text = c.text, texts = c.texts, fields = c.fields, content_hash = c.content_hash,
  record_hash = c.record_hash, import_id = :job_id, updated_at = :now
FROM (SELECT * {_REVERSED} AND change = 'changed') c WHERE c.entry_id = entries.entry_id
"""  # noqa: S608
_PUT_BACK_REMOVED = f"""
INSERT INTO entries (entry_id, key, text, texts, fields, content_hash, record_hash, import_id, created_at, updated_at)
SELECT entry_id, key, text, texts, fields, content_hash, record_hash, :job_id, created_at, :now {_REVERSED} AND change = 'removed'
"""


def undo_import(connection: Connection, *, import_job_id: str, job_id: str, fingerprint: str, now: datetime) -> Undone:
    """Put back what the import changed, where nobody has changed it since. Vectors come from the cache."""
    values = _values(connection, job_id, fingerprint, now) | {"import_job_id": import_job_id}
    rows = _run(connection, _DECIDE, values)
    reversed_rows = int(connection.execute(sa.text(f"SELECT COUNT(*) {_REVERSED}"), values).scalar_one())
    _run(connection, _PUT_BACK_CHANGED, values)
    returned = _run(connection, _PUT_BACK_REMOVED, values)
    _, to_embed, from_cache = _bring_in_line(connection, values, gone=_ADDED_BY_IMPORT)
    add_to_counters(connection, entries=returned)
    return Undone(reversed=reversed_rows, kept=rows - reversed_rows, to_embed=to_embed, from_cache=from_cache)


def count_undo(connection: Connection, import_job_id: str) -> dict[str, int]:
    """How many rows an undo would do what with, or, once it is done, has done what with."""
    statement = f"SELECT outcome, COUNT(*) AS n FROM ({_OUTCOMES}) d GROUP BY outcome"  # noqa: S608
    return {row.outcome: row.n for row in connection.execute(sa.text(statement), {"import_job_id": import_job_id})}


_OUTCOMES = (
    f"SELECT c.entry_id, c.key, c.change, COALESCE(c.outcome, {_OUTCOME}) AS outcome FROM import_changes c WHERE c.job_id = :import_job_id"  # noqa: S608
)


def list_undo_rows(connection: Connection, import_job_id: str, *, outcome: UndoOutcome | None, after: int, limit: int) -> list[sa.Row[Any]]:
    """(entry_id, key, change, outcome) in the order of entry ids; only those of one outcome if it is given."""
    wanted = " AND outcome = :outcome" if outcome else ""
    statement = f"SELECT * FROM ({_OUTCOMES}) d WHERE entry_id > :after{wanted} ORDER BY entry_id LIMIT :limit"  # noqa: S608
    values = {"import_job_id": import_job_id, "outcome": outcome, "after": after, "limit": limit}
    return list(connection.execute(sa.text(statement), values).all())


#: What imports and undos that were not over at that moment have written or removed.
_MOVED = """
SELECT key FROM (
  SELECT e.key FROM entries e JOIN jobs j ON e.import_id = j.job_id
  WHERE j.operation IN ('import', 'undo') AND (j.finished_at IS NULL OR j.finished_at >= :since)
  UNION ALL
  SELECT c.key FROM import_changes c JOIN jobs j ON c.job_id = j.job_id
  WHERE c.change = 'removed' AND j.operation = 'import' AND (j.finished_at IS NULL OR j.finished_at >= :since)
) m
"""


def list_moved_keys(connection: Connection, *, since: datetime, limit: int) -> tuple[int, list[str]]:
    """How many entries imports and undos have touched since, and some of their keys."""
    values = {"since": since.timestamp(), "limit": limit}
    count = int(connection.execute(sa.text(f"SELECT COUNT(*) FROM ({_MOVED}) n"), values).scalar_one())  # noqa: S608 - a constant
    return count, list(connection.execute(sa.text(f"{_MOVED} ORDER BY key LIMIT :limit"), values).scalars())


def forget_changes_before(connection: Connection, before: datetime) -> None:
    """Drop what imports that ended before then replaced: they can no longer be undone."""
    ended = sa.select(jobs.c.job_id).where(jobs.c.finished_at < before)
    connection.execute(sa.delete(import_changes).where(import_changes.c.job_id.in_(ended)))


# --- the common half -------------------------------------------------------------------------------------------------

# Of the entries that were touched, what is in the queue for their old text; who waits to have the same text embedded again goes on waiting.
_TOUCHED = (
    "SELECT e.entry_id FROM entries e JOIN items i ON i.entry_id = e.entry_id "
    "WHERE e.import_id = :job_id AND NOT (i.anew AND i.content_hash = e.content_hash)"
)
_COUNT_QUEUED = "SELECT state, cause, COUNT(*) AS n FROM items WHERE entry_id IN ({touched} UNION ALL {gone}) GROUP BY state, cause"
_DEQUEUE = "DELETE FROM items WHERE entry_id IN ({touched} UNION ALL {gone})"
# What never had a vector is in no index, so no index has to let it go.
_REMEMBER_REMOVALS = (
    "INSERT INTO removals (entry_id, revision) SELECT g.entry_id, :revision FROM ({gone}) g "
    "JOIN embeddings m ON m.entry_id = g.entry_id WHERE true "
    "ON CONFLICT (entry_id) DO UPDATE SET revision = excluded.revision"
)
_DELETE_GONE = "DELETE FROM entries WHERE entry_id IN ({gone})"
_TAKE_FROM_CACHE = """
INSERT INTO embeddings (entry_id, content_hash, fingerprint, revision, embedded_at)
SELECT e.entry_id, e.content_hash, v.fingerprint, :revision, :now FROM entries e
JOIN vectors v ON v.content_hash = e.content_hash AND v.fingerprint = :fingerprint
LEFT JOIN embeddings m ON m.entry_id = e.entry_id
WHERE e.import_id = :job_id AND (m.entry_id IS NULL OR m.content_hash <> e.content_hash OR m.fingerprint <> v.fingerprint)
ON CONFLICT (entry_id) DO UPDATE SET content_hash = excluded.content_hash, fingerprint = excluded.fingerprint,
  revision = excluded.revision, embedded_at = excluded.embedded_at, embedded_by = NULL, attempts = NULL, shortened_to = NULL
"""
_ENQUEUE = """
INSERT INTO items (entry_id, content_hash, state, priority, attempts, enqueued_at, available_at, due_at)
SELECT e.entry_id, e.content_hash, 'pending', 0, 0, :now, :now, :now FROM entries e
LEFT JOIN embeddings m ON m.entry_id = e.entry_id AND m.content_hash = e.content_hash AND m.fingerprint = :fingerprint
WHERE e.import_id = :job_id AND m.entry_id IS NULL AND NOT EXISTS (SELECT 1 FROM items i WHERE i.entry_id = e.entry_id)
ORDER BY e.entry_id
"""


def _values(connection: Connection, job_id: str, fingerprint: str, now: datetime) -> dict[str, Any]:
    return {"job_id": job_id, "fingerprint": fingerprint, "revision": next_revision(connection), "now": now.timestamp()}


def _run(connection: Connection, statement: str, values: dict[str, Any]) -> int:
    return connection.execute(sa.text(statement), values).rowcount


def _bring_in_line(connection: Connection, values: dict[str, Any], *, gone: str) -> tuple[int, int, int]:
    """Queue, vectors and removals after the entries; answers (entries removed, items enqueued, vectors from the cache)."""
    parts = {"touched": _TOUCHED, "gone": gone}
    queued = connection.execute(sa.text(_COUNT_QUEUED.format(**parts)), values).all()
    _run(connection, _DEQUEUE.format(**parts), values)
    _run(connection, _REMEMBER_REMOVALS.format(**parts), values)
    removed = _run(connection, _DELETE_GONE.format(**parts), values)
    from_cache = _run(connection, _TAKE_FROM_CACHE, values)
    to_embed = _run(connection, _ENQUEUE, values)
    next_revision(connection, "table_revision")
    for row in queued:
        count_items(connection, row.state, row.cause, -row.n)
    add_to_counters(connection, entries=-removed, pending=to_embed, arrived_total=to_embed)
    return removed, to_embed, from_cache
