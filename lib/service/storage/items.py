"""The queue's rows: claim, renew, settle, fail, lapse, retry, discard. Every change keeps the counters in the same transaction."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from lib.contract.states import FailureCause, ItemState
from lib.service.storage.counters import add_to_counters


@dataclass(frozen=True, slots=True)
class ClaimedItem:
    """One item in a worker's hand. ``cached`` means its vector exists already and nothing need be embedded."""

    entry_id: int
    content_hash: bytes
    text: str
    attempts: int
    cached: bool


_CLAIM = (
    "UPDATE items SET state = 'leased', lease_id = :lease_id, leased_by = :worker_id, lease_expires_at = :expires_at, "
    "attempts = attempts + 1 WHERE entry_id IN ("
    "  SELECT entry_id FROM items WHERE state = 'pending' AND available_at <= :now"
    "  ORDER BY priority DESC, entry_id LIMIT :limit{skip_locked})"
)
_CLAIMED = sa.text(
    "SELECT i.entry_id, i.content_hash, e.text, i.attempts, v.content_hash IS NOT NULL AS cached "
    "FROM items i JOIN entries e ON e.entry_id = i.entry_id "
    "LEFT JOIN vectors v ON v.content_hash = i.content_hash AND v.fingerprint = :fingerprint "
    "WHERE i.lease_id = :lease_id ORDER BY i.entry_id"
)


def claim_items(
    connection: Connection, *, lease_id: str, worker_id: str, fingerprint: str, limit: int, now: float, lease_seconds: float
) -> list[ClaimedItem]:
    """Lease up to ``limit`` pending items to ``worker_id``, those of the highest priority and lowest id first."""
    skip_locked = " FOR UPDATE SKIP LOCKED" if connection.dialect.name == "postgresql" else ""
    claim = sa.text(_CLAIM.format(skip_locked=skip_locked))
    parameters = {"lease_id": lease_id, "worker_id": worker_id, "expires_at": now + lease_seconds, "now": now, "limit": limit}
    claimed = connection.execute(claim, parameters).rowcount
    add_to_counters(connection, pending=-claimed, leased=claimed)
    if not claimed:
        return []
    rows = connection.execute(_CLAIMED, {"lease_id": lease_id, "fingerprint": fingerprint})
    return [ClaimedItem(row.entry_id, bytes(row.content_hash), row.text, row.attempts, bool(row.cached)) for row in rows]


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


def settle_items(connection: Connection, *, lease_id: str, hashes: dict[int, bytes], fingerprint: str, revision: int, now: float) -> int:
    """Take the embedded items out of the queue and say that their entries' vectors are current; answers how many.

    Only items still under this lease count: an item whose text changed meanwhile was enqueued anew without it, so a
    late result of an old text is dropped here (its vector stays in the cache and does no harm).
    """
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    held = {row.entry_id for row in connection.execute(sa.text("SELECT entry_id FROM items WHERE lease_id = :id"), {"id": lease_id})}
    done = [entry_id for entry_id in hashes if entry_id in held]
    if not done:
        return 0
    connection.exec_driver_sql(f"DELETE FROM items WHERE entry_id = {mark}", [(entry_id,) for entry_id in done])  # noqa: S608
    connection.exec_driver_sql(
        f"INSERT INTO embeddings (entry_id, content_hash, fingerprint, revision, embedded_at) VALUES ({', '.join([mark] * 5)}) "  # noqa: S608
        "ON CONFLICT (entry_id) DO UPDATE SET content_hash = excluded.content_hash, fingerprint = excluded.fingerprint, "
        "revision = excluded.revision, embedded_at = excluded.embedded_at",
        [(entry_id, hashes[entry_id], fingerprint, revision, now) for entry_id in done],
    )
    add_to_counters(connection, leased=-len(done), embedded_total=len(done))
    return len(done)


def fail_items(connection: Connection, *, lease_id: str, failed: Iterable[tuple[int, FailureCause, str]], now: float) -> int:
    """Take (entry id, cause, error) out of a lease as failed; answers how many of them it still held."""
    statement = sa.text(
        "UPDATE items SET state = 'failed', lease_id = NULL, lease_expires_at = NULL, cause = :cause, error = :error, "
        "failed_at = :at WHERE entry_id = :entry_id AND lease_id = :lease_id"
    )
    done = _each(connection, statement, lease_id, ((*each, now) for each in failed))
    add_to_counters(connection, leased=-done, failed=done)
    return done


def return_items(connection: Connection, *, lease_id: str, returned: Iterable[tuple[int, FailureCause, str, float]]) -> int:
    """Put (entry id, cause, error, available at) back with the reason the attempt failed; answers how many the lease still held."""
    statement = sa.text(
        "UPDATE items SET state = 'pending', lease_id = NULL, leased_by = NULL, lease_expires_at = NULL, cause = :cause, "
        "error = :error, available_at = :at WHERE entry_id = :entry_id AND lease_id = :lease_id"
    )
    done = _each(connection, statement, lease_id, returned)
    add_to_counters(connection, leased=-done, pending=done)
    return done


