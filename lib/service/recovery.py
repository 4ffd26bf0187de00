"""Nothing stays “running” that nobody runs: take over from dead workers, end what is stuck or given up."""

from __future__ import annotations

import time
from collections.abc import Collection
from datetime import timedelta

import structlog

from lib.contract.jobs import Job
from lib.contract.model import utc_now
from lib.contract.operations import TIMEOUT_SECONDS
from lib.contract.states import JobState
from lib.service.engine import Executor
from lib.service.storage import jobs, workers
from lib.service.storage.audit import record_action
from lib.service.storage.database import Database

log = structlog.get_logger("recovery")

#: A job stops itself at its time limit; one that does not even notice is ended this much later, and fenced.
STUCK_AFTER = timedelta(minutes=2)


class Recovery:
    """Looks after jobs on behalf of one live operations worker."""

    def __init__(self, database: Database, executor: Executor, in_hand: Collection[str]) -> None:
        """``in_hand``: the jobs this process performs at any moment."""
        self._database, self._executor, self._in_hand = database, executor, in_hand
        self._suspects: set[str] = set()
        self._dropped: set[str] = set()
        self._began: dict[tuple[str, int], float] = {}

    def recover(self) -> None:
        """Called every few seconds."""
        taken = self._executor.list_taken()  # before the living: who had taken one by now was alive then
        with self._database.read() as connection:
            active = jobs.list_active_jobs(connection)
            living = workers.list_living(connection, utc_now())
        # This process is alive, even if a long transaction kept its heart from beating.
        dead = set(taken.values()) - living - {self._executor.incarnation}
        self._take_over(taken, dead)
        self._take_up_dropped(taken)
        # What was handed over this moment is not stuck, however long nobody was there to perform it.
        self._end_stuck([job for job in active if taken.get(job.job_id) not in dead])
        self._end_given_up({job.job_id: job for job in active})

    def _take_over(self, taken: dict[str, str], dead: set[str]) -> None:
        """What the dead had taken, begun or not."""
        if dead:
            log.warning("taking_over", job_ids=[job_id for job_id, incarnation in taken.items() if incarnation in dead])
            self._executor.take_over(dead)

    def _take_up_dropped(self, taken: dict[str, str]) -> None:
        """What this process took and does not perform: it was fenced, or its end could not be written. Twice in a row, as below."""
        dropped = {job_id for job_id, incarnation in taken.items() if incarnation == self._executor.incarnation} - set(self._in_hand)
        if again := dropped & self._dropped:
            log.warning("taking_up_again", job_ids=sorted(again))
            self._executor.take_up_again(again)
        self._dropped = dropped - again

    def _end_stuck(self, active: list[Job]) -> None:
        running = {(job.job_id, job.attempt): job for job in active if job.state is JobState.RUNNING and job.started_at}
        self._began = {key: self._began.get(key) or _when_begun(job) for key, job in running.items()}
        for key, job in running.items():
            limit = timedelta(seconds=TIMEOUT_SECONDS[job.operation])
            if time.monotonic() - self._began[key] > (limit + STUCK_AFTER).total_seconds():
                self._interrupt(job, f"It ran past its time limit of {limit} and no longer answered.")

    def _end_given_up(self, active: dict[str, Job]) -> None:
        over = self._executor.find_ended(active) if active else set()
        # Twice in a row: between the engine's last word and the job's own there is a moment that is not an interruption.
        for job_id in over & self._suspects:
            self._interrupt(active[job_id], "Its worker could not finish it.")
        self._suspects = over

    def _interrupt(self, job: Job, why: str) -> None:
        error = {"code": "interrupted", "detail": f"{why} Its lock is free.", "action": "Start it again."}
        with self._database.write() as connection:
            if jobs.end_job(connection, job.job_id, state=JobState.INTERRUPTED, now=utc_now(), error=error):
                jobs.add_log_line(connection, job.job_id, level="error", message=f"interrupted: {why}", now=utc_now())
                record_action(
                    connection,
                    actor=job.requested_by,
                    action=f"end_{job.operation}",
                    object_id=job.job_id,
                    after=error,
                    outcome=JobState.INTERRUPTED,
                )
        log.warning("interrupted", job_id=job.job_id, why=why)


def _when_begun(job: Job) -> float:
    """On the clock that nobody sets: its age is read off the other one once, when it is first seen."""
    age = (utc_now() - (job.started_at or utc_now())).total_seconds()
    return time.monotonic() - max(0.0, age)
