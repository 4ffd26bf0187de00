"""Moments in which embedding workers stand still for a job. People's wishes are another matter and stay as they are."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from lib.service.storage.schema import holds


def take_hold(connection: Connection, *, job_id: str, operation: str, reason: str, now: datetime) -> None:
    """Ask the workers to stand still; a repeated step asks again."""
    release_hold(connection, job_id)
    connection.execute(sa.insert(holds).values(job_id=job_id, operation=operation, reason=reason, since=now))


def release_hold(connection: Connection, job_id: str) -> None:
    """Let them go on."""
    connection.execute(sa.delete(holds).where(holds.c.job_id == job_id))


def first_hold(connection: Connection) -> sa.Row[Any] | None:
    """The hold that has lasted longest, if any."""
    return connection.execute(sa.select(holds).order_by(holds.c.since).limit(1)).one_or_none()
