"""Embedding workers: claim a batch, embed it, settle it."""

from __future__ import annotations

import time
from collections import Counter, deque
from datetime import timedelta
from uuid import uuid4

import structlog
from sqlalchemy.exc import OperationalError

from lib.contract.model import utc_now
from lib.contract.queue import CAUSES
from lib.contract.states import Actual, Desired
from lib.service.batches import Outcome, embed_batch
from lib.service.config import Config
from lib.service.embedders import ChosenEmbedder, Embedder, EmbedderUnusable, EmbeddingFailed
from lib.service.errors import is_disk_full
from lib.service.heart import Heart
from lib.service.storage import items
from lib.service.storage import workers as rows
from lib.service.storage.counters import get_counters, next_revision
from lib.service.storage.database import Database
from lib.service.storage.items import ClaimedItem
from lib.service.storage.paces import add_pace
from lib.service.storage.runs import end_run
from lib.service.storage.settings import get_setting
from lib.service.storage.workers import count_capacity

log = structlog.get_logger("workers")

IDLE_SECONDS = 0.5
RATE_WINDOW_SECONDS = 60.0
#: A retryable failure waits this long, doubled with each attempt, before the item may be claimed again.
BACKOFF_SECONDS = 2.0
BACKOFF_MAX_SECONDS = 300.0
#: An embedder in trouble is left alone this long, doubled each time, unless it says itself how long.
REST_SECONDS = 1.0
REST_MAX_SECONDS = 30.0
STORE_AGAIN_SECONDS = 3.0
WHY_NOT_STORED = {True: "the disk is full", False: "the database does not answer"}


