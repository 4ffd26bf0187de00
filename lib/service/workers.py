"""Embedding workers: claim a batch, embed it, settle it. And what people may ask of any worker."""

from __future__ import annotations

import time
from collections import deque
from uuid import uuid4

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from lib.contract.errors import ErrorCode
from lib.contract.model import utc_now
from lib.contract.operations import Gate
from lib.contract.states import Actual, Desired, FailureCause, WorkerRole
from lib.contract.workers import Worker, WorkersReading, WorkerWish
from lib.service import gate
from lib.service.embedders import Embedder, EmbeddingFailed
from lib.service.errors import GateRefused, ServiceError, is_disk_full
from lib.service.heart import Heart
from lib.service.storage import items
from lib.service.storage import workers as rows
from lib.service.storage.audit import record_action
from lib.service.storage.counters import next_revision
from lib.service.storage.database import Database
from lib.service.storage.items import ClaimedItem
from lib.service.storage.settings import get_setting

log = structlog.get_logger("workers")

IDLE_SECONDS = 0.5
RATE_WINDOW_SECONDS = 60.0
#: A retryable failure waits this long, doubled with each attempt, before the item may be claimed again.
BACKOFF_SECONDS = 2.0
BACKOFF_MAX_SECONDS = 300.0
STORE_AGAIN_SECONDS = 3.0
WHY_NOT_STORED = {True: "the disk is full", False: "the database does not answer"}


class EmbeddingWorker:
    """The loop of one embedding worker."""

    def __init__(self, database: Database, embedder: Embedder, heart: Heart) -> None:
        self._database, self._embedder, self._heart = database, embedder, heart
        self._lease_id: str | None = None
        self._lease_seconds = 60.0
        self._settled: deque[tuple[float, int]] = deque()

    def run(self) -> None:
        """Work until the heart says it is over. What a former life of this worker held is free again at once."""
        with self._database.write() as connection:
            max_attempts = int(get_setting(connection, "embedding.max_attempts"))
            items.release_lapsed(connection, now=utc_now().timestamp(), max_attempts=max_attempts, of_worker=self._heart.worker_id)
        while not self._heart.gone.is_set():
            try:
                if not self._turn():
                    self._heart.gone.wait(IDLE_SECONDS)
            except OperationalError as error:
                # A full disk or a vanished database: nothing is lost, the lease lapses; say so and try again.
                log.error("database_unavailable", error=str(error))
                self._heart.gone.wait(5)

    def renew(self) -> None:
        """Called with each heartbeat: the batch in hand is still being worked on."""
        self._heart.rate_per_second = self._rate()
        if lease_id := self._lease_id:
            with self._database.write() as connection:
                items.renew_lease(connection, lease_id=lease_id, expires_at=utc_now().timestamp() + self._lease_seconds)

    def _turn(self) -> bool:
        """One batch; False when there was nothing to do."""
        desired = self._heart.hear()
        if desired is not Desired.RUNNING:
            self._heart.say(Actual.PAUSED if desired is Desired.PAUSED else Actual.DRAINED)
            return False
        if self._heart.is_held():
            self._heart.say(Actual.PAUSED, "standing still for a job")
            return False
        lease_id, batch = self._claim()
        if not batch:
            self._heart.say(Actual.IDLE)
            return False
        self._lease_id = lease_id
        try:
            self._heart.say(Actual.BUSY, f"embedding {len(batch):,} rows")
            self._embed(lease_id, batch)
        finally:
            self._lease_id = None
        return True

    def _claim(self) -> tuple[str, list[ClaimedItem]]:
        lease_id, now = uuid4().hex, utc_now().timestamp()
        with self._database.read() as connection:  # an idle worker takes the writer's lock from nobody
            if items.oldest_pending_at(connection) is None and not items.has_lapsed(connection, now):
                return lease_id, []
        with self._database.write() as connection:
            max_attempts = int(get_setting(connection, "embedding.max_attempts"))
            items.release_lapsed(connection, now=now, max_attempts=max_attempts)
            self._lease_seconds = float(get_setting(connection, "embedding.lease_seconds"))
            return lease_id, items.claim_items(
                connection,
                lease_id=lease_id,
                worker_id=self._heart.worker_id,
                fingerprint=self._embedder.fingerprint,
                limit=int(get_setting(connection, "embedding.batch_size")),
                now=now,
                lease_seconds=self._lease_seconds,
            )

    def _embed(self, lease_id: str, batch: list[ClaimedItem]) -> None:
        todo = [item for item in batch if not item.cached]
        good = [item for item in batch if item.cached]
        vectors: list[tuple[bytes, bytes]] = []
        while todo:
            try:
                embedded = self._embedder.embed([item.text for item in todo])
            except EmbeddingFailed as failure:
                todo = self._give_up(lease_id, todo, failure)
                continue
            except Exception as error:  # noqa: BLE001 - an embedder's own bug must not stop the worker
                todo = self._give_up(lease_id, todo, unexpected_failure(error))
                continue
            vectors = [(item.content_hash, row.tobytes()) for item, row in zip(todo, embedded, strict=True)]
            good += todo
            break
        self._settle(lease_id, good, vectors, failed=len(batch) - len(good))

    def _give_up(self, lease_id: str, todo: list[ClaimedItem], failure: EmbeddingFailed) -> list[ClaimedItem]:
        """Put aside the text that is to blame, or the whole batch when none is; answers what is still worth trying."""
        blamed = todo if failure.position is None else [todo[failure.position]]
        now = utc_now().timestamp()
        with self._database.write() as connection:
            max_attempts = int(get_setting(connection, "embedding.max_attempts"))
            for item in blamed:
                if failure.retryable and item.attempts < max_attempts:
                    wait = min(BACKOFF_MAX_SECONDS, BACKOFF_SECONDS * 2 ** (item.attempts - 1))
                    items.retry_item(
                        connection,
                        lease_id=lease_id,
                        entry_id=item.entry_id,
                        cause=failure.cause,
                        error=failure.detail,
                        available_at=now + wait,
                    )
                else:
                    items.fail_item(
                        connection, lease_id=lease_id, entry_id=item.entry_id, cause=failure.cause, error=failure.detail, now=now
                    )
        log.warning("embedding_failed", cause=failure.cause, rows=len(blamed), detail=failure.detail)
        put_aside = {item.entry_id for item in blamed}
        return [item for item in todo if item.entry_id not in put_aside]

    def _settle(self, lease_id: str, good: list[ClaimedItem], vectors: list[tuple[bytes, bytes]], *, failed: int) -> None:
        """Store the batch. On a full disk it is held on to until there is space: no more rows are taken, no attempt is spent."""
        while True:
            try:
                return self._write_settled(lease_id, good, vectors, failed=failed)
            except OperationalError as error:
                log.error("batch_not_stored", rows=len(good), error=str(error))
                self._heart.say(Actual.BUSY, f"waiting to store {len(good):,} rows: {WHY_NOT_STORED[is_disk_full(error)]}")
                if self._heart.gone.wait(STORE_AGAIN_SECONDS):
                    raise

    def _write_settled(self, lease_id: str, good: list[ClaimedItem], vectors: list[tuple[bytes, bytes]], *, failed: int) -> None:
        with self._database.write() as connection:
            items.store_vectors(connection, self._embedder.fingerprint, vectors)
            settled = items.settle_items(
                connection,
                lease_id=lease_id,
                hashes={item.entry_id: item.content_hash for item in good},
                fingerprint=self._embedder.fingerprint,
                revision=next_revision(connection),
                now=utc_now().timestamp(),
            )
            rows.add_processed(connection, worker_id=self._heart.worker_id, processed=settled, failed=failed)
        self._settled.append((time.monotonic(), settled))

    def _rate(self) -> float | None:
        now = time.monotonic()
        while self._settled and self._settled[0][0] < now - RATE_WINDOW_SECONDS:
            self._settled.popleft()
        if not self._settled:
            return 0.0
        span = max(1.0, now - self._settled[0][0])
        return sum(count for _, count in self._settled) / span


