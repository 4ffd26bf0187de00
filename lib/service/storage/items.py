"""The queue's rows: claim, renew, settle, fail, lapse. Every change keeps the counters in the same transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from lib.contract.states import FailureCause
from lib.contract.trace import EventKind
from lib.service.storage import item_events
from lib.service.storage import schema as table
from lib.service.storage.counters import add_to_counters, count_items

#: How much earlier one priority makes an item's turn; the whole of starvation-free.
PRIORITY_SECONDS = 3600.0
_PAGE = 500


@dataclass(frozen=True, slots=True)
class ClaimedItem:
    """One item in a worker's hand. ``cached``: its vector exists and nothing need be embedded. ``anew``: that one is replaced."""

    entry_id: int
    content_hash: bytes
    text: str
    attempts: int
    cached: bool
    anew: bool = False


_CLAIM = (
    "UPDATE items SET state = 'leased', lease_id = :lease_id, leased_by = :worker_id, lease_expires_at = :expires_at, "
    "attempts = attempts + 1 WHERE entry_id IN ("
    "  SELECT entry_id FROM items WHERE state = 'pending' AND due_at <= :now AND available_at <= :now"
    "  ORDER BY due_at, entry_id LIMIT :limit{skip_locked})"
)
_CLAIMED = sa.text(
    "SELECT i.entry_id, i.content_hash, i.attempts, "
    "CASE WHEN i.shorten_to IS NULL THEN e.text ELSE SUBSTR(e.text, 1, i.shorten_to) END AS text, "
    "v.content_hash IS NOT NULL AND NOT i.anew AS cached, i.anew "
    "FROM items i JOIN entries e ON e.entry_id = i.entry_id "
    "LEFT JOIN vectors v ON v.content_hash = i.content_hash AND v.fingerprint = :fingerprint "
    "WHERE i.lease_id = :lease_id ORDER BY i.entry_id"
)


def claim_items(
    connection: Connection, *, lease_id: str, worker_id: str, fingerprint: str, limit: int, now: float, lease_seconds: float
) -> list[ClaimedItem]:
    """Lease up to ``limit`` pending items to ``worker_id``, in the order of their turns.

    A turn is the moment an item became available, less ``PRIORITY_SECONDS`` for each priority: what is put first goes
    before what came up to so much earlier, and whatever waits longer than that is overtaken by nobody.
    """
    skip_locked = " FOR UPDATE SKIP LOCKED" if connection.dialect.name == "postgresql" else ""
    claim = sa.text(_CLAIM.format(skip_locked=skip_locked))
    parameters = {"lease_id": lease_id, "worker_id": worker_id, "expires_at": now + lease_seconds, "now": now, "limit": limit}
    claimed = connection.execute(claim, parameters).rowcount
    add_to_counters(connection, pending=-claimed, leased=claimed)
    if not claimed:
        return []
    rows = connection.execute(_CLAIMED, {"lease_id": lease_id, "fingerprint": fingerprint})
    return [ClaimedItem(row.entry_id, bytes(row.content_hash), row.text, row.attempts, bool(row.cached), bool(row.anew)) for row in rows]


def renew_lease(connection: Connection, *, lease_id: str, expires_at: float) -> int:
    """Keep a lease alive; answers how many items it still holds."""
    statement = sa.text("UPDATE items SET lease_expires_at = :expires_at WHERE lease_id = :lease_id")
    return connection.execute(statement, {"lease_id": lease_id, "expires_at": expires_at}).rowcount


def store_vectors(connection: Connection, fingerprint: str, vectors: Iterable[tuple[bytes, bytes]]) -> None:
    """Keep (content hash, float32 bytes) for good: an unchanged text is never embedded again."""
    rows = [(content_hash, fingerprint, vector) for content_hash, vector in vectors]
    if rows:
        mark = "?" if connection.dialect.name == "sqlite" else "%s"
        connection.exec_driver_sql(
            f"INSERT INTO vectors (content_hash, fingerprint, vector) VALUES ({mark}, {mark}, {mark}) "  # noqa: S608 - marks only
            "ON CONFLICT (content_hash, fingerprint) DO NOTHING",
            rows,
        )


