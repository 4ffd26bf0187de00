"""The one decision whether an action may start now, taken in the transaction that starts it.

``CONFLICTS`` is the whole matrix. Everything else that can stand in the way is a fact about the object itself
(a plan that is stale, a table that is empty) and is decided by the functions below it, in the same words everywhere.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

import sqlalchemy as sa
from sqlalchemy import Connection

from lib.contract.imports import ImportRequest
from lib.contract.jobs import Job
from lib.contract.model import utc_now
from lib.contract.operations import Gate, Reason
from lib.contract.states import InvalidPolicy, Operation, PlanState
from lib.service.storage.counters import get_counters
from lib.service.storage.jobs import get_job, list_locks

#: operation → the operations that must not be running when it starts
CONFLICTS: dict[Operation, frozenset[Operation]] = {
    Operation.PREVIEW: frozenset(),  # reads only; if the table moves meanwhile, its plan is stale and says so
    Operation.IMPORT: frozenset({Operation.IMPORT, Operation.EXPORT}),
    Operation.EXPORT: frozenset({Operation.IMPORT, Operation.EXPORT}),
    Operation.REFRESH: frozenset({Operation.REFRESH, Operation.REBUILD}),
    # A rebuild may be asked for while a refresh runs: the engine's index queue runs one at a time, so it waits its turn.
    Operation.REBUILD: frozenset({Operation.REBUILD}),
}

OPEN = Gate(allowed=True)

#: operation → the console page that shows it
PAGES: dict[Operation, str] = {
    Operation.PREVIEW: "/Import",
    Operation.IMPORT: "/Import",
    Operation.EXPORT: "/Export",
    Operation.REFRESH: "/Index",
    Operation.REBUILD: "/Index",
}

_NOUN = {
    Operation.PREVIEW: "A preview",
    Operation.IMPORT: "An import",
    Operation.EXPORT: "An export",
    Operation.REFRESH: "An index refresh",
    Operation.REBUILD: "An index rebuild",
}


def refuse(reason: Reason, text: str, *, holder: str | None = None, since: datetime | None = None, link: str | None = None) -> Gate:
    """A gate that says no."""
    return Gate(allowed=False, reason_code=reason, reason_text=text, holder=holder, since=since, fix_link=link)


def decide(connection: Connection, operation: Operation) -> Gate:
    """May ``operation`` start now? Only a write transaction's answer still holds when it is acted on."""
    conflicts = CONFLICTS[operation]
    for lock in list_locks(connection):
        if Operation(lock.operation) in conflicts:
            return _held(get_job(connection, lock.job_id), Operation(lock.operation), lock.since)
    return _nothing_to_work_on(connection, operation)


def _held(job: Job | None, operation: Operation, since: datetime) -> Gate:
    by = f", started by {job.requested_by}" if job else ""
    left = job.progress.eta_seconds if job and job.progress else None
    return Gate(
        allowed=False,
        reason_code=Reason.OPERATION_RUNNING,
        reason_text=f"{_NOUN[operation]} is running{by}. Wait until it ends, or cancel it.",
        holder=job.job_id if job else None,
        since=since,
        eta=utc_now() + timedelta(seconds=left) if left is not None else None,
        fix_link=f"{PAGES[operation]}?job={job.job_id}" if job else PAGES[operation],
    )


def _nothing_to_work_on(connection: Connection, operation: Operation) -> Gate:
    if operation is Operation.EXPORT and not get_counters(connection)["entries"]:
        return refuse(Reason.TABLE_EMPTY, "The table is empty: there is nothing to export. Import a sheet first.", link="/Import")
    if operation is Operation.REBUILD and not _has_any(connection, "embeddings"):
        return refuse(Reason.NOTHING_TO_DO, "No entry has a vector yet: there is nothing to build an index from.", link="/Queue")
    if operation is Operation.REFRESH and not _has_any(connection, "embeddings") and not _has_any(connection, "removals"):
        return refuse(Reason.NOTHING_TO_DO, "No entry has a vector yet: there is nothing the index could take up.", link="/Queue")
    return OPEN


def _has_any(connection: Connection, table: Literal["embeddings", "removals"]) -> bool:
    return connection.execute(sa.text(f"SELECT 1 FROM {table} LIMIT 1")).first() is not None  # noqa: S608 - one of two names


def decide_apply(plan: sa.Row[tuple[object, ...]], request: ImportRequest, *, table_revision: int, now: datetime) -> Gate:
    """May this plan be applied with these choices?"""
    link = f"/Import?plan={plan.plan_id}"
    if plan.state == PlanState.BUILDING:
        return refuse(Reason.PLAN_NOT_READY, "The plan is still being made.", holder=plan.plan_id, link=link)
    if plan.state == PlanState.FAILED:
        return refuse(Reason.PLAN_FAILED, "The plan could not be made: its source could not be read.", holder=plan.plan_id, link=link)
    if plan.state == PlanState.APPLIED:
        return refuse(Reason.PLAN_APPLIED, "This plan has been applied already.", holder=plan.applied_by_job, link=link)
    if plan.expires_at < now:
        return refuse(Reason.PLAN_STALE, "The plan has expired. Preview the source again.", holder=plan.plan_id, link="/Import")
    if plan.state == PlanState.STALE or plan.table_revision != table_revision:
        moved = "The table has changed since this plan was made: another import was applied. Preview the source again."
        return refuse(Reason.PLAN_STALE, moved, holder=plan.plan_id, link="/Import")
    return _decide_rows(plan, request, link)


def _decide_rows(plan: sa.Row[tuple[object, ...]], request: ImportRequest, link: str) -> Gate:
    counts = plan.counts
    invalid, removed = counts.get("invalid", 0), counts.get("removed", 0)
    if invalid and request.policy is InvalidPolicy.ALL_OR_NOTHING:
        text = f"{invalid:,} rows are invalid and you asked for all or nothing. Correct them, or choose to skip them."
        return refuse(Reason.PLAN_HAS_INVALID_ROWS, text, holder=plan.plan_id, link=link)
    approved = request.approve_removals
    if plan.held_removals and approved is not None and approved < removed:
        text = f"The plan removes {removed:,} entries and you approved {approved:,}. Type the number the plan shows."
        return refuse(Reason.REMOVALS_NOT_APPROVED, text, holder=plan.plan_id, link=link)
    changes = counts.get("new", 0) + counts.get("changed", 0)
    if not changes and plan.held_removals and approved is None:
        text = f"The plan only removes {removed:,} entries, which is held back. Type that number to approve the removals."
        return refuse(Reason.REMOVALS_NOT_APPROVED, text, holder=plan.plan_id, link=link)
    if not changes and not removed:
        return refuse(Reason.NOTHING_TO_DO, "Nothing to do: the table already holds exactly this.", holder=plan.plan_id, link=link)
    return OPEN
