"""The life of one job: begin, perform, end. Whatever happens in between, the job's lock is free afterwards."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from lib.contract.jobs import JOB_FAILURES, Job, JobError, JobFailure, Progress
from lib.contract.model import utc_now
from lib.contract.operations import TIMEOUT_SECONDS
from lib.contract.states import JobState, Operation
from lib.service.config import Config
from lib.service.engine import Answer, run_step
from lib.service.errors import is_disk_full
from lib.service.storage import holds
from lib.service.storage import jobs as rows
from lib.service.storage.audit import record_action
from lib.service.storage.counters import get_counters
from lib.service.storage.database import Database
from lib.service.storage.job_steps import add_step

log = structlog.get_logger("operations")

#: A job that killed its worker this often is not tried again.
MAX_ATTEMPTS = 5
#: How long a job waits for workers to finish the batch in hand before it goes on without them.
HOLD_WAIT_SECONDS = 10.0
#: A running job tells how far it is at least this often while it works.
PROGRESS_SECONDS = 0.5
#: How a job ended must be written; when it cannot be, because the disk is full, it is tried again after this long.
END_AGAIN_SECONDS = 2.0


#: name, function, arguments → what the function answers, remembered over restarts; tests call the function and no more.
Checkpoint = Callable[..., Any]


class Cancelled(Exception):
    """Somebody asked the job to stop, and it has."""


class Fenced(BaseException):
    """Another worker has taken the job over; this attempt must change nothing more. No ``Exception``: it is nobody's to handle."""


class OperationFailed(Exception):
    """The operation cannot be done, for a reason a person can act on."""

    def __init__(self, code: JobFailure, detail: str, action: str = "") -> None:
        super().__init__(code, detail, action)  # all of them: a checkpoint pickles the exception, and a restart rebuilds it from these
        self.error = JobError(code=code, detail=detail, action=action)

    def __str__(self) -> str:
        return self.error.detail


@dataclass
class JobContext:
    """What an operation is given: its job, the database, and how to tell people what it does."""

    job: Job
    attempt: int
    database: Database
    config: Config
    checkpoint: Checkpoint = run_step
    _began: float = field(default_factory=time.monotonic, repr=False)  # a clock that is set, or slept through, counts for nothing
    _phase: str = ""
    _step: str = ""
    _phase_began: float = 0.0
    _told: float = field(default=0.0, repr=False)
    _done: int = 0
    _total: int | None = None

    def tell(self, phase: str, done: int = 0, total: int | None = None) -> None:
        """Say how far it is; raises Cancelled when somebody asked to stop. Cheap to call often: most calls write nothing."""
        now = time.monotonic()
        if phase != self._phase:
            self._phase, self._phase_began, self._told = phase, now, 0.0
        self._done, self._total = done, total
        if now - self._told < PROGRESS_SECONDS and done != total:
            return
        self._told = now
        if now - self._began > TIMEOUT_SECONDS[self.job.operation]:
            raise _timed_out(self.job.operation)
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
            if cancelled is not None:
                self._note_step(connection, phase.partition(": ")[0])  # what stands behind it counts seconds down
        if cancelled is None:
            raise Fenced
        if cancelled:
            raise Cancelled

    def _note_step(self, connection: Connection, name: str) -> None:
        """Remember when a step began; the first word of every phase comes this far."""
        if name != self._step:
            add_step(connection, self.job.job_id, attempt=self.attempt, worker_id=self.job.worker_id, name=name, now=utc_now())
            self._step = name

    def wait(self, seconds: float, why: str) -> None:
        """Stand still for so long and count the seconds down in public; Cancelled as soon as somebody asks to stop."""
        done, total, until = self._done, self._total, time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            whole = math.ceil(left)
            self.tell(f"{why}: {whole} s", done, total)
            time.sleep(max(0.0, until - time.monotonic() - (whole - 1)))  # until the number is one less: each is told once

    def how_far(self) -> dict[str, Any]:
        """What a cancelled job says of itself: the phase it stopped in, and how much of that was done and taken back."""
        return {"phase": self._phase, "done": self._done, "total": self._total}

    def say(self, message: str, level: str = "info") -> None:
        """One line in the job's own log."""
        with self.database.write() as connection:
            rows.add_log_line(connection, self.job.job_id, level=level, message=message, now=utc_now())

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction of this attempt; Fenced when another has taken the job over, or it has ended."""
        with self.database.write() as connection:
            if not rows.is_owned(connection, self.job.job_id, attempt=self.attempt):
                raise Fenced
            yield connection

    @contextmanager
    def hold_workers(self, reason: str) -> Iterator[None]:
        """Embedding workers stand still inside; what people want of them is untouched, and counts again afterwards."""
        job_id = self.job.job_id
        with self.write() as connection:  # not of a fenced attempt: nobody would ever release its hold
            holds.take_hold(connection, job_id=job_id, operation=self.job.operation, reason=reason, now=utc_now())
        try:
            self._wait_for_workers()
            yield
        finally:
            with self.database.write() as connection:
                if rows.is_owned(connection, job_id, attempt=self.attempt):  # else it is the next attempt's hold by now
                    holds.release_hold(connection, job_id)

    def _wait_for_workers(self) -> None:
        """Until no worker has a batch in hand. A dead one's lease is not waited for: it is fenced by the content hash."""
        deadline = time.monotonic() + HOLD_WAIT_SECONDS
        while time.monotonic() < deadline:
            with self.database.read() as connection:
                if not get_counters(connection)["leased"]:
                    return
            self.tell("waiting for the workers to stand still")
            time.sleep(0.05)

    def step(self, name: str, function: Callable[..., Answer], *arguments: Any) -> Answer:
        """A checkpoint of the engine; see ``engine.run_step``."""
        answer: Answer = self.checkpoint(name, function, *arguments)
        return answer


