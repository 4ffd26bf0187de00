"""The life of one job: begin, perform, end. Whatever happens in between, the job's lock is free afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import structlog

from lib.contract.jobs import Job, JobError, Progress
from lib.contract.model import utc_now
from lib.contract.states import JobState, Operation
from lib.service.config import Config
from lib.service.engine import Answer, run_step
from lib.service.storage import jobs as rows
from lib.service.storage.audit import record_action
from lib.service.storage.database import Database

log = structlog.get_logger("operations")

#: A job that killed its worker this often is not tried again.
MAX_ATTEMPTS = 5
#: A running job tells how far it is at least this often while it works.
PROGRESS_SECONDS = 0.5


class Cancelled(Exception):
    """Somebody asked the job to stop, and it has."""


class Fenced(Exception):
    """Another worker has taken the job over; this attempt must change nothing more."""


class OperationFailed(Exception):
    """The operation cannot be done, for a reason a person can act on."""

    def __init__(self, code: str, detail: str, action: str = "") -> None:
        super().__init__(detail)
        self.error = JobError(code=code, detail=detail, action=action)


@dataclass
class JobContext:
    """What an operation is given: its job, the database, and how to tell people what it does."""

    job: Job
    attempt: int
    database: Database
    config: Config
    _phase: str = ""
    _phase_began: float = 0.0
    _told: float = field(default=0.0, repr=False)

    def tell(self, phase: str, done: int = 0, total: int | None = None) -> None:
        """Say how far it is; raises Cancelled when somebody asked to stop. Cheap to call often: most calls write nothing."""
        now = time.monotonic()
        if phase != self._phase:
            self._phase, self._phase_began, self._told = phase, now, 0.0
        if now - self._told < PROGRESS_SECONDS and done != total:
            return
        self._told = now
        elapsed = now - self._phase_began
        rate = done / elapsed if done and elapsed > 0.2 else None
        progress = Progress(
            phase=phase,
            done=done,
            total=total,
            rate_per_second=rate,
            eta_seconds=(total - done) / rate if rate and total is not None else None,
            updated_at=utc_now(),
        )
        with self.database.write() as connection:
            cancelled = rows.update_progress(connection, self.job.job_id, attempt=self.attempt, progress=progress)
        if cancelled is None:
            raise Fenced
        if cancelled:
            raise Cancelled

    def say(self, message: str, level: str = "info") -> None:
        """One line in the job's own log."""
        with self.database.write() as connection:
            rows.add_log_line(connection, self.job.job_id, level=level, message=message, now=utc_now())

    def step(self, name: str, function: Callable[..., Answer], *arguments: Any) -> Answer:
        """A checkpoint of the engine; see ``engine.run_step``."""
        return run_step(name, function, *arguments)


Perform = Callable[[JobContext], dict[str, Any]]


class Runner:
    """Performs jobs by id on behalf of one worker."""

    def __init__(
        self,
        database: Database,
        config: Config,
        *,
        worker_id: str,
        operations: dict[Operation, Perform],
        wait_until_wanted: Callable[[Callable[[], bool]], None],
        doing: Callable[[str | None], None],
    ) -> None:
        self._database, self._config, self._worker_id = database, config, worker_id
        self._operations = operations
        self._wait_until_wanted, self._doing = wait_until_wanted, doing

    def perform_job(self, job_id: str) -> None:
        """The workflow: also what a recovery calls again, so every line of it may happen twice."""
        self._wait_until_wanted(lambda: self._ended(job_id))
        context = self._begin(job_id)
        if context is None:
            return
        self._doing(f"{context.job.operation} {job_id[:8]}")
        try:
            self._perform(context)
        finally:
            self._doing(None)

    def _ended(self, job_id: str) -> bool:
        with self._database.read() as connection:
            job = rows.get_job(connection, job_id)
        return job is None or not job.is_active

    def _begin(self, job_id: str) -> JobContext | None:
        with self._database.write() as connection:
            attempt = rows.begin_attempt(connection, job_id, worker_id=self._worker_id, now=utc_now())
            job = rows.get_job(connection, job_id)
            if attempt is None or job is None:
                return None
            words = f"{self._worker_id} began" if attempt == 1 else f"{self._worker_id} takes it up again (attempt {attempt})"
            rows.add_log_line(connection, job_id, level="info", message=words, now=utc_now())
        context = JobContext(job=job, attempt=attempt, database=self._database, config=self._config)
        if attempt > MAX_ATTEMPTS:
            detail = f"Its worker died {attempt - 1} times."
            error = JobError(code="worker_lost", detail=detail, action="Start it again, or look at its log.")
            self._end(context, JobState.INTERRUPTED, error=error)
            return None
        return context

    def _perform(self, context: JobContext) -> None:
        try:
            context.tell("starting")
            result = self._operations[context.job.operation](context)
            self._end(context, JobState.SUCCEEDED, result=result)
        except Cancelled:
            self._end(context, JobState.CANCELLED)
        except Fenced:
            log.warning("fenced", job_id=context.job.job_id, attempt=context.attempt)
        except OperationFailed as failure:
            self._end(context, JobState.FAILED, error=failure.error)
        except Exception as unexpected:
            log.error("operation_crashed", job_id=context.job.job_id, exc_info=unexpected)
            error = JobError(
                code="unexpected", detail=f"{type(unexpected).__name__}: {unexpected}"[:500], action="Try again; the log has the details."
            )
            self._end(context, JobState.FAILED, error=error)

    def _end(self, context: JobContext, state: JobState, *, result: dict[str, Any] | None = None, error: JobError | None = None) -> None:
        job_id, told = context.job.job_id, error.model_dump() if error else None
        with self._database.write() as connection:
            ended = rows.end_job(connection, job_id, state=state, now=utc_now(), attempt=context.attempt, result=result, error=told)
            if ended:
                message = f"{state}: {error.detail}" if error else state.value
                rows.add_log_line(connection, job_id, level="error" if error else "info", message=message, now=utc_now())
                record_action(
                    connection,
                    actor=context.job.requested_by,
                    action=f"end_{context.job.operation}",
                    object_id=job_id,
                    after=result or told,
                    outcome=state.value,
                )
        log.info("job_ended", job_id=job_id, operation=context.job.operation, state=state, ended=ended)
