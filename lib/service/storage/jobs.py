"""Jobs, their locks, their log, and the keys that make a start safe to repeat."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from lib.contract.jobs import Job, LogLine, Progress
from lib.contract.states import JobState, Operation
from lib.service.storage import schema
from lib.service.storage.agreements import drop_staged
from lib.service.storage.export_plans import fail_unfinished_export_plan
from lib.service.storage.plans import fail_unfinished_plan
from lib.service.storage.schema import jobs, locks

_ACTIVE = ("queued", "running")
_AGAIN = "Preview the source again."


def _job(row: sa.Row[Any]) -> Job:
    return Job.model_validate(dict(row._mapping), from_attributes=False)


def insert_job(
    connection: Connection, *, job_id: str, operation: Operation, requested_by: str, arguments: dict[str, Any], now: datetime
) -> None:
    """A new job, queued."""
    connection.execute(
        sa.insert(jobs).values(
            job_id=job_id, operation=operation, state=JobState.QUEUED, requested_by=requested_by, arguments=arguments, created_at=now
        )
    )


def get_job(connection: Connection, job_id: str) -> Job | None:
    """The job, or None."""
    row = connection.execute(sa.select(jobs).where(jobs.c.job_id == job_id)).one_or_none()
    return _job(row) if row else None


@dataclass(frozen=True, kw_only=True)
class JobFilter:
    """Which jobs, whatever their state; what is None does not narrow."""

    operation: str | None = None
    requested_by: str | None = None
    since: datetime | None = None

    @property
    def conditions(self) -> list[sa.ColumnElement[bool]]:
        """The same for a query."""
        exact = ((jobs.c.operation, self.operation), (jobs.c.requested_by, self.requested_by))
        since = [jobs.c.created_at >= self.since] if self.since else []
        return [column == value for column, value in exact if value] + since


ALL_JOBS = JobFilter()


def list_jobs(
    connection: Connection, wanted: JobFilter = ALL_JOBS, *, state: str | None = None, before: int | None = None, limit: int = 50
) -> list[tuple[int, Job]]:
    """(seq, job), newest first."""
    query = sa.select(jobs).where(*wanted.conditions).order_by(jobs.c.seq.desc()).limit(limit)
    if state:
        query = query.where(jobs.c.state == state)
    if before:
        query = query.where(jobs.c.seq < before)
    return [(row.seq, _job(row)) for row in connection.execute(query)]


def count_jobs(connection: Connection, wanted: JobFilter) -> dict[JobState, int]:
    """How many there are of each state; states without any are left out."""
    query = sa.select(jobs.c.state, sa.func.count()).where(*wanted.conditions).group_by(jobs.c.state)
    return {JobState(state): count for state, count in connection.execute(query)}


def list_active_jobs(connection: Connection) -> list[Job]:
    """Queued and running jobs, oldest first."""
    return [_job(row) for row in connection.execute(sa.select(jobs).where(jobs.c.state.in_(_ACTIVE)).order_by(jobs.c.seq))]


def last_ended_job(connection: Connection, operation: Operation) -> Job | None:
    """The job of this operation that ended last."""
    query = sa.select(jobs).where(jobs.c.operation == operation, jobs.c.state.not_in(_ACTIVE)).order_by(jobs.c.seq.desc()).limit(1)
    row = connection.execute(query).one_or_none()
    return _job(row) if row else None


def begin_attempt(connection: Connection, job_id: str, *, worker_id: str, now: datetime) -> int | None:
    """Mark the job running on ``worker_id``; answers the attempt's number, None when the job has ended already."""
    statement = (
        sa.update(jobs)
        .where(jobs.c.job_id == job_id, jobs.c.state.in_(_ACTIVE))
        .values(
            state=JobState.RUNNING,
            worker_id=worker_id,
            attempt=jobs.c.attempt + 1,
            started_at=now,  # each attempt has the operation's whole time: nobody worked while the console was off
        )
    )
    if not connection.execute(statement).rowcount:
        return None
    return int(connection.execute(sa.select(jobs.c.attempt).where(jobs.c.job_id == job_id)).scalar_one())


def update_progress(connection: Connection, job_id: str, *, attempt: int, progress: Progress) -> bool | None:
    """Store how far it is; answers ``cancel_requested``, or None when this attempt no longer owns the job."""
    owned = (jobs.c.job_id == job_id, jobs.c.attempt == attempt, jobs.c.state == JobState.RUNNING)
    if not connection.execute(sa.update(jobs).where(*owned).values(progress=progress.model_dump(mode="json"))).rowcount:
        return None
    return bool(connection.execute(sa.select(jobs.c.cancel_requested).where(jobs.c.job_id == job_id)).scalar_one())


