"""Starts that wait for the gate."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from lib.contract.operations import Intention
from lib.contract.states import IntentionState
from lib.service.storage.schema import intentions


def _intention(row: sa.Row[Any]) -> Intention:
    return Intention.model_validate(dict(row._mapping))


def find_waiting(connection: Connection, request_sha256: str) -> Intention | None:
    """The same start, waiting already."""
    query = sa.select(intentions).where(intentions.c.request_sha256 == request_sha256, intentions.c.state == IntentionState.WAITING)
    row = connection.execute(query.limit(1)).one_or_none()
    return _intention(row) if row else None


def insert_intention(connection: Connection, **values: Any) -> None:
    """A new intention, waiting."""
    connection.execute(sa.insert(intentions).values(state=IntentionState.WAITING, **values))


def get_intention(connection: Connection, intention_id: str) -> Intention | None:
    """The intention, or None."""
    row = connection.execute(sa.select(intentions).where(intentions.c.intention_id == intention_id)).one_or_none()
    return _intention(row) if row else None


def list_intentions(connection: Connection, *, state: IntentionState | None = None, limit: int = 50) -> list[Intention]:
    """Newest first; waiting ones can be asked for alone."""
    query = sa.select(intentions).order_by(intentions.c.created_at.desc()).limit(limit)
    if state:
        query = query.where(intentions.c.state == state)
    return [_intention(row) for row in connection.execute(query)]


def end_intention(
    connection: Connection, intention_id: str, *, state: IntentionState, now: datetime, job_id: str | None = None, detail: str | None = None
) -> bool:
    """It waits no more; False when it had stopped waiting already."""
    statement = sa.update(intentions).where(intentions.c.intention_id == intention_id, intentions.c.state == IntentionState.WAITING)
    return bool(connection.execute(statement.values(state=state, ended_at=now, job_id=job_id, detail=detail)).rowcount)


def forget_old(connection: Connection, before: datetime) -> None:
    """Drop ended intentions by age."""
    connection.execute(sa.delete(intentions).where(intentions.c.state != IntentionState.WAITING, intentions.c.created_at < before))
