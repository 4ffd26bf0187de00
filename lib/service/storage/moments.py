"""Readings as they were at one instant."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from lib.service.storage.schema import moments


def insert_moment(connection: Connection, *, moment_id: str, taken_at: datetime, taken_by: str, readings: dict[str, Any]) -> None:
    """Keep it."""
    connection.execute(sa.insert(moments).values(moment_id=moment_id, taken_at=taken_at, taken_by=taken_by, readings=readings))


def get_moment(connection: Connection, moment_id: str) -> sa.Row[Any] | None:
    """The moment, or None."""
    return connection.execute(sa.select(moments).where(moments.c.moment_id == moment_id)).one_or_none()


def forget_moments(connection: Connection, before: datetime) -> None:
    """Drop moments by age."""
    connection.execute(sa.delete(moments).where(moments.c.taken_at < before))
