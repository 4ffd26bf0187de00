"""What an operations worker does besides jobs: keep the index fresh, take over from the dead, drop what is old."""

from __future__ import annotations

import time
from collections.abc import Collection
from datetime import timedelta

import structlog
from sqlalchemy.exc import OperationalError

from lib.contract.model import utc_now
from lib.contract.states import JobState, Operation, RefreshMode
from lib.service import gate
from lib.service.config import Config
from lib.service.credentials import recheck_changed
from lib.service.engine import Executor, JobQueue
from lib.service.errors import GateRefused
from lib.service.index.durable import FolderBusy
from lib.service.index.generations import Generations
from lib.service.index.stored import DamagedIndex
from lib.service.inspections import sweep_quarantine
from lib.service.intentions import carry_out
from lib.service.jobs import Start, start_job
from lib.service.moments import KEEP_MOMENTS
from lib.service.operations.counting import COUNTED_AT_ONCE
from lib.service.recovery import Recovery
from lib.service.rehearsals import sweep_rehearsals
from lib.service.snapshots import sweep_snapshots
from lib.service.storage import (
    audit,
    changes,
    drift,
    embeddings,
    export_plans,
    exports,
    intentions,
    item_events,
    jobs,
    moments,
    plans,
    shift,
    visits,
)
from lib.service.storage.counters import get_counters
from lib.service.storage.database import Database
from lib.service.storage.settings import get_setting
from lib.service.wishes import end_overdue_drains

log = structlog.get_logger("housekeeping")

ACTOR = "switchyard"
#: While the queue drains, a refresh may take this share of the time at most: each one writes a whole index file.
REFRESH_SHARE = 0.2
REFRESH_MIN_SECONDS = 2.0
RECOVERY_SECONDS = 3.0
RECHECK_SECONDS = 5.0
CLEANING_SECONDS = 600.0
COUNT_LOOK_SECONDS = 15.0
COUNT_EVERY = timedelta(minutes=10)  #: at the most; reading every id of a large table takes a second or two
KEEP_JOBS = timedelta(days=90)  #: and the audit of what was done
KEEP_KEYS = timedelta(days=1)
KEEP_PLANS = timedelta(days=30)
KEEP_UPLOADS = timedelta(days=2)


class Housekeeping:
    """Small duties, each at its own pace; called about once a second. Safe with several operations workers."""

    def __init__(self, database: Database, config: Config, queue: JobQueue, executor: Executor, *, in_hand: Collection[str]) -> None:
        """``in_hand``: the jobs this process performs at any moment."""
        self._database, self._config, self._queue = database, config, queue
        self._generations = Generations(config.index_dir)
        self._next_recovery, self._next_recheck, self._next_cleaning, self._next_count = 0.0, 0.0, 0.0, 0.0
        self._tidied_for: int | None = None
        self._recovery = Recovery(database, executor, in_hand)

    def keep(self) -> None:
        """Whatever is due."""
        now = time.monotonic()
        try:
            self._refresh_index()
            self._tidy_generations()
            self._count_drift()
            carry_out(self._database, self._queue)
            end_overdue_drains(self._database)
            if now >= self._next_recovery:
                self._next_recovery = now + RECOVERY_SECONDS
                self._recovery.recover()
            if now >= self._next_recheck:
                self._next_recheck = now + RECHECK_SECONDS
                recheck_changed(self._database, self._config, actor=ACTOR)
            if now >= self._next_cleaning:
                self._next_cleaning = now + CLEANING_SECONDS
                self._drop_the_old()
        except OperationalError as error:
            log.warning("housekeeping_failed", error=str(error))

    def _refresh_index(self) -> None:
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
        draining = counts["pending"] + counts["leased"] > 0
        if last and last.finished_at and last.started_at:
            took = (last.finished_at - last.started_at).total_seconds()
            pause = max(REFRESH_MIN_SECONDS, took / REFRESH_SHARE) if draining else 0.0
            if last.state is not JobState.SUCCEEDED:
                pause = max(pause, 30.0)  # what failed once fails again: try, but not without end
            if (utc_now() - last.finished_at).total_seconds() < pause:
                return
        try:
            start_job(self._database, self._queue, Start(operation=Operation.REFRESH, arguments={}, actor=ACTOR))
        except GateRefused:
            log.info("refresh_refused")

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
        served, now = self._generations.current(), time.monotonic()
        if served is None or now < self._next_count:
            return
        self._next_count = now + COUNT_LOOK_SECONDS
        with self._database.read() as connection:
            counts = get_counters(connection)
            if counts["entries"] <= COUNTED_AT_ONCE or counts["pending"] + counts["leased"] or jobs.list_active_jobs(connection):
                return
            last = drift.latest_check(connection)
        if last and (last.generation == served.generation or utc_now() - last.checked_at < COUNT_EVERY):
            return
        try:
            start_job(self._database, self._queue, Start(operation=Operation.CHECK, arguments={"deep": False}, actor=ACTOR))
        except GateRefused:
            log.info("count_refused")

    def _drop_the_old(self) -> None:
        now = utc_now()
        oldest = self._generations.previous() or self._generations.current()
        with self._database.write() as connection:
            if oldest:
                embeddings.forget_removals(connection, upto=oldest.revision)
            old_exports = exports.forget_expired(connection, now)
            export_plans.forget_old_export_plans(connection, now - KEEP_PLANS)
            old_uploads = plans.forget_old(connection, plans_before=now - KEEP_PLANS, uploads_before=now - KEEP_UPLOADS)
            changes.forget_changes_before(connection, now - gate.UNDO_FOR)  # while the jobs still say when they ended
            jobs_before = now - KEEP_JOBS
            jobs.forget_old(connection, jobs_before=jobs_before, keys_before=now - KEEP_KEYS)
            audit.forget_old(connection, jobs_before)
            shift.forget_old(connection, jobs_before)
            intentions.forget_old(connection, jobs_before)
            visits.forget_visits(connection, jobs_before)
            moments.forget_moments(connection, now - KEEP_MOMENTS)
            item_events.forget_old(connection, now.timestamp())
        sweep_snapshots(self._database, self._config)
        sweep_quarantine(self._config)
        sweep_rehearsals(self._database, self._config)
        for name in old_exports:
            (self._config.exports_dir / name).unlink(missing_ok=True)
        for upload_id in old_uploads:
            (self._config.uploads_dir / upload_id).unlink(missing_ok=True)
        self._generations.sweep()
