"""What an operations worker does besides jobs: keep the index fresh, take over from the dead, drop what is old."""

from __future__ import annotations

import time
from collections.abc import Collection
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy.exc import OperationalError

from lib.contract.jobs import Job
from lib.contract.model import utc_now
from lib.contract.states import JobState, Operation, RefreshMode
from lib.service.config import Config
from lib.service.credentials import recheck_changed
from lib.service.engine import Executor, JobQueue
from lib.service.errors import GateRefused
from lib.service.index.durable import FolderBusy
from lib.service.index.generations import Generations
from lib.service.index.stored import DamagedIndex
from lib.service.intentions import carry_out
from lib.service.jobs import Start, start_job
from lib.service.operations.counting import COUNTED_AT_ONCE
from lib.service.recovery import Recovery
from lib.service.retention import drop_the_old
from lib.service.storage import drift, embeddings, jobs
from lib.service.storage.counters import get_counters
from lib.service.storage.database import Database
from lib.service.storage.settings import get_setting
from lib.service.wishes import end_overdue_drains

log = structlog.get_logger("housekeeping")

ACTOR = "switchyard"
#: While the queue drains, a refresh may take this share of the time at most: each one writes a whole index file.
REFRESH_SHARE = 0.2
REFRESH_MIN_SECONDS = 2.0
#: What failed once fails again: it is tried again, but not without end.
REFRESH_AGAIN_SECONDS = 30.0
#: How often each of these is looked at.
RECOVERY_SECONDS = 3.0
RECHECK_SECONDS = 5.0
COUNT_LOOK_SECONDS = 15.0
CLEANING_SECONDS = 600.0
COUNT_EVERY = timedelta(minutes=10)  #: at the most; reading every id of a large table takes a second or two


class Housekeeping:
    """Small duties, each at its own pace; called about once a second. Safe with several operations workers."""

    def __init__(self, database: Database, config: Config, queue: JobQueue, executor: Executor, *, in_hand: Collection[str]) -> None:
        """``in_hand``: the jobs this process performs at any moment."""
        self._database, self._config, self._queue = database, config, queue
        self._generations = Generations(config.index_dir)
        self._due_at: dict[str, float] = {}
        self._tidied_for: int | None = None
        self._recovery = Recovery(database, executor, in_hand)

    def keep(self) -> None:
        """Whatever is due."""
        try:
            self._refresh_index()
            self._tidy_generations()
            if self._is_due("count", COUNT_LOOK_SECONDS):
                self._count_drift()
            carry_out(self._database, self._queue)
            end_overdue_drains(self._database)
            if self._is_due("recovery", RECOVERY_SECONDS):
                self._recovery.recover()
            if self._is_due("recheck", RECHECK_SECONDS):
                recheck_changed(self._database, self._config, actor=ACTOR)
            if self._is_due("cleaning", CLEANING_SECONDS):
                drop_the_old(self._database, self._config)
        except OperationalError as error:
            log.warning("housekeeping_failed", error=str(error))

    def _is_due(self, duty: str, every_seconds: float) -> bool:
        """Whether so long has passed since this duty was last due; true at the first look."""
        now = time.monotonic()
        if now < self._due_at.get(duty, 0.0):
            return False
        self._due_at[duty] = now + every_seconds
        return True

    def _start(self, operation: Operation, **arguments: Any) -> None:
        """Nobody waits for it: what the gate refuses now is due again soon."""
        try:
            start_job(self._database, self._queue, Start(operation=operation, arguments=arguments, actor=ACTOR))
        except GateRefused:
            log.info("start_refused", operation=operation)

    def _refresh_index(self) -> None:
        """Have new vectors taken into the index, where people leave that to us, nobody is at it and the last time is long enough ago."""
        if self._generations.turned_back_to() is not None:
            return  # they want the earlier answers; what has changed waits until they ask for it
        served = self._generations.current()
        revision = served.revision if served else 0
        with self._database.read() as connection:
            counts = get_counters(connection)
            if counts["revision"] <= revision or get_setting(connection, "index.refresh") != RefreshMode.AUTOMATIC:
                return
            if not embeddings.count_changes(connection, after=revision):
                return
            last = jobs.last_ended_job(connection, Operation.REFRESH)
            running = jobs.list_active_jobs(connection)
        if any(job.operation in (Operation.REFRESH, Operation.REBUILD) for job in running):
            return
        if last is None or _has_rested(last, draining=counts["pending"] + counts["leased"] > 0):
            self._start(Operation.REFRESH)

    def _tidy_generations(self) -> None:
        """Once for each new generation: no job waits for its SHA-256, nor for the disk to give up an old one."""
        served = self._generations.current()
        if served and served.generation != self._tidied_for:
            self._generations.sweep()
            try:
                self._generations.seal(served)
            except (OSError, FolderBusy) as error:
                log.warning("sealing_failed", generation=served.generation, error=str(error))
                return
            except DamagedIndex as damage:
                log.error("served_index_damaged", generation=served.generation, detail=str(damage))
            self._tidied_for = served.generation

    def _count_drift(self) -> None:
        """Have a large index counted against its table once nothing else runs; a small one is counted by the job that made it."""
        served = self._generations.current()
        if served is None:
            return
        with self._database.read() as connection:
            counts = get_counters(connection)
            if counts["entries"] <= COUNTED_AT_ONCE or counts["pending"] + counts["leased"] or jobs.list_active_jobs(connection):
                return
            last = drift.latest_check(connection)
        if last and (last.generation == served.generation or utc_now() - last.checked_at < COUNT_EVERY):
            return
        self._start(Operation.CHECK, deep=False)


def _has_rested(last: Job, *, draining: bool) -> bool:
    """Whether the index may be refreshed again so soon after this refresh."""
    if last.finished_at is None or last.started_at is None:
        return True
    took = (last.finished_at - last.started_at).total_seconds()
    pause = max(REFRESH_MIN_SECONDS, took / REFRESH_SHARE) if draining else 0.0
    if last.state is not JobState.SUCCEEDED:
        pause = max(pause, REFRESH_AGAIN_SECONDS)
    return (utc_now() - last.finished_at).total_seconds() >= pause
