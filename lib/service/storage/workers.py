"""One row per worker: what people want of it, and what it last said."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from lib.contract.states import Actual, Desired, WorkerRole
from lib.contract.workers import STALE_AFTER_SECONDS, Worker
from lib.service.storage.holds import first_hold
from lib.service.storage.schema import workers


def register_worker(
    connection: Connection, *, worker_id: str, incarnation: str, role: WorkerRole, host: str, pid: int, now: datetime
) -> None:
    """A process takes its place. What people want of that place outlives the process: a paused worker starts paused."""
    life: dict[str, Any] = {
        "incarnation": incarnation,
        "role": role,
        "host": host,
        "pid": pid,
        "actual": Actual.STARTING,
        "doing": None,
        "doing_since": None,
        "rate_per_second": None,
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


def set_desired(connection: Connection, worker_id: str, *, desired: Desired, by: str, reason: str, now: datetime) -> None:
    """A person's wish, with who and why."""
    connection.execute(
        sa.update(workers)
        .where(workers.c.worker_id == worker_id)
        .values(desired=desired, desired_by=by, desired_reason=reason or None, desired_since=now)
    )


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
                "held_by": dict(hold._mapping) if hold and row.role == WorkerRole.EMBEDDING else None,
            }
        )
        for row in rows
    ]
