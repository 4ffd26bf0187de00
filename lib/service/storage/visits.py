"""When each person last looked, and what has happened since a moment."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from lib.contract.states import ENDED_JOB_STATES, JobState, Operation
from lib.service.storage.schema import audit, items, jobs, visits


def get_visit(connection: Connection, actor: str) -> sa.Row[Any] | None:
    """When this person looked last, and when the visit before that ended; None for a stranger."""
    return connection.execute(sa.select(visits).where(visits.c.actor == actor)).one_or_none()


def put_visit(connection: Connection, actor: str, *, seen_at: datetime, since: datetime | None) -> None:
    """Remember that they look now."""
    changed = connection.execute(sa.update(visits).where(visits.c.actor == actor).values(seen_at=seen_at, since=since))
    if not changed.rowcount:
        connection.execute(sa.insert(visits).values(actor=actor, seen_at=seen_at, since=since))


def forget_visits(connection: Connection, before: datetime) -> None:
    """Drop people who have not looked since."""
    connection.execute(sa.delete(visits).where(visits.c.seen_at < before))


def count_jobs(connection: Connection, since: datetime) -> list[tuple[Operation, JobState, int]]:
    """(operation, state, count) of the jobs that ended since then."""
    ended = jobs.c.state.in_(ENDED_JOB_STATES) & (jobs.c.finished_at >= since)
    kinds = (jobs.c.operation, jobs.c.state)
    query = sa.select(*kinds, sa.func.count()).where(ended).group_by(*kinds).order_by(*kinds)
    return [(Operation(operation), JobState(state), count) for operation, state, count in connection.execute(query)]


def list_results(connection: Connection, since: datetime, *operations: Operation) -> Iterator[dict[str, Any]]:
    """What the jobs of these operations that succeeded since then say they did."""
    done = jobs.c.operation.in_(operations) & (jobs.c.state == JobState.SUCCEEDED) & (jobs.c.finished_at >= since)
    return (result for result in connection.execute(sa.select(jobs.c.result).where(done)).scalars() if result)


def count_failures(connection: Connection, since: datetime) -> list[tuple[str, int, datetime]]:
    """(cause, count since then, first) of the rows that stand as failed now; ``first`` is when the oldest of them failed."""
    recent = sa.func.sum(sa.case((items.c.failed_at >= since, 1), else_=0))
    query = sa.select(items.c.cause, recent, sa.func.min(items.c.failed_at)).where(items.c.state == "failed", items.c.cause.is_not(None))
    found = connection.execute(query.group_by(items.c.cause).order_by(items.c.cause))
    return [(str(cause), count, first) for cause, count, first in found if count]


def list_changed_settings(connection: Connection, since: datetime) -> list[str]:
    """Names of the settings somebody changed since then."""
    changed = (audit.c.action == "put_setting") & (audit.c.outcome == "done") & (audit.c.at >= since)
    return list(connection.execute(sa.select(audit.c.object_id).where(changed).distinct().order_by(audit.c.object_id)).scalars())
