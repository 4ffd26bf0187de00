"""What has happened since somebody last looked."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection

from lib.contract.model import utc_now
from lib.contract.states import FailureCause, Operation
from lib.contract.visits import FailuresOfCause, JobsOfKind, Visit
from lib.service.storage import visits as rows
from lib.service.storage.database import Database

#: Whoever has not looked for this long comes back to a new visit.
AWAY = timedelta(minutes=30)


def record_visit(database: Database, actor: str) -> Visit:
    """Remember that ``actor`` looks now, and tell what has happened since their visit before this one."""
    now = utc_now()
    with database.write() as connection:
        known = rows.get_visit(connection, actor)
        since = None if known is None else known.seen_at if now - known.seen_at > AWAY else known.since
        rows.put_visit(connection, actor, seen_at=now, since=since)
    if since is None:
        return Visit(since=None, taken_at=now)
    with database.read() as connection:
        return _happened_since(connection, since, now)


def _happened_since(connection: Connection, since: datetime, now: datetime) -> Visit:
    new, changed, removed = _rows_moved(connection, since)
    return Visit(
        since=since,
        jobs=[JobsOfKind(operation=operation, state=state, count=count) for operation, state, count in rows.count_jobs(connection, since)],
        rows_new=new,
        rows_changed=changed,
        rows_removed=removed,
        failures=[
            FailuresOfCause(cause=FailureCause(cause), count=count, is_new=first >= since)
            for cause, count, first in rows.count_failures(connection, since)
        ],
        settings=rows.list_changed_settings(connection, since),
        taken_at=now,
    )


def _rows_moved(connection: Connection, since: datetime) -> tuple[int, int, int]:
    """New, changed and removed rows of the imports since then."""
    results = [result.get("counts") or result for result in rows.list_results(connection, since, Operation.IMPORT)]
    new, changed, removed = (sum(result.get(name) or 0 for result in results) for name in ("new", "changed", "removed"))
    return new, changed, removed
