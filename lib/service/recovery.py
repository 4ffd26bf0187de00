"""Nothing stays “running” that nobody runs: take over from dead workers, end what is stuck or given up."""

from __future__ import annotations

from datetime import timedelta

import structlog

from lib.contract.jobs import Job
from lib.contract.model import utc_now
from lib.contract.operations import TIMEOUT_SECONDS
from lib.contract.states import JobState
from lib.service.engine import Executor
from lib.service.storage import jobs, workers
from lib.service.storage.database import Database

log = structlog.get_logger("recovery")

#: A job stops itself at its time limit; one that does not even notice is ended this much later, and fenced.
STUCK_AFTER = timedelta(minutes=2)


class Recovery:
    """Looks after jobs on behalf of one live operations worker."""

    def __init__(self, database: Database, executor: Executor) -> None:
        self._database, self._executor = database, executor
        self._suspects: set[str] = set()

    def recover(self) -> None:
        """Called every few seconds."""
        now = utc_now()
        with self._database.read() as connection:
            active = jobs.list_active_jobs(connection)
            dead = {worker.worker_id for worker in workers.list_workers(connection, now) if worker.stale}
        orphans = [job.job_id for job in active if job.state is JobState.RUNNING and job.worker_id in dead]
        if orphans:
            log.warning("taking_over", job_ids=orphans)
            self._executor.take_over(orphans)
        self._end_stuck(active)
        self._end_given_up(active)

    def _end_stuck(self, active: list[Job]) -> None:
        for job in active:
            limit = timedelta(seconds=TIMEOUT_SECONDS[job.operation]) + STUCK_AFTER
            if job.state is JobState.RUNNING and job.started_at and job.started_at + limit < utc_now():
                self._interrupt(job.job_id, f"It ran past its time limit of {limit - STUCK_AFTER} and no longer answered.")

    def _end_given_up(self, active: list[Job]) -> None:
        over = self._executor.find_ended(job.job_id for job in active) if active else set()
        # Twice in a row: between the engine's last word and the job's own there is a moment that is not an interruption.
        for job_id in over & self._suspects:
            self._interrupt(job_id, "Its worker could not finish it.")
        self._suspects = over

    def _interrupt(self, job_id: str, why: str) -> None:
        error = {"code": "interrupted", "detail": f"{why} Its lock is free.", "action": "Start it again."}
        with self._database.write() as connection:
            if jobs.end_job(connection, job_id, state=JobState.INTERRUPTED, now=utc_now(), error=error):
                jobs.add_log_line(connection, job_id, level="error", message=f"interrupted: {why}", now=utc_now())
        log.warning("interrupted", job_id=job_id, why=why)