def replace_vectors(connection: Connection, fingerprint: str, vectors: Sequence[tuple[bytes, bytes]], *, revision: int) -> None:
    """Put newly made vectors in place of those known by the same hash; every entry of that text changes with ``revision``."""
    for start in range(0, len(vectors), _PAGE):
        page = vectors[start : start + _PAGE]
        connection.execute(
            sa.update(table.vectors)
            .where(table.vectors.c.content_hash == sa.bindparam("of"), table.vectors.c.fingerprint == fingerprint)
            .values(vector=sa.bindparam("made")),
            [{"of": content_hash, "made": vector} for content_hash, vector in page],
        )
        same_text = table.embeddings.c.content_hash.in_([content_hash for content_hash, _ in page])
        connection.execute(
            sa.update(table.embeddings).where(table.embeddings.c.fingerprint == fingerprint, same_text).values(revision=revision)
        )


def settle_items(connection: Connection, *, lease_id: str, hashes: dict[int, bytes], fingerprint: str, revision: int, now: float) -> int:
    """Take the embedded items out of the queue and say that their entries' vectors are current; answers how many.

    Only items still under this lease count: an item whose text changed meanwhile was enqueued anew without it, so a
    late result of an old text is dropped here (its vector stays in the cache and does no harm).
    """
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    found = connection.execute(
        sa.text("SELECT entry_id, leased_by, attempts, shorten_to FROM items WHERE lease_id = :id"), {"id": lease_id}
    )
    held = {row.entry_id: row for row in found}
    done = [held[entry_id] for entry_id in hashes if entry_id in held]
    if not done:
        return 0
    connection.exec_driver_sql(f"DELETE FROM items WHERE entry_id = {mark}", [(item.entry_id,) for item in done])  # noqa: S608
    names = "entry_id, content_hash, fingerprint, revision, embedded_at, embedded_by, attempts, shortened_to"
    connection.exec_driver_sql(
        f"INSERT INTO embeddings ({names}) VALUES ({', '.join([mark] * 8)}) "  # noqa: S608
        "ON CONFLICT (entry_id) DO UPDATE SET content_hash = excluded.content_hash, fingerprint = excluded.fingerprint, "
        "revision = excluded.revision, embedded_at = excluded.embedded_at, embedded_by = excluded.embedded_by, "
        "attempts = excluded.attempts, shortened_to = excluded.shortened_to",
        [
            (item.entry_id, hashes[item.entry_id], fingerprint, revision, now, item.leased_by, item.attempts, item.shorten_to)
            for item in done
        ],
    )
    add_to_counters(connection, leased=-len(done), embedded_total=len(done))
    return len(done)


def fail_items(connection: Connection, *, lease_id: str, failed: Sequence[tuple[int, FailureCause, str]], now: float) -> int:
    """Take (entry id, cause, error) out of a lease as failed; answers how many of them it still held."""
    _remember(connection, EventKind.FAILED, lease_id, failed, now)
    statement = sa.text(
        "UPDATE items SET state = 'failed', lease_id = NULL, lease_expires_at = NULL, cause = :cause, error = :error, "
        "failed_at = :at WHERE entry_id = :entry_id AND lease_id = :lease_id"
    )
    done = 0
    for cause in dict.fromkeys(cause for _, cause, _ in failed):
        count = _each(connection, statement, lease_id, [(*each, now) for each in failed if each[1] is cause])
        count_items(connection, "failed", cause, count)
        done += count
    add_to_counters(connection, leased=-done)
    return done


def return_items(connection: Connection, *, lease_id: str, returned: Sequence[tuple[int, FailureCause, str, float]], now: float) -> int:
    """Put (entry id, cause, error, available at) back with the reason the attempt failed; answers how many the lease still held."""
    _remember(connection, EventKind.ATTEMPT_FAILED, lease_id, [each[:3] for each in returned], now)
    statement = sa.text(
        "UPDATE items SET state = 'pending', lease_id = NULL, leased_by = NULL, lease_expires_at = NULL, cause = :cause, "  # noqa: S608
        f"error = :error, available_at = :at, due_at = :at - {PRIORITY_SECONDS} * priority "
        "WHERE entry_id = :entry_id AND lease_id = :lease_id"
    )
    done = _each(connection, statement, lease_id, returned)
    add_to_counters(connection, leased=-done, pending=done)
    return done


