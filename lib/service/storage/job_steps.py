"""When each step of a job began, and in whose hands."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from lib.service.storage.schema import job_steps

#: A job has a handful of steps; one that waits for Google again and again may have more than anybody reads.
MOST_STEPS = 200


def add_step(connection: Connection, job_id: str, *, attempt: int, worker_id: str | None, name: str, now: datetime) -> None:
    """The job has begun with this."""
    connection.execute(sa.insert(job_steps).values(job_id=job_id, attempt=attempt, worker_id=worker_id, name=name, started_at=now))


def list_steps(connection: Connection, job_id: str) -> list[sa.Row[Any]]:
    """(name, attempt, worker_id, started_at) of the last steps, oldest first."""
    table = job_steps.c
    query = sa.select(table.name, table.attempt, table.worker_id, table.started_at).where(table.job_id == job_id)
    return list(reversed(connection.execute(query.order_by(table.step_id.desc()).limit(MOST_STEPS)).all()))