def is_owned(connection: Connection, job_id: str, *, attempt: int) -> bool:
    """Whether this attempt is still the one that may change things."""
    query = sa.select(jobs.c.seq).where(jobs.c.job_id == job_id, jobs.c.attempt == attempt, jobs.c.state == JobState.RUNNING)
    return connection.execute(query).first() is not None


def request_cancel(connection: Connection, job_id: str) -> None:
    """Raise the flag the job looks at between batches."""
    connection.execute(sa.update(jobs).where(jobs.c.job_id == job_id).values(cancel_requested=True))


def end_job(
    connection: Connection,
    job_id: str,
    *,
    state: JobState,
    now: datetime,
    attempt: int | None = None,
    result: dict[str, Any] | None = None,
    error: dict[str, Any] | None = None,
) -> bool:
    """Write how it ended and free what it held, once; False when it had ended already or another attempt owns it."""
    statement = sa.update(jobs).where(jobs.c.job_id == job_id, jobs.c.state.in_(_ACTIVE))
    if attempt is not None:
        statement = statement.where(jobs.c.attempt == attempt)
    ended = connection.execute(statement.values(state=state, finished_at=now, result=result, error=error)).rowcount
    if ended:
        connection.execute(sa.delete(locks).where(locks.c.job_id == job_id))
        connection.execute(sa.delete(schema.holds).where(schema.holds.c.job_id == job_id))
        # A preview that ends without a plan must not leave one that is being made for ever.
        why = error or {"code": state, "detail": f"The preview is {state}.", "action": _AGAIN}
        fail_unfinished_plan(connection, job_id, error=why)
        fail_unfinished_export_plan(connection, job_id, error=why)
        drop_staged(connection, job_id)
    return bool(ended)


def amend_result(connection: Connection, job_id: str, result: dict[str, Any]) -> None:
    """Add to what an ended job says of itself."""
    connection.execute(sa.update(jobs).where(jobs.c.job_id == job_id).values(result=result))


def take_lock(connection: Connection, *, job_id: str, operation: Operation, now: datetime) -> None:
    """The job holds its operation until its own end."""
    connection.execute(sa.insert(locks).values(job_id=job_id, operation=operation, since=now))


def list_locks(connection: Connection) -> list[sa.Row[Any]]:
    """(job_id, operation, since) of every operation that is held."""
    return list(connection.execute(sa.select(locks).order_by(locks.c.since)).all())


def add_log_line(connection: Connection, job_id: str, *, level: str, message: str, now: datetime) -> None:
    """One line of the job's own log."""
    connection.execute(sa.insert(schema.job_log).values(job_id=job_id, at=now, level=level, message=message))


def list_log_lines(connection: Connection, job_id: str, *, limit: int = 500) -> list[LogLine]:
    """The tail of the job's log, oldest line first."""
    query = sa.select(schema.job_log).where(schema.job_log.c.job_id == job_id).order_by(schema.job_log.c.line_id.desc()).limit(limit)
    return [LogLine(at=row.at, level=row.level, message=row.message) for row in reversed(connection.execute(query).all())]


def forget_old(connection: Connection, *, jobs_before: datetime, keys_before: datetime) -> None:
    """Drop ended jobs (their logs with them) and idempotency keys by age."""
    connection.execute(sa.delete(jobs).where(jobs.c.state.not_in(_ACTIVE), jobs.c.created_at < jobs_before))
    connection.execute(sa.delete(schema.idempotency).where(schema.idempotency.c.created_at < keys_before))


def find_idempotent_start(connection: Connection, *, key: str, actor: str) -> sa.Row[Any] | None:
    """(request_sha256, job_id) of the start this key made before."""
    table = schema.idempotency
    return connection.execute(sa.select(table).where(table.c.key == key, table.c.actor == actor)).one_or_none()


def remember_start(connection: Connection, *, key: str, actor: str, request_sha256: str, job_id: str, now: datetime) -> None:
    """A repeat of this key is answered with this job."""
    connection.execute(
        sa.insert(schema.idempotency).values(key=key, actor=actor, request_sha256=request_sha256, job_id=job_id, created_at=now)
    )