def _each(connection: Connection, statement: sa.TextClause, lease_id: str, rows: Sequence[tuple[int, FailureCause, str, float]]) -> int:
    parameters = [
        {"entry_id": entry_id, "cause": cause.value, "error": error[:2000], "at": at, "lease_id": lease_id}
        for entry_id, cause, error, at in rows
    ]
    return connection.execute(statement, parameters).rowcount if parameters else 0


def _remember(connection: Connection, kind: EventKind, lease_id: str, told: Sequence[tuple[int, FailureCause, str]], now: float) -> None:
    """The trail of attempts that failed, of those of them the lease still holds."""
    if not told:
        return
    found = connection.execute(sa.text("SELECT entry_id, leased_by, attempts FROM items WHERE lease_id = :id"), {"id": lease_id})
    held = {row.entry_id: row for row in found}
    item_events.add_events(
        connection,
        [
            (entry_id, now, kind.value, held[entry_id].leased_by, held[entry_id].attempts, cause.value, error[:2000], None)
            for entry_id, cause, error in told
            if entry_id in held
        ],
    )


def release_lapsed(connection: Connection, *, now: float, max_attempts: int, of_worker: str | None = None) -> tuple[int, int]:
    """Items whose lease ran out (or all of ``of_worker``'s) go back, or fail as ``worker_lost``; answers (returned, failed)."""
    # "lease_id IS NOT NULL" is what the partial index of leases answers.
    lapsed = "lease_id IS NOT NULL AND " + ("leased_by = :worker" if of_worker else "lease_expires_at < :now")
    lost = FailureCause.WORKER_LOST.value
    parameters: dict[str, Any] = {"now": now, "worker": of_worker, "max_attempts": max_attempts, "lost": lost}
    if connection.execute(sa.text(f"SELECT 1 FROM items WHERE {lapsed} LIMIT 1"), parameters).first() is None:  # noqa: S608
        return 0, 0
    connection.execute(
        sa.text(
            "INSERT INTO item_events (entry_id, at, kind, actor, attempt, cause) "  # noqa: S608
            f"SELECT entry_id, :now, '{EventKind.LAPSED}', leased_by, attempts, :lost FROM items WHERE {lapsed}"
        ),
        parameters,
    )
    failed = connection.execute(
        sa.text(
            "UPDATE items SET state = 'failed', lease_id = NULL, lease_expires_at = NULL, cause = :lost, "  # noqa: S608
            "error = 'The worker ' || leased_by || ' fell silent while it held this row.', failed_at = :now "
            f"WHERE {lapsed} AND attempts >= :max_attempts"
        ),
        parameters,
    ).rowcount
    returned = connection.execute(
        sa.text(
            "UPDATE items SET state = 'pending', lease_id = NULL, leased_by = NULL, lease_expires_at = NULL "  # noqa: S608
            f"WHERE {lapsed}"
        ),
        parameters,
    ).rowcount
    add_to_counters(connection, leased=-(failed + returned), pending=returned)
    count_items(connection, "failed", lost, failed)
    return returned, failed


def give_back(connection: Connection, *, worker_id: str) -> int:
    """What a worker holds goes back to the queue, and the attempt does not count: it was not given the time; answers how many."""
    statement = sa.text(
        "UPDATE items SET state = 'pending', lease_id = NULL, leased_by = NULL, lease_expires_at = NULL, attempts = attempts - 1 "
        "WHERE lease_id IS NOT NULL AND leased_by = :worker"
    )
    returned = connection.execute(statement, {"worker": worker_id}).rowcount
    add_to_counters(connection, leased=-returned, pending=returned)
    return returned


def has_lapsed(connection: Connection, now: float) -> bool:
    """Whether some lease has run out."""
    statement = sa.text("SELECT 1 FROM items WHERE lease_id IS NOT NULL AND lease_expires_at < :now LIMIT 1")
    return connection.execute(statement, {"now": now}).first() is not None


def oldest_pending_at(connection: Connection) -> float | None:
    """When the item that waits longest was enqueued; None when none waits."""
    found: float | None = connection.execute(sa.text("SELECT MIN(enqueued_at) FROM items WHERE state = 'pending'")).scalar_one()
    return found
