"""What failed, why, and what people may do about it: retry, discard, put first; a few rows at once, many as a job."""

from __future__ import annotations

import re
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from lib.contract.model import utc_now
from lib.contract.queue import (
    CAUSES,
    FIXES,
    SHORTEN_DEFAULT,
    SHORTEN_MAX,
    SHORTEN_MIN,
    Failure,
    FailureGroup,
    FailureGroups,
    FailurePage,
    FailureReport,
    Fix,
    ItemAction,
    ItemFilter,
    ItemSelection,
    RequeueRequest,
)
from lib.contract.states import FailureCause, ItemState, Operation
from lib.service import gate
from lib.service.engine import JobQueue
from lib.service.errors import GateRefused
from lib.service.jobs import Start, start_job
from lib.service.queue import read_items
from lib.service.storage import selections
from lib.service.storage.audit import outcome_of, record_action
from lib.service.storage.database import Database
from lib.service.storage.settings import get_setting

#: More than this is not done while somebody waits for the answer: it becomes a job.
AT_ONCE_ROWS = 5000
#: Failures shown of each group.
SAMPLES = 3
AUDITED = {
    ItemAction.RETRY: "retry_failures",
    ItemAction.DISCARD: "discard_failures",
    ItemAction.PUT_FIRST: "put_items_first",
    ItemAction.PUT_BACK: "put_items_back",
}


def list_failures(database: Database, *, cause: FailureCause | None, limit: int, cursor: str | None) -> FailurePage:
    """Failures, newest first, each with its cause in plain words."""
    now, wanted = utc_now(), ItemFilter(state=ItemState.FAILED, cause=cause)
    with database.read() as connection:
        shown, more, total = read_items(connection, wanted, now=now.timestamp(), limit=limit, cursor=cursor)
        max_attempts = int(get_setting(connection, "embedding.max_attempts"))
    return FailurePage(items=[_failure(row, max_attempts) for row in shown], total=total, next_cursor=more, taken_at=now)


def list_failure_groups(database: Database) -> FailureGroups:
    """What failed by cause: the same few look-ups however many failed."""
    now = utc_now()
    with database.read() as connection:
        max_attempts = int(get_setting(connection, "embedding.max_attempts"))
        groups = [_group(connection, cause, count, max_attempts) for cause, count in selections.list_causes(connection)]
    return FailureGroups(groups=groups, taken_at=now)


def _group(connection: Connection, cause: FailureCause, count: int, max_attempts: int) -> FailureGroup:
    wanted = ItemFilter(state=ItemState.FAILED, cause=cause)
    rows = selections.list_items(connection, wanted, now=0, after=None, limit=SAMPLES)
    first, last = selections.cause_span(connection, cause)
    explanation, action = CAUSES[cause]
    fix = FIXES[cause]
    return FailureGroup.model_validate(
        {
            "cause": cause,
            "explanation": explanation,
            "action": action,
            "fix": fix,
            "count": count,
            "first_at": first,
            "last_at": last,
            "shorten_to": suggest_length(rows[0].error if rows else "") if fix is Fix.SHORTEN else None,
            "samples": [_failure(row, max_attempts) for row in rows],
        }
    )


def suggest_length(raw_error: str | None) -> int:
    """What the model seems to take, in characters, from the words of its refusal. A token is hardly ever under three characters."""
    found = re.search(r"(?:maximum|limit|at most|up to)\D{0,60}?(\d[\d,]*)\s*(token|char)?", raw_error or "", re.IGNORECASE)
    if not found:
        return SHORTEN_DEFAULT
    characters = int(found[1].replace(",", "")) * (3 if (found[2] or "").lower() == "token" else 1)
    return min(SHORTEN_MAX, max(SHORTEN_MIN, characters))


def _failure(row: sa.Row[Any], max_attempts: int) -> Failure:
    explanation, action = CAUSES[FailureCause(row.cause)]
    return Failure.model_validate(
        {
            **row._mapping,
            "raw_error": row.error or "",
            "worker_id": row.leased_by,
            "explanation": explanation,
            "action": action,
            "max_attempts": max_attempts,
        }
    )


def act_on_items(
    database: Database, queue: JobQueue, action: ItemAction, selection: ItemSelection, *, actor: str, request_id: str
) -> FailureReport:
    """Do it now, or, with too many rows for one answer, start the job that does it. Refused while such a job runs."""
    now = utc_now().timestamp()
    with database.write() as connection:
        decision = gate.decide(connection, Operation.REQUEUE)
        report = _act(connection, action, selection, actor=actor, now=now) if decision.allowed else None
        if report is not None or not decision.allowed:
            named = selection.model_dump(mode="json", exclude_none=True)
            if selection.entry_ids is not None:
                named["entry_ids"] = f"{len(selection.entry_ids)} ids"
            record_action(
                connection,
                actor=actor,
                action=AUDITED[action],
                after=named | (report.model_dump(exclude_none=True) if report else {}),
                outcome=outcome_of(decision),
                request_id=request_id,
            )
    if not decision.allowed:
        raise GateRefused(decision)
    if report is not None:
        return report
    arguments = RequeueRequest(action=action, selection=selection).model_dump(mode="json")
    start = Start(operation=Operation.REQUEUE, arguments=arguments, actor=actor, request_id=request_id)
    return FailureReport(done=0, skipped=0, job_id=start_job(database, queue, start))


def _act(connection: Connection, action: ItemAction, selection: ItemSelection, *, actor: str, now: float) -> FailureReport | None:
    """What was done with all of the selection; None, and nothing was, when it is too large to be done at once."""
    taken = selections.take_chunk(connection, action, selection, now=now, upto=now, after=None, limit=AT_ONCE_ROWS + 1)
    if len(taken) > AT_ONCE_ROWS:
        return None
    if taken:
        selections.move_items(connection, action, taken, now=now, actor=actor)
    skipped = len(set(selection.entry_ids)) - len(taken) if selection.entry_ids is not None else 0
    return FailureReport(done=len(taken), skipped=skipped)
