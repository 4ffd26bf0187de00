"""What the newest check found, the rows behind its numbers, and what a repair would do about it."""

from __future__ import annotations

from sqlalchemy import Connection

from lib.contract.errors import ErrorCode
from lib.contract.health import DriftPage, HealthReading, IndexCheck, RepairPlan
from lib.contract.model import utc_now
from lib.contract.states import DriftKind, Operation
from lib.service import gate
from lib.service.cursors import decode_cursor, split_page
from lib.service.errors import ServiceError
from lib.service.storage import drift as rows
from lib.service.storage import jobs
from lib.service.storage.database import Database

BY_QUEUE = (DriftKind.MISSING_VECTOR, DriftKind.STALE, DriftKind.WRONG_MODEL)
BY_REBUILD = (DriftKind.UNINDEXED, DriftKind.ORPHANED, DriftKind.DUPLICATED)


def get_check(database: Database) -> HealthReading:
    """The newest check, with the repair that would follow from it."""
    with database.read() as connection:
        latest = rows.latest_check(connection)
        looked = rows.latest_look(connection)
        repair = _plan_repair(connection, latest) if latest else None
    return HealthReading(latest=latest, looked=looked, repair=repair, taken_at=utc_now())


def _plan_repair(connection: Connection, check: IndexCheck) -> RepairPlan:
    last = jobs.last_ended_job(connection, Operation.REBUILD)
    took = (last.result or {}).get("build_seconds") if last else None
    return RepairPlan(
        check_id=check.check_id,
        to_embed=sum(check.drift.counts.get(kind) or 0 for kind in BY_QUEUE),
        rebuild=any(check.drift.counts.get(kind) for kind in BY_REBUILD),
        seconds=float(took) if took is not None else None,
        gate=gate.decide(connection, Operation.REPAIR, {"check_id": check.check_id}),
    )


def list_drift(database: Database, kind: DriftKind, *, limit: int, cursor: str | None) -> DriftPage:
    """The rows behind one number of the newest check; 404 before the first."""
    after = decode_cursor(cursor, int)[0] if cursor else -1
    with database.read() as connection:
        latest = rows.latest_check(connection)
        if latest is None:
            raise ServiceError(ErrorCode.NOT_FOUND, "Nothing was checked yet.", action="Start a check on the Index page.")
        page = rows.list_drift_rows(connection, latest.check_id, kind, after=after, limit=limit + 1)
        listed = rows.count_drift_rows(connection, latest.check_id, kind)
    shown, more = split_page(page, limit, lambda placed: (placed[0],))
    return DriftPage(
        check_id=latest.check_id,
        kind=kind,
        items=[row for _, row in shown],
        total=latest.drift.counts.get(kind) or 0,
        listed=listed,
        next_cursor=more,
        taken_at=utc_now(),
    )
