"""The two kinds of worker process, put together from their parts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lib.contract.states import Actual, Desired, WorkerRole
from lib.service.config import Config
from lib.service.heart import Heart
from lib.service.operations.memory import give_back_memory
from lib.service.storage.database import Database


class EmbeddingProcess:
    """Claims items and turns them into vectors. Carries no engine."""

    def __init__(self, config: Config, worker_id: str, parent: int | None = None) -> None:
        self._database, self._config = Database(config.url), config
        self.heart = Heart(self._database, worker_id=worker_id, role=WorkerRole.EMBEDDING, parent=parent, on_beat=self._beat)
        self._renew: Callable[[], None] = lambda: None

    def run(self) -> None:
        """Until SIGTERM, or its place or parent is gone."""
        self.heart.start()
        from lib.service.workers import EmbeddingWorker

        worker = EmbeddingWorker(self._database, self._config, self.heart)
        if worker.open_embedder():
            self.heart.say(Actual.IDLE)
        self._renew = worker.renew
        try:
            worker.run()
        finally:
            self.heart.stop()
            self._database.close()

    def _beat(self) -> None:
        self._renew()


class OperationsProcess:
    """Performs jobs by the durable engine, and keeps house."""

    def __init__(self, config: Config, worker_id: str, parent: int | None = None) -> None:
        self._config = config
        self._database = Database(config.url)
        self._in_hand: list[str] = []
        self.heart = Heart(self._database, worker_id=worker_id, role=WorkerRole.OPERATIONS, parent=parent)

    def run(self) -> None:
        """Until SIGTERM, or its place or parent is gone."""
        self.heart.start()
        from lib.service.engine import Executor, JobQueue
        from lib.service.housekeeping import Housekeeping
        from lib.service.operations.performers import PERFORMERS
        from lib.service.operations.runner import Runner

        runner = Runner(
            self._database,
            self._config,
            worker_id=self.heart.worker_id,
            operations=PERFORMERS,
            wait_until_wanted=self._wait_until_wanted,
            doing=self._in_hand_while,
            may_begin=self.heart.holds_place,
        )
        executor = Executor(self._database, incarnation=self.heart.incarnation, perform=runner.perform_job)
        executor.launch()
        self._say()
        queue = JobQueue(self._database)
        house = Housekeeping(self._database, self._config, queue, executor, in_hand=runner.in_hand)
        try:
            while not self.heart.gone.is_set():
                self._say()
                house.keep()  # at once: what a former life has left is taken over first
                self.heart.gone.wait(1.0)
        finally:
            self.heart.stop()

    def _wait_until_wanted(self, ended: Callable[[], bool]) -> None:
        """A paused operations worker begins no job; the ones it has taken from the engine wait here, still queued."""
        # When the process is about to end, a job must not begin either: it waits here for the end, and for the next life.
        while self.heart.desired is not Desired.RUNNING or self.heart.gone.is_set():
            time.sleep(0.5)
            if ended():
                return

    @contextmanager
    def _in_hand_while(self, what: str) -> Iterator[None]:
        self._in_hand.append(what)
        self._say()
        try:
            yield
        finally:
            self._in_hand.remove(what)
            self._say()
            give_back_memory()

    def _say(self) -> None:
        idle = {Desired.RUNNING: Actual.IDLE, Desired.PAUSED: Actual.PAUSED, Desired.DRAINING: Actual.DRAINED}[self.heart.desired]
        busy = Actual.DRAINING if self.heart.desired is Desired.DRAINING else Actual.BUSY
        self.heart.say(busy if self._in_hand else idle, ", ".join(self._in_hand) or None)