def unexpected_failure(error: Exception) -> EmbeddingFailed:
    """Any other error of an embedder, as a cause people can read."""
    return EmbeddingFailed(FailureCause.UNEXPECTED, f"{type(error).__name__}: {error}", retryable=True)


def read_workers(connection: Connection) -> WorkersReading:
    """All workers at this moment."""
    now = utc_now()
    return WorkersReading(workers=rows.list_workers(connection, now), taken_at=now)


def list_workers(database: Database) -> WorkersReading:
    """See :func:`read_workers`."""
    with database.read() as connection:
        return read_workers(connection)


_VERBS = {Desired.PAUSED: "pause_worker", Desired.RUNNING: "resume_worker", Desired.DRAINING: "drain_worker"}


def set_desired(database: Database, worker_id: str, desired: Desired, wish: WorkerWish, *, actor: str, request_id: str) -> Worker:
    """What a person wants of one worker; 409 when it is so already or has changed since it was shown, 404 when there is none."""
    with database.write() as connection:
        worker = _find(connection, worker_id)
        decision = gate.decide_wish(worker, desired, expected=wish.expected)
        _set(connection, worker, desired, decision, reason=wish.reason, actor=actor, request_id=request_id)
        worker = _find(connection, worker_id)
    if not decision.allowed:
        raise GateRefused(decision)
    return worker


def set_desired_of_all(database: Database, desired: Desired, wish: WorkerWish, *, actor: str, request_id: str) -> WorkersReading:
    """What a person wants of every embedding worker; those it is so of already are left as they are."""
    with database.write() as connection:
        for worker in rows.list_workers(connection, utc_now()):
            decision = gate.decide_wish(worker, desired)
            if worker.role is WorkerRole.EMBEDDING and decision.allowed:
                _set(connection, worker, desired, decision, reason=wish.reason, actor=actor, request_id=request_id)
        return read_workers(connection)


def _find(connection: Connection, worker_id: str) -> Worker:
    for worker in rows.list_workers(connection, utc_now()):
        if worker.worker_id == worker_id:
            return worker
    raise ServiceError(ErrorCode.NOT_FOUND, f"No worker is called {worker_id}.")


def _set(connection: Connection, worker: Worker, desired: Desired, decision: Gate, *, reason: str, actor: str, request_id: str) -> None:
    if decision.allowed:
        rows.set_desired(connection, worker.worker_id, desired=desired, by=actor, reason=reason, now=utc_now())
    record_action(
        connection,
        actor=actor,
        action=_VERBS[desired],
        object_id=worker.worker_id,
        before={"desired": worker.desired},
        after={"desired": desired, "reason": reason},
        outcome="done" if decision.allowed else f"refused: {decision.reason_code}",
        request_id=request_id,
    )
