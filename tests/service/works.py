"""What stands in for the worker processes: jobs are performed and items embedded here, now, when the test says so."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import nullcontext

import numpy as np
import sqlalchemy as sa

from lib.contract.states import FailureCause, WorkerRole
from lib.service.config import Config
from lib.service.embedders import EmbeddingFailed
from lib.service.heart import Heart
from lib.service.operations.performers import PERFORMERS
from lib.service.operations.runner import Runner
from lib.service.storage.database import Database
from lib.service.storage.schema import jobs
from lib.service.workers import EmbeddingWorker

DIMENSION = 16


class FakeEmbedder:
    """Texts that share words get vectors that are near. Keeps what it was asked; fails where it is told to."""

    name, fingerprint, dimension, batch_texts = "fake-16", "f" * 16, DIMENSION, 8192

    def __init__(self) -> None:
        self.embedded: list[str] = []
        self.failures: dict[str, EmbeddingFailed] = {}
        self.before: Callable[[], None] = lambda: None

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        self.before()
        for position, text in enumerate(texts):
            if failure := self.failures.get(text):
                raise EmbeddingFailed(failure.cause, failure.detail, retryable=failure.retryable, position=position)
        self.embedded += texts
        rows = np.asarray([sum((_direction(word) for word in text.lower().split()), _direction("") / 100) for text in texts])
        return np.ascontiguousarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)

    def fail(self, text: str, cause: FailureCause = FailureCause.UNEXPECTED, *, retryable: bool = False) -> None:
        self.failures[text] = EmbeddingFailed(cause, f"{text!r} would not do", retryable=retryable)


def _direction(word: str) -> np.ndarray:
    seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "big")
    vector = np.random.default_rng(seed).normal(size=DIMENSION)
    return vector / np.linalg.norm(vector)


class QuietHeart(Heart):
    """Takes its place and hears what people want, but beats only when told to."""

    def _live(self) -> None:
        return


class Works:
    """One operations worker and any number of embedding workers, by hand."""

    def __init__(self, database: Database, config: Config, embedder: FakeEmbedder) -> None:
        self.database, self.config, self.embedder = database, config, embedder
        self.operations = dict(PERFORMERS)

    def runner(self, worker_id: str = "operations-1") -> Runner:
        return Runner(
            self.database,
            self.config,
            worker_id=worker_id,
            operations=self.operations,
            wait_until_wanted=lambda _: None,
            doing=lambda _: nullcontext(),
            checkpoint=lambda _name, function, *arguments: function(*arguments),
        )

    def perform(self, job_id: str) -> None:
        self.runner().perform_job(job_id)

    def perform_all(self) -> None:
        """Every queued job, oldest first, until none is left."""
        while job_id := self._oldest_queued():
            self.perform(job_id)

    def _oldest_queued(self) -> str | None:
        with self.database.read() as connection:
            query = sa.select(jobs.c.job_id).where(jobs.c.state == "queued").order_by(jobs.c.seq).limit(1)
            return connection.execute(query).scalar_one_or_none()

    def heart(self, worker_id: str = "embedding-1", role: WorkerRole = WorkerRole.EMBEDDING) -> QuietHeart:
        heart = QuietHeart(self.database, worker_id=worker_id, role=role)
        heart.start()
        return heart

    def worker(self, worker_id: str = "embedding-1") -> EmbeddingWorker:
        return EmbeddingWorker(self.database, self.config, self.heart(worker_id))

    def embed(self, worker_id: str = "embedding-1") -> list[str]:
        """One worker works until it finds nothing more to claim; the texts that were embedded."""
        before = len(self.embedder.embedded)
        worker = self.worker(worker_id)
        while worker._turn():
            pass
        return self.embedder.embedded[before:]