def _timed_out(operation: Operation) -> OperationFailed:
    minutes = TIMEOUT_SECONDS[operation] // 60
    detail = f"It ran longer than the {minutes} minutes this operation may take, so it was stopped and its lock freed."
    return OperationFailed(JobFailure.TIMED_OUT, detail, "Start it again; if it needs this long every time, work in smaller parts.")


def _error_of(unexpected: Exception) -> JobError:
    if is_disk_full(unexpected):
        return JobError(code=JobFailure.NO_SPACE, detail=JOB_FAILURES[JobFailure.NO_SPACE], action="Free some space, then start it again.")
    return JobError(code=JobFailure.UNEXPECTED, detail=_words_of(unexpected), action="Try again; the log has the details.")


def _words_of(unexpected: Exception) -> str:
    """For everybody who sees the job: neither where files lie on the machine nor what the database was told."""
    if isinstance(unexpected, OSError):
        words = unexpected.strerror or "a file or a connection failed"
    elif isinstance(unexpected, SQLAlchemyError):
        words = str(getattr(unexpected, "orig", None) or "the database failed")
    else:
        words = str(unexpected)
    return f"{type(unexpected).__name__}: {words}"[:500]


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
        doing: Callable[[str], AbstractContextManager[None]],
        may_begin: Callable[[Connection], bool] = lambda _: True,
        checkpoint: Checkpoint = run_step,
    ) -> None:
        """``may_begin`` is asked in the transaction that begins a job: a process whose place was taken begins none."""
        self._database, self._config, self._worker_id, self._checkpoint = database, config, worker_id, checkpoint
        self._operations = operations
        self._wait_until_wanted, self._doing, self._may_begin = wait_until_wanted, doing, may_begin
        self.in_hand: list[str] = []

    def perform_job(self, job_id: str) -> None:
        """The workflow: also what a recovery calls again, so every line of it may happen twice."""
        self.in_hand.append(job_id)
        try:
            self._wait_until_wanted(lambda: self._ended(job_id))
            if context := self._begin(job_id):
                with self._doing(f"{context.job.operation} {job_id[:8]}"):
                    self._perform(context)
        except Fenced:
            log.warning("fenced", job_id=job_id)
            if not self._ended(job_id):
                raise  # to return would tell the engine that the workflow is done, and it is another's to finish
        finally:
            self.in_hand.remove(job_id)

    def _ended(self, job_id: str) -> bool:
        with self._database.read() as connection:
            job = rows.get_job(connection, job_id)
        return job is None or not job.is_active

    def _begin(self, job_id: str) -> JobContext | None:
        with self._database.write() as connection:
            if not self._may_begin(connection):
                raise Fenced
            attempt = rows.begin_attempt(connection, job_id, worker_id=self._worker_id, now=utc_now())
            job = rows.get_job(connection, job_id)
            if attempt is None or job is None:
                return None
            words = f"{self._worker_id} began" if attempt == 1 else f"{self._worker_id} takes it up again (attempt {attempt})"
            rows.add_log_line(connection, job_id, level="info", message=words, now=utc_now())
        context = JobContext(job=job, attempt=attempt, database=self._database, config=self._config, checkpoint=self._checkpoint)
        if attempt > MAX_ATTEMPTS:
            detail = f"Its worker died {attempt - 1} times."
            error = JobError(code=JobFailure.WORKER_LOST, detail=detail, action="Start it again, or look at its log.")
            self._end(context, JobState.INTERRUPTED, error=error)
            return None
        return context

    def _perform(self, context: JobContext) -> None:
        try:
            context.tell("starting")
            result = self._operations[context.job.operation](context)
            self._end(context, JobState.SUCCEEDED, result=result)
        except Cancelled:
            self._end(context, JobState.CANCELLED, result=context.how_far())
        except OperationFailed as failure:
            self._end(context, JobState.FAILED, error=failure.error)
        except Exception as unexpected:
            log.error("operation_crashed", job_id=context.job.job_id, exc_info=unexpected)
            self._end(context, JobState.FAILED, error=_error_of(unexpected))

    def _end(self, context: JobContext, state: JobState, *, result: dict[str, Any] | None = None, error: JobError | None = None) -> None:
        while True:
            try:
                return self._write_end(context, state, result=result, error=error)
            except SQLAlchemyError as trouble:
                log.error("end_not_written", job_id=context.job.job_id, state=state, error=str(trouble))
                time.sleep(END_AGAIN_SECONDS)

    def _write_end(self, context: JobContext, state: JobState, *, result: dict[str, Any] | None, error: JobError | None) -> None:
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