class EmbeddingWorker:
    """The loop of one embedding worker."""

    def __init__(self, database: Database, config: Config, heart: Heart) -> None:
        self._database, self._heart = database, heart
        self._embedder = ChosenEmbedder(config)
        self._troubles, self._rests_until, self._resting = 0, 0.0, ""  # of the embedder: how many in a row, until when it rests, and why
        self._lease_id: str | None = None  # of the batch in hand
        self._lease_seconds = 60.0
        self._settled: deque[tuple[float, int]] = deque()  # when, and how many rows, in the last minute
        self._batches = 0  # since nothing was left to take
        self._last_pace: tuple[int, float] | None = None  # rows and seconds of the batch before, from claim to stored

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
        if self._lease_id:  # a drain may begin, and be called off, while the batch is in hand
            self._heart.say_actual(Actual.DRAINING if self._heart.desired is Desired.DRAINING else Actual.BUSY)
        if lease_id := self._lease_id:
            with self._database.write() as connection:
                items.renew_lease(connection, lease_id=lease_id, expires_at=utc_now().timestamp() + self._lease_seconds)

    def _turn(self) -> bool:
        """One batch; False when there was nothing to do."""
        embedder = self.open_embedder() if self._may_work() else None
        if embedder is None:
            return False
        began = time.monotonic()
        lease_id, batch = self._claim(embedder.fingerprint)
        if not batch:
            self._heart.say(Actual.IDLE)
            self._batches = 0
            return False
        self._work_on(lease_id, batch, embedder)
        self._keep_pace(batch, time.monotonic() - began)
        return True

    def _may_work(self) -> bool:
        """Whether people, jobs and the embedder let a batch be taken; who does not is said."""
        desired = self._heart.hear()
        if desired is not Desired.RUNNING:
            self._heart.say(Actual.PAUSED if desired is Desired.PAUSED else Actual.DRAINED)
        elif self._heart.is_held():
            self._heart.say(Actual.PAUSED, "standing still for a job")
        elif time.monotonic() < self._rests_until:
            self._heart.say(Actual.IDLE, self._resting)
        else:
            return True
        return False

    def _work_on(self, lease_id: str, batch: list[ClaimedItem], embedder: Embedder) -> None:
        self._lease_id = lease_id
        self._batches += 1
        log.info("batch_taken", rows=len(batch), lease=lease_id[:8])
        try:
            self._heart.say(Actual.BUSY, f"embedding {len(batch):,} rows, {self._count_batches(len(batch))}", holding=len(batch))
            self._embed(lease_id, batch, embedder)
        finally:
            self._lease_id = None

    def _count_batches(self, size: int) -> str:
        """Which batch of how many: those that wait are shared with whoever else works."""
        with self._database.read() as connection:
            pending = get_counters(connection)["pending"]
            others = max(1, count_capacity(connection, utc_now().timestamp()))
        left = -(-pending // (size * others))
        return f"batch {self._batches:,} of about {self._batches + left:,}"

    def _keep_pace(self, batch: list[ClaimedItem], seconds: float) -> None:
        """How long it took, unless vectors were at hand for some: then it says nothing of the next."""
        if not any(item.cached for item in batch):
            self._last_pace = (len(batch), seconds)
            self._heart.busy_rate_per_second = len(batch) / max(seconds, 0.001)

    def open_embedder(self) -> Embedder | None:
        """The embedder the settings choose now; None, and why is said, when it cannot be opened."""
        try:
            with self._database.read() as connection:
                embedder = self._embedder.get(connection)
        except EmbedderUnusable as error:
            self._heart.say(Actual.IDLE, f"cannot embed: {error}")
            return None
        self._heart.say_embedder(embedder.name)
        return embedder

    def _claim(self, fingerprint: str) -> tuple[str, list[ClaimedItem]]:
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
                fingerprint=fingerprint,
                limit=int(get_setting(connection, "embedding.batch_size")),
                now=now,
                lease_seconds=self._lease_seconds,
            )

    def _embed(self, lease_id: str, batch: list[ClaimedItem], embedder: Embedder) -> None:
        outcome = embed_batch(embedder, batch)
        if outcome.failed:
            self._put_aside(lease_id, outcome.failed)
        self._settle(lease_id, outcome, embedder)
        self._rest(outcome.trouble)

    def _put_aside(self, lease_id: str, failed: list[tuple[ClaimedItem, EmbeddingFailed]]) -> None:
        """Each failed row waits for its next attempt, or fails for good."""
        now = utc_now().timestamp()
        with self._database.write() as connection:
            max_attempts = int(get_setting(connection, "embedding.max_attempts"))
            final, again = [], []
            for item, failure in failed:
                told = (item.entry_id, failure.cause, failure.detail)
                if failure.retryable and item.attempts < max_attempts:
                    again.append((*told, now + max(_backoff(item.attempts), failure.retry_after_seconds or 0.0)))
                else:
                    final.append(told)
            items.fail_items(connection, lease_id=lease_id, failed=final, now=now)
            items.return_items(connection, lease_id=lease_id, returned=again, now=now)
            rows.note_failure(connection, worker_id=self._heart.worker_id, cause=failed[-1][1].cause, now=utc_now())
        for cause, count in Counter(failure.cause for _, failure in failed).items():
            detail = next(failure.detail for _, failure in failed if failure.cause is cause)
            log.warning("embedding_failed", cause=cause, rows=count, detail=detail)

    def _rest(self, trouble: EmbeddingFailed | None) -> None:
        """When the embedder itself is in trouble, the next batch would only spend its rows' attempts: wait, longer each time."""
        if trouble is None:
            self._troubles = 0
            return
        self._troubles += 1
        seconds = trouble.retry_after_seconds or min(REST_MAX_SECONDS, REST_SECONDS * 2 ** (self._troubles - 1))
        self._rests_until = time.monotonic() + seconds
        at = (utc_now() + timedelta(seconds=seconds)).strftime("%H:%M:%S UTC")
        self._resting = f"waits until {at}: {CAUSES[trouble.cause][0].rstrip('.').lower()}"

    def _settle(self, lease_id: str, outcome: Outcome, embedder: Embedder) -> None:
        """Store the batch. On a full disk it is held on to until there is space: no more rows are taken, no attempt is spent."""
        while True:
            try:
                return self._write_settled(lease_id, outcome, embedder)
            except OperationalError as error:
                log.error("batch_not_stored", rows=len(outcome.good), error=str(error))
                self._heart.say(Actual.BUSY, f"waiting to store {len(outcome.good):,} rows: {WHY_NOT_STORED[is_disk_full(error)]}")
                if self._heart.gone.wait(STORE_AGAIN_SECONDS):
                    raise

    def _write_settled(self, lease_id: str, outcome: Outcome, embedder: Embedder) -> None:
        with self._database.write() as connection:
            revision = next_revision(connection)
            items.store_vectors(connection, embedder.fingerprint, outcome.vectors)
            anew = {item.content_hash for item in outcome.good if item.anew}
            made = [vector for vector in outcome.vectors if vector[0] in anew]
            items.replace_vectors(connection, embedder.fingerprint, made, revision=revision)
            settled = items.settle_items(
                connection,
                lease_id=lease_id,
                hashes={item.entry_id: item.content_hash for item in outcome.good},
                fingerprint=embedder.fingerprint,
                revision=revision,
                now=utc_now().timestamp(),
            )
            rows.add_processed(connection, worker_id=self._heart.worker_id, processed=settled, failed=len(outcome.failed))
            if self._last_pace:
                add_pace(connection, fingerprint=embedder.fingerprint, rows=self._last_pace[0], seconds=self._last_pace[1])
                self._last_pace = None
            counts = get_counters(connection)
            if not counts["pending"] + counts["leased"]:
                end_run(connection, utc_now().timestamp())
        self._settled.append((time.monotonic(), settled))
        log.info("batch_stored", rows=settled, failed=len(outcome.failed), lease=lease_id[:8])

    def _rate(self) -> float | None:
        now = time.monotonic()
        while self._settled and self._settled[0][0] < now - RATE_WINDOW_SECONDS:
            self._settled.popleft()
        if not self._settled:
            return 0.0
        span = max(1.0, now - self._settled[0][0])
        return sum(count for _, count in self._settled) / span


def _backoff(attempts: int) -> float:
    return float(min(BACKOFF_MAX_SECONDS, BACKOFF_SECONDS * 2 ** (attempts - 1)))
