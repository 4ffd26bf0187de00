"""One row per worker: what people want of it, and what it last said."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from lib.contract.states import Actual, Desired, FailureCause, WorkerRole
from lib.contract.workers import STALE_AFTER_SECONDS, Worker
from lib.service.storage.holds import first_hold
from lib.service.storage.runs import drop_open_run
from lib.service.storage.schema import workers


def register_worker(
    connection: Connection, *, worker_id: str, incarnation: str, role: WorkerRole, host: str, pid: int, now: datetime
) -> None:
    """A process takes its place. What people want of that place outlives the process: a paused worker starts paused."""
    drop_open_run(connection)
    life: dict[str, Any] = {
        "incarnation": incarnation,
        "role": role,
        "host": host,
        "pid": pid,
        "actual": Actual.STARTING,
        "doing": None,
        "doing_since": None,
        "rate_per_second": None,
        "holding": 0,
        "started_at": now,
        "heartbeat_at": now,
    }
    if not connection.execute(sa.update(workers).where(workers.c.worker_id == worker_id).values(**life)).rowcount:
        connection.execute(sa.insert(workers).values(worker_id=worker_id, desired=Desired.RUNNING, processed=0, failed=0, **life))


def beat(connection: Connection, *, worker_id: str, incarnation: str, now: datetime, **said: Any) -> Desired | None:
    """Store what the worker says; answers what people want of it, None when another process has taken its place."""
    place = (workers.c.worker_id == worker_id, workers.c.incarnation == incarnation)
    if not connection.execute(sa.update(workers).where(*place).values(heartbeat_at=now, **said)).rowcount:
        return None
    return Desired(connection.execute(sa.select(workers.c.desired).where(*place)).scalar_one())


def get_desired(connection: Connection, *, worker_id: str, incarnation: str) -> Desired | None:
    """What people want of it; None when another process has taken its place."""
    found = connection.execute(
        sa.select(workers.c.desired).where(workers.c.worker_id == worker_id, workers.c.incarnation == incarnation)
    ).scalar_one_or_none()
    return Desired(found) if found else None


def list_living(connection: Connection, now: datetime) -> set[str]:
    """The incarnations that fill a place, and have neither fallen silent nor said good-bye."""
    stale_before = now - timedelta(seconds=STALE_AFTER_SECONDS)
    query = sa.select(workers.c.incarnation).where(workers.c.heartbeat_at >= stale_before, workers.c.actual != Actual.STOPPED)
    return set(connection.execute(query).scalars())


def add_processed(connection: Connection, *, worker_id: str, processed: int, failed: int) -> None:
    """Count in the transaction that settles."""
    connection.execute(
        sa.update(workers)
        .where(workers.c.worker_id == worker_id)
        .values(processed=workers.c.processed + processed, failed=workers.c.failed + failed)
    )


def note_failure(connection: Connection, *, worker_id: str, cause: FailureCause, now: datetime) -> None:
    """The last thing that went wrong in its hands."""
    values = {"last_failure_cause": cause, "last_failure_at": now}
    connection.execute(sa.update(workers).where(workers.c.worker_id == worker_id).values(**values))


def set_desired(
    connection: Connection, worker_id: str, *, desired: Desired, by: str, reason: str, now: datetime, until: datetime | None = None
) -> None:
    """A person's wish, with who and why; ``until``: a drain's deadline."""
    drop_open_run(connection)
    connection.execute(
        sa.update(workers)
        .where(workers.c.worker_id == worker_id)
        .values(desired=desired, desired_by=by, desired_reason=reason or None, desired_since=now, drain_ends_at=until)
    )


def count_capacity(connection: Connection, now: float) -> int:
    """Embedding workers that take rows: alive, wanted, and not held by a job."""
    return 0 if first_hold(connection) is not None else count_willing(connection, now)


def count_willing(connection: Connection, now: float) -> int:
    """Embedding workers that take rows as soon as no job holds them."""
    statement = sa.text(
        "SELECT COUNT(*) FROM workers WHERE role = 'embedding' AND desired = 'running' AND actual NOT IN ('stopped', 'starting') "
        "AND heartbeat_at >= :after"
    )
    return int(connection.execute(statement, {"after": now - STALE_AFTER_SECONDS}).scalar_one())


def list_overdue(connection: Connection, now: datetime) -> list[str]:
    """Workers whose drain has passed its deadline."""
    query = sa.select(workers.c.worker_id).where(workers.c.desired == Desired.DRAINING, workers.c.drain_ends_at < now)
    return list(connection.execute(query).scalars())


def end_deadline(connection: Connection, worker_id: str) -> None:
    """The deadline was kept."""
    connection.execute(sa.update(workers).where(workers.c.worker_id == worker_id).values(drain_ends_at=None))


def delete_worker(connection: Connection, worker_id: str) -> None:
    """Forget a worker whose place was removed."""
    connection.execute(sa.delete(workers).where(workers.c.worker_id == worker_id))


def list_workers(connection: Connection, now: datetime) -> list[Worker]:
    """Every worker in the order of names. A stopped one is not stale: it said good-bye."""
    hold = first_hold(connection)
    stale_before = now - timedelta(seconds=STALE_AFTER_SECONDS)
    rows = connection.execute(sa.select(workers).order_by(workers.c.role, workers.c.worker_id)).all()
    return [
        Worker.model_validate(
            {
                **row._mapping,
                "stale": row.actual != Actual.STOPPED and (row.heartbeat_at or now) < stale_before,
                "batch_ends_at": _batch_ends_at(row),
                "held_by": dict(hold._mapping) if hold and row.role == WorkerRole.EMBEDDING else None,
            }
        )
        for row in rows
    ]


def _batch_ends_at(row: sa.Row[Any]) -> datetime | None:
    if not row.holding or not row.busy_rate_per_second or row.doing_since is None:
        return None
    ends: datetime = row.doing_since + timedelta(seconds=row.holding / row.busy_rate_per_second)
    return ends
