"""Start, cancel and read jobs. A start passes the gate, takes the lock, leaves its trace and reaches the engine in one transaction."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection

from lib.contract.errors import ErrorCode
from lib.contract.jobs import Job, JobStep, JobSteps
from lib.contract.model import utc_now
from lib.contract.operations import TIMEOUT_SECONDS, OperationReading, OperationsReading
from lib.contract.states import JobState, Operation
from lib.service import gate
from lib.service.engine import JobQueue
from lib.service.errors import GateRefused, ServiceError
from lib.service.storage import jobs as rows
from lib.service.storage.audit import outcome_of, record_action
from lib.service.storage.database import Database
from lib.service.storage.job_steps import list_steps
from lib.service.storage.promotions import record_promotions

#: What a rehearsal may have tried.
_PROMOTING = frozenset({Operation.IMPORT, Operation.REEMBED})

Prepare = Callable[[Connection, str], None]


@dataclass(frozen=True, kw_only=True)
class Start:
    """Who asks for which operation, with what. ``idempotency_key`` makes a repeat answer with the same job."""

    operation: Operation
    arguments: dict[str, Any]
    actor: str
    request_id: str = ""
    idempotency_key: str | None = None
    when_free: bool = False

    @property
    def request_sha256(self) -> str:
        """What a repeat must equal."""
        return hashlib.sha256(json.dumps([self.operation, self.arguments], sort_keys=True, default=str).encode()).hexdigest()


def start_job(database: Database, queue: JobQueue, start: Start, *, prepare: Prepare | None = None) -> str:
    """The id of the job that was started, or of the one an earlier use of the key started; GateRefused otherwise.

    ``prepare`` writes rows that belong to the job.
    """
    with database.write() as connection:
        if repeated := _find_repeat(connection, start):
            return repeated
        decision = gate.decide(connection, start.operation, start.arguments)
        if decision.allowed:
            return admit(connection, queue, start, prepare)
        _record(connection, start, object_id=decision.holder, outcome=outcome_of(decision))
    raise GateRefused(decision)


def _find_repeat(connection: Connection, start: Start) -> str | None:
    if not start.idempotency_key:
        return None
    found = rows.find_idempotent_start(connection, key=start.idempotency_key, actor=start.actor)
    if found is None:
        return None
    if found.request_sha256 != start.request_sha256:
        raise ServiceError(ErrorCode.IDEMPOTENCY_KEY_REUSED)
    return str(found.job_id)


def admit(connection: Connection, queue: JobQueue, start: Start, prepare: Prepare | None = None) -> str:
    """Start a job the gate has allowed in this transaction; its id."""
    job_id, now = uuid4().hex, utc_now()
    rows.insert_job(connection, job_id=job_id, operation=start.operation, requested_by=start.actor, arguments=start.arguments, now=now)
    rows.take_lock(connection, job_id=job_id, operation=start.operation, now=now)
    if start.operation in _PROMOTING:
        record_promotions(
            connection, operation=start.operation, arguments=start.arguments, job_id=job_id, actor=start.actor, now=now
        )
    if prepare:
        prepare(connection, job_id)
    if start.idempotency_key:
        rows.remember_start(
            connection, key=start.idempotency_key, actor=start.actor, request_sha256=start.request_sha256, job_id=job_id, now=now
        )
    _record(connection, start, object_id=job_id, outcome="started")
    queue.enqueue(connection, start.operation, job_id)
    return job_id


def _record(connection: Connection, start: Start, *, object_id: str | None, outcome: str) -> None:
    record_action(
        connection,
        actor=start.actor,
        action=f"start_{start.operation}",
        object_id=object_id,
        after=start.arguments,
        outcome=outcome,
        request_id=start.request_id,
    )


def get_job(database: Database, job_id: str) -> Job:
    """The job; 404 when there is none."""
    with database.read() as connection:
        return _found(rows.get_job(connection, job_id), job_id)


def get_job_steps(database: Database, job_id: str) -> JobSteps:
    """Each step ends where the next one of its attempt begins, the last one with the job."""
    with database.read() as connection:
        job, begun = _found(rows.get_job(connection, job_id), job_id), list_steps(connection, job_id)
    ends = [after.started_at if after.attempt == step.attempt else None for step, after in pairwise(begun)] + [job.finished_at]
    steps = [JobStep(**step._mapping, ended_at=ended_at) for step, ended_at in zip(begun, ends, strict=False)]
    return JobSteps(job_id=job_id, steps=steps, taken_at=utc_now())


def _found(job: Job | None, job_id: str) -> Job:
    if job is None:
        raise ServiceError(ErrorCode.NOT_FOUND, f"There is no job {job_id}.", action="It may have been removed by age.")
    return job


def cancel_job(database: Database, job_id: str, *, actor: str, request_id: str) -> Job:
    """Ask a job to stop. One that no worker has taken yet ends at once; a running one stops at its next batch."""
    with database.write() as connection:
        job = _found(rows.get_job(connection, job_id), job_id)
        decision = gate.decide_cancel(job)
        if decision.allowed:
            rows.request_cancel(connection, job_id)
            if job.state is JobState.QUEUED:
                rows.end_job(connection, job_id, state=JobState.CANCELLED, now=utc_now())
        outcome = outcome_of(decision, done="requested")
        record_action(connection, actor=actor, action="cancel_job", object_id=job_id, outcome=outcome, request_id=request_id)
        job = _found(rows.get_job(connection, job_id), job_id)
    if not decision.allowed:
        raise GateRefused(decision)
    return job


def list_operations(database: Database) -> OperationsReading:
    """For each operation: its gate, what runs, what ran last."""
    with database.read() as connection:
        return OperationsReading(operations=read_operations(connection), taken_at=utc_now())


def read_operations(connection: Connection) -> list[OperationReading]:
    """The same from a transaction that is open already."""
    running = {job.operation: job for job in rows.list_active_jobs(connection)}
    return [
        OperationReading(
            operation=operation,
            gate=gate.decide(connection, operation),
            running=running.get(operation),
            last=rows.last_ended_job(connection, operation),
            timeout_seconds=TIMEOUT_SECONDS[operation],
        )
        for operation in Operation
    ]
