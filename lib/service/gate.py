"""The one decision whether an action may start now, taken in the transaction that starts it.

``CONFLICTS`` is the whole matrix. Everything else that can stand in the way is a fact about the object itself
(a plan that is stale, a table that is empty) and is decided by the functions below it, in the same words everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row

from lib.contract.errors import ErrorCode
from lib.contract.exports import ExportRequest
from lib.contract.imports import ImportRequest
from lib.contract.jobs import Job
from lib.contract.model import utc_now
from lib.contract.operations import Gate, Reason
from lib.contract.rehearsals import ImportChange, RehearseRequest
from lib.contract.settings import EMBEDDER_SETTINGS, SETTINGS, SettingReading, SettingValue
from lib.contract.states import EmbedderKind, JobState, Operation
from lib.service import index_gate, plan_gate
from lib.service.access import decide_sheet
from lib.service.errors import ServiceError
from lib.service.export_gate import decide_export
from lib.service.storage.counters import get_counters
from lib.service.storage.drift import latest_check
from lib.service.storage.embeddings import has_embeddings, has_removals
from lib.service.storage.jobs import get_job, list_locks
from lib.service.storage.plans import get_plan
from lib.service.storage.settings import get_model, get_setting

OPEN, refuse = plan_gate.OPEN, plan_gate.refuse

#: How long an import can be taken back.
UNDO_FOR = timedelta(days=30)


class Action(StrEnum):
    """What is done at once, without a job, and still must not cross certain jobs."""

    DRAIN = "drain"
    CHANGE_MODEL = "change_model"  #: a setting that decides where and by what model texts are embedded
    GO_BACK = "go_back"


#: operation or action → the operations that must not be running when it starts
CONFLICTS: dict[Operation | Action, frozenset[Operation]] = {
    Operation.PREVIEW: frozenset(),  # reads only; if the table moves meanwhile, its plan is stale and says so
    Operation.COMPARE: frozenset(),  # likewise
    Operation.IMPORT: frozenset({Operation.IMPORT, Operation.UNDO, Operation.EXPORT, Operation.RESTORE}),
    Operation.UNDO: frozenset({Operation.IMPORT, Operation.UNDO, Operation.EXPORT, Operation.RESTORE}),
    Operation.EXPORT: frozenset({Operation.IMPORT, Operation.UNDO, Operation.EXPORT}),
    Operation.REFRESH: frozenset({Operation.REFRESH, Operation.REBUILD, Operation.RESTORE}),
    # A rebuild may be asked for while a refresh runs: the engine's index queue runs one at a time, so it waits its turn.
    Operation.REBUILD: frozenset({Operation.REBUILD, Operation.RESTORE, Operation.REEMBED}),
    Operation.SNAPSHOT: frozenset({Operation.SNAPSHOT}),  # likewise: it copies what is served when its turn comes
    Operation.INSPECT: frozenset({Operation.INSPECT}),  # one strange file at a time
    # What it restores is brought in line with the table: neither may move meanwhile. A refresh it waits for, as a rebuild does.
    Operation.RESTORE: frozenset(
        {Operation.RESTORE, Operation.REBUILD, Operation.REEMBED, Operation.REPAIR, Operation.IMPORT, Operation.UNDO}
    ),
    # Imports and refreshes go on with the present model until it switches.
    Operation.REEMBED: frozenset({Operation.REEMBED, Operation.REBUILD, Operation.RESTORE, Operation.REPAIR}),
    Operation.REHEARSE: frozenset({Operation.REHEARSE}),  # reads only, and stands in nobody's way; two would fight for the cores
    Operation.MAP: frozenset({Operation.MAP}),  # reads only
    Operation.CHECK: frozenset({Operation.CHECK, Operation.REPAIR}),
    Operation.REPAIR: frozenset({Operation.CHECK, Operation.REPAIR, Operation.RESTORE, Operation.REEMBED}),
    Operation.REQUEUE: frozenset({Operation.REQUEUE}),  # each row it moves is a transaction's own; imports may go on
    Operation.RENEW: frozenset({Operation.RENEW, Operation.REEMBED}),  # a change of the model embeds every row anyway
    Action.DRAIN: frozenset(),  # a person's wish for a worker outranks everything automatic: jobs wait for it, not it for them
    # Each of these decides once, at its start, which vectors are missing.
    Action.CHANGE_MODEL: frozenset({Operation.IMPORT, Operation.UNDO, Operation.RESTORE, Operation.REEMBED, Operation.REPAIR}),
    # Each of these publishes a generation sooner or later.
    Action.GO_BACK: frozenset({Operation.REFRESH, Operation.REBUILD, Operation.RESTORE, Operation.REPAIR, Operation.REEMBED}),
}

#: operation → the console page that shows it
PAGES: dict[Operation, str] = dict.fromkeys(Operation, "/Index") | {
    **dict.fromkeys((Operation.PREVIEW, Operation.IMPORT, Operation.UNDO), "/Import"),
    **dict.fromkeys((Operation.COMPARE, Operation.EXPORT), "/Export"),
    Operation.REQUEUE: "/Queue",
}

_NOUN = {
    Operation.PREVIEW: "A preview",
    Operation.IMPORT: "An import",
    Operation.COMPARE: "A comparison with a sheet",
    Operation.EXPORT: "An export",
    Operation.REFRESH: "An index refresh",
    Operation.REBUILD: "An index rebuild",
    Operation.UNDO: "The undo of an import",
    Operation.SNAPSHOT: "A snapshot",
    Operation.INSPECT: "An inspection",
    Operation.RESTORE: "A restore",
    Operation.CHECK: "A check of the index",
    Operation.REPAIR: "A repair of the index",
    Operation.REQUEUE: "A change of many rows of the queue",
    Operation.RENEW: "Putting rows into the queue to be embedded again",
    Operation.REEMBED: "A change of the model",
    Operation.REHEARSE: "A rehearsal",
    Operation.MAP: "The layout of a map",
}


def decide(connection: Connection, operation: Operation, arguments: Mapping[str, Any] | None = None) -> Gate:
    """May ``operation`` start now? Only a write transaction's answer still holds when it is acted on.

    Without ``arguments`` the answer is about the operation as such, with them about exactly this start.
    """
    general = find_conflict(connection, operation)
    if general.allowed:
        general = _nothing_to_work_on(connection, operation)
    return general if not general.allowed or arguments is None else _decide_this(connection, operation, arguments)


def find_conflict(connection: Connection, asked: Operation | Action) -> Gate:
    """Does a job that runs stand in the way, by the table above?"""
    for lock in list_locks(connection):
        if Operation(lock.operation) in CONFLICTS[asked]:
            return _held(get_job(connection, lock.job_id), Operation(lock.operation), lock.since)
    return OPEN


def _decide_this(connection: Connection, operation: Operation, arguments: Mapping[str, Any]) -> Gate:
    """What this very start is about may stand in its own way."""
    if operation is Operation.REHEARSE or (arguments.get("plan_id") and operation in (Operation.IMPORT, Operation.EXPORT)):
        return _decide_planned(connection, operation, arguments)
    if operation is Operation.UNDO:
        return decide_undo(get_job(connection, str(arguments["import_job_id"])), now=utc_now())
    if operation is Operation.RESTORE:
        inspected = get_job(connection, str(arguments["inspection_id"]))
        return index_gate.decide_restore(inspected, typed_name=arguments.get("typed_name"), model=get_model(connection))
    if operation is Operation.REPAIR:
        return index_gate.decide_repair(latest_check(connection), str(arguments["check_id"]))
    if spreadsheet_id := arguments.get("spreadsheet_id"):
        return decide_sheet(connection, str(spreadsheet_id), writing=operation is Operation.COMPARE)
    return OPEN


def _decide_planned(connection: Connection, operation: Operation, arguments: Mapping[str, Any]) -> Gate:
    if operation is Operation.EXPORT:
        return decide_export(connection, ExportRequest.model_validate(arguments))
    if operation is Operation.REHEARSE:
        return _decide_rehearsal(connection, arguments)
    return _decide_import(connection, ImportRequest.model_validate(arguments))


def _held(job: Job | None, operation: Operation, since: datetime) -> Gate:
    by = f", started by {job.requested_by}" if job else ""
    progress = job.progress if job else None
    left = progress.eta_seconds if progress else None
    return Gate(
        allowed=False,
        reason_code=Reason.OPERATION_RUNNING,
        reason_text=f"{_NOUN[operation]} is running{by}. Wait until it ends, or cancel it.",
        holder=job.job_id if job else None,
        since=since,
        eta=progress.updated_at + timedelta(seconds=left) if progress and progress.updated_at and left is not None else None,
        fix_link=f"{PAGES[operation]}?job={job.job_id}" if job else PAGES[operation],
    )


_NOTHING_TO_EXPORT = ("The table is empty: there is nothing to export. Import a sheet first.", "/Import")
_NEEDS_ENTRIES = {
    Operation.COMPARE: _NOTHING_TO_EXPORT,
    Operation.EXPORT: _NOTHING_TO_EXPORT,
    Operation.REEMBED: ("The table is empty: nothing has to be embedded again. Choose the model in Settings.", "/Settings"),
}
_NEEDS_INDEX = {
    Operation.SNAPSHOT: "There is no index yet: nothing could be saved.",
    Operation.MAP: "There is no index yet: there is nothing to map.",
}


def _nothing_to_work_on(connection: Connection, operation: Operation) -> Gate:
    if operation in _NEEDS_ENTRIES and not get_counters(connection)["entries"]:
        text, link = _NEEDS_ENTRIES[operation]
        return refuse(Reason.TABLE_EMPTY, text, link=link)
    vectors_come_from = "/Queue" if get_counters(connection)["entries"] else "/Import"
    if operation is Operation.REBUILD and not has_embeddings(connection):
        return refuse(Reason.NOTHING_TO_DO, "No entry has a vector yet: there is nothing to build an index from.", link=vectors_come_from)
    if operation is Operation.REFRESH and not has_embeddings(connection) and not has_removals(connection):
        return refuse(Reason.NOTHING_TO_DO, "No entry has a vector yet: there is nothing the index could take up.", link=vectors_come_from)
    if operation is Operation.CHECK and not get_counters(connection)["entries"] and not has_removals(connection):
        return refuse(Reason.NOTHING_TO_DO, "There is no entry and no index yet: nothing could disagree.", link="/Import")
    if operation in _NEEDS_INDEX and not has_embeddings(connection):
        return refuse(Reason.NO_INDEX, _NEEDS_INDEX[operation], link="/Index")
    return OPEN


def _decide_import(connection: Connection, request: ImportRequest) -> Gate:
    plan = get_plan(connection, request.plan_id)
    if plan is None:
        action = "It may have been removed by age: preview again."
        raise ServiceError(ErrorCode.NOT_FOUND, f"There is no plan {request.plan_id}.", action=action)
    state = plan_gate.decide_plan(connection, plan, table_revision=get_counters(connection)["table_revision"])
    decision = plan_gate.decide_rows(plan, request) if state.allowed else state
    if decision.allowed and plan.source.get("kind") == "google_sheet":
        return decide_sheet(connection, plan.source["spreadsheet"])  # it is read once more, to see whether it has moved
    return decision


def _decide_rehearsal(connection: Connection, arguments: Mapping[str, Any]) -> Gate:
    """Tried is only what could be done: a plan that stands, or a model for a table that is not empty."""
    change = RehearseRequest.model_validate({"change": arguments["change"]}).change
    if isinstance(change, ImportChange):
        return _decide_import(connection, change.request)
    return _nothing_to_work_on(connection, Operation.REEMBED)


def decide_ticks(connection: Connection, plan: Row[tuple[object, ...]], seen: int | None, *, table_revision: int) -> Gate:
    """May rows of this plan be ticked by somebody who saw the ticks of revision ``seen``?"""
    for lock in list_locks(connection):
        job = get_job(connection, lock.job_id)
        if job and job.operation is Operation.IMPORT and job.arguments.get("plan_id") == plan.plan_id:
            return _held(job, Operation.IMPORT, lock.since)
    state = plan_gate.decide_plan(connection, plan, table_revision=table_revision)
    return plan_gate.decide_seen(plan, seen) if state.allowed else state


def decide_undo(job: Job | None, *, now: datetime) -> Gate:
    """May this import be taken back?"""
    if job is None or job.operation is not Operation.IMPORT:
        raise ServiceError(ErrorCode.NOT_FOUND, "There is no such import.", action="Only imports can be undone.")
    link = f"/Import?job={job.job_id}"
    if job.state is not JobState.SUCCEEDED or job.finished_at is None:
        text = f"This import is {job.state}: it changed nothing that could be undone."
        return refuse(Reason.NOT_UNDOABLE, text, holder=job.job_id, link=link)
    if job.finished_at + UNDO_FOR < now:
        text = f"An import can be undone for {UNDO_FOR.days} days; this one is older."
        return refuse(Reason.NOT_UNDOABLE, text, holder=job.job_id, since=job.finished_at, link=link)
    if undone_by := (job.result or {}).get("undone_by"):
        return refuse(Reason.ALREADY_SO, "This import has been undone already.", holder=undone_by, link=f"/Import?job={undone_by}")
    return OPEN


def decide_go_back(connection: Connection, *, served: int | None, target: int | None, same_model: bool, expected: int | None) -> Gate:
    """May the generation ``target`` be served instead of the one ``served``?"""
    conflict = find_conflict(connection, Action.GO_BACK)
    if not conflict.allowed:
        return conflict
    return index_gate.decide_generation(served=served, target=target, same_model=same_model, expected=expected)


def decide_throw_away(job: Job) -> Gate:
    """May what this job makes be thrown away?"""
    return _held(job, job.operation, job.started_at or job.created_at) if job.is_active else OPEN


def decide_cancel(job: Job) -> Gate:
    """May this job be cancelled?"""
    if job.is_active:
        return OPEN
    text = f"The job has ended already: it is {job.state}."
    link = f"{PAGES[job.operation]}?job={job.job_id}"
    return refuse(Reason.JOB_ENDED, text, holder=job.job_id, since=job.finished_at, link=link)


def decide_setting(stands: SettingReading, *, expected: SettingValue | None) -> Gate:
    """May this setting be changed by somebody who saw ``expected``?"""
    if expected is None or expected == stands.value:
        return OPEN
    by = f", set by {stands.changed_by}" if stands.changed_by else ""
    text = f"{SETTINGS[stands.name].title} is {stands.value} by now{by}, not {expected}. Look again, then decide."
    return refuse(Reason.CHANGED_SINCE_SHOWN, text, holder=stands.name, since=stands.changed_at, link="/Settings")


def decide_embedder(connection: Connection, name: str, value: SettingValue) -> Gate:
    """May this setting change while every vector was made as it says? Vectors of two models never mix."""
    if name not in EMBEDDER_SETTINGS:
        return OPEN
    conflict = find_conflict(connection, Action.CHANGE_MODEL)
    if not conflict.allowed or name == "embedding.url" or not has_embeddings(connection):
        return conflict
    stands = get_setting(connection, "embedding.embedder")
    if (name == "embedding.embedder" and value == stands) or (name != "embedding.embedder" and stands != EmbedderKind.OPENAI):
        return OPEN
    text = (
        "The vectors there are were made with the present model, and two models never mix. Embed the table again with the other one: "
        "Index → Change the model."
    )
    return refuse(Reason.NEEDS_REEMBEDDING, text, holder=name, link="/Index")