def _each(connection: Connection, statement: sa.TextClause, lease_id: str, rows: Iterable[tuple[int, FailureCause, str, float]]) -> int:
    parameters = [
        {"entry_id": entry_id, "cause": cause.value, "error": error[:2000], "at": at, "lease_id": lease_id}
        for entry_id, cause, error, at in rows
    ]
    return connection.execute(statement, parameters).rowcount if parameters else 0


def release_lapsed(connection: Connection, *, now: float, max_attempts: int, of_worker: str | None = None) -> tuple[int, int]:
    """Items whose lease ran out (or all of ``of_worker``'s) go back, or fail as ``worker_lost``; answers (returned, failed)."""
    # "lease_id IS NOT NULL" is what the partial index of leases answers.
    lapsed = "lease_id IS NOT NULL AND " + ("leased_by = :worker" if of_worker else "lease_expires_at < :now")
    lost = FailureCause.WORKER_LOST.value
    parameters: dict[str, Any] = {"now": now, "worker": of_worker, "max_attempts": max_attempts, "lost": lost}
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
            "UPDATE items SET state = 'pending', lease_id = NULL, leased_by = NULL, lease_expires_at = NULL, "  # noqa: S608
            f"available_at = :now WHERE {lapsed}"
        ),
        parameters,
    ).rowcount
    add_to_counters(connection, leased=-(failed + returned), failed=failed, pending=returned)
    return returned, failed


def _selected(entry_ids: Sequence[int] | None, cause: str | None, parameters: dict[str, Any], dialect: str) -> str:
    wanted = ""
    if entry_ids is not None:
        parameters["ids"] = json.dumps(list(entry_ids))
        each = "json_each(:ids)" if dialect == "sqlite" else "json_array_elements_text(CAST(:ids AS json))"
        listed = f"SELECT CAST(value AS BIGINT) FROM {each}"  # noqa: S608 - one of two names
        wanted += f" AND entry_id IN ({listed})"
    if cause is not None:
        parameters["cause"] = cause
        wanted += " AND cause = :cause"
    return wanted


def retry_failed(connection: Connection, *, entry_ids: Sequence[int] | None, cause: str | None, now: float) -> int:
    """Failed items of the selection wait again with fresh attempts, and discarded ones that are named; answers how many."""
    done = _move(connection, ItemState.FAILED, ItemState.PENDING, entry_ids, cause, now)
    # "All that failed" does not mean those a person gave up on.
    return done + (_move(connection, ItemState.DISCARDED, ItemState.PENDING, entry_ids, cause, now) if entry_ids is not None else 0)


def discard_failed(connection: Connection, *, entry_ids: Sequence[int] | None, cause: str | None, now: float) -> int:
    """Failed items of the selection are given up on; answers how many."""
    return _move(connection, ItemState.FAILED, ItemState.DISCARDED, entry_ids, cause, now)


def _move(connection: Connection, from_: ItemState, to: ItemState, entry_ids: Sequence[int] | None, cause: str | None, now: float) -> int:
    parameters: dict[str, Any] = {"from": from_.value, "to": to.value, "now": now}
    wanted = _selected(entry_ids, cause, parameters, connection.dialect.name)
    statement = sa.text(
        "UPDATE items SET state = :to, attempts = 0, available_at = :now, leased_by = NULL "  # noqa: S608
        f"WHERE state = :from{wanted}"
    )
    moved = connection.execute(statement, parameters).rowcount
    add_to_counters(connection, **{from_.value: -moved, to.value: moved})
    return moved


def has_lapsed(connection: Connection, now: float) -> bool:
    """Whether some lease has run out."""
    statement = sa.text("SELECT 1 FROM items WHERE lease_id IS NOT NULL AND lease_expires_at < :now LIMIT 1")
    return connection.execute(statement, {"now": now}).first() is not None


def oldest_pending_at(connection: Connection) -> float | None:
    """When the item that waits longest was enqueued; None when none waits."""
    found: float | None = connection.execute(sa.text("SELECT MIN(enqueued_at) FROM items WHERE state = 'pending'")).scalar_one()
    return found


_FAILURES = (
    "SELECT i.entry_id, e.key, i.cause, i.error, i.attempts, i.leased_by, i.failed_at FROM items i "
    "JOIN entries e ON e.entry_id = i.entry_id WHERE i.state = 'failed'"
)


def list_failed(
    connection: Connection, *, cause: str | None, before: tuple[float, int] | None, limit: int
) -> tuple[list[sa.Row[Any]], int]:
    """Failed items, newest first, after the (failed_at, entry_id) of ``before``; and how many there are of the cause."""
    parameters: dict[str, Any] = {"limit": limit, "cause": cause}
    of_cause = " AND i.cause = :cause" if cause else ""
    page = ""
    if before:
        parameters |= {"at": before[0], "id": before[1]}
        page = " AND (i.failed_at < :at OR (i.failed_at = :at AND i.entry_id > :id))"
    rows = connection.execute(sa.text(f"{_FAILURES}{of_cause}{page} ORDER BY i.failed_at DESC, i.entry_id LIMIT :limit"), parameters).all()
    total = connection.execute(sa.text(f"SELECT COUNT(*) FROM items i WHERE i.state = 'failed'{of_cause}"), parameters).scalar_one()  # noqa: S608
    return list(rows), int(total)
