"""“Do it when free”: starts that wait for the gate, run once, and can be called off."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from uuid import uuid4

from sqlalchemy import Connection

from lib.contract.errors import ErrorCode
from lib.contract.model import utc_now
from lib.contract.operations import Intention, IntentionPage, Reason, Started
from lib.contract.states import IntentionState
from lib.service import gate
from lib.service.engine import JobQueue
from lib.service.errors import GateRefused, ServiceError
from lib.service.jobs import Start, admit, start_job
from lib.service.storage import intentions as rows
from lib.service.storage.audit import record_action
from lib.service.storage.database import Database

#: A wish nobody came back to is not carried out weeks later.
WAITS_FOR = timedelta(days=1)


def start_or_wait(database: Database, queue: JobQueue, start: Start, *, when_free: bool) -> Started:
    """Start now; with ``when_free``, wait if another operation is in the way. Any other refusal stands."""
    if when_free and (repeated := _find_repeat(database, start)):
        return repeated
    try:
        return Started(job_id=start_job(database, queue, start))
    except GateRefused as refused:
        if not when_free or refused.gate is None or refused.gate.reason_code is not Reason.OPERATION_RUNNING:
            raise
        return Started(intention_id=_wait(database, start, refused.gate.reason_text))


def _find_repeat(database: Database, start: Start) -> Started | None:
    """What came of the wish made with the same key: it may have been carried out since, and must not be so twice."""
    with database.read() as connection:
        intention = rows.get_intention(connection, _intention_id(start))
    return Started(job_id=intention.job_id, intention_id=intention.intention_id) if intention else None


def _intention_id(start: Start) -> str:
    """The same for every repeat of one key; a fresh one without."""
    if not start.idempotency_key:
        return uuid4().hex
    return hashlib.sha256(json.dumps([start.actor, start.idempotency_key, start.request_sha256]).encode()).hexdigest()[:32]


def _wait(database: Database, start: Start, why: str) -> str:
    intention_id = _intention_id(start)
    with database.write() as connection:
        # A double click waits once, and so does a repeat that came while the first was being written.
        if waiting := rows.find_waiting(connection, start.request_sha256) or rows.get_intention(connection, intention_id):
            return waiting.intention_id
        rows.insert_intention(
            connection,
            intention_id=intention_id,
            operation=start.operation,
            arguments=start.arguments,
            request_sha256=start.request_sha256,
            requested_by=start.actor,
            created_at=utc_now(),
            detail=why,
        )
        _record(connection, start.actor, f"wait_to_{start.operation}", intention_id, "waiting", start.request_id)
    return intention_id


def carry_out(database: Database, queue: JobQueue) -> None:
    """Start every waiting intention whose gate is open, oldest first; drop those that can never start any more."""
    with database.read() as connection:
        waiting = rows.list_intentions(connection, state=IntentionState.WAITING, limit=100)
    for intention in reversed(waiting):
        with database.write() as connection:
            _try(connection, queue, intention)


def _try(connection: Connection, queue: JobQueue, intention: Intention) -> None:
    now = utc_now()
    current = rows.get_intention(connection, intention.intention_id)
    if current is None or current.state is not IntentionState.WAITING:  # called off, or another worker was faster
        return
    try:
        decision = gate.decide(connection, intention.operation, intention.arguments)
    except ServiceError as gone:
        _end(connection, intention, IntentionState.DROPPED, detail=gone.detail)
        return
    if decision.allowed:
        start = Start(operation=intention.operation, arguments=intention.arguments, actor=intention.requested_by)
        job_id = admit(connection, queue, start)
        rows.end_intention(connection, intention.intention_id, state=IntentionState.STARTED, now=now, job_id=job_id)
    elif decision.reason_code is not Reason.OPERATION_RUNNING:
        _end(connection, intention, IntentionState.DROPPED, detail=decision.reason_text)
    elif intention.created_at + WAITS_FOR < now:
        _end(connection, intention, IntentionState.DROPPED, detail=f"It waited longer than {WAITS_FOR.days} day.")


def _end(connection: Connection, intention: Intention, state: IntentionState, *, detail: str) -> None:
    rows.end_intention(connection, intention.intention_id, state=state, now=utc_now(), detail=detail)
    _record(connection, intention.requested_by, f"wait_to_{intention.operation}", intention.intention_id, f"{state}: {detail}", None)


def cancel_intention(database: Database, intention_id: str, *, actor: str, request_id: str) -> Intention:
    """Call it off; 404 when there is none, 409 when it waits no more."""
    with database.write() as connection:
        intention = _found(rows.get_intention(connection, intention_id), intention_id)
        ended = rows.end_intention(connection, intention_id, state=IntentionState.CANCELLED, now=utc_now(), detail=f"by {actor}")
        outcome = "done" if ended else f"refused: {Reason.JOB_ENDED}"
        _record(connection, actor, "cancel_intention", intention_id, outcome, request_id)
        now_is = _found(rows.get_intention(connection, intention_id), intention_id)
    if not ended:
        text = f"It waits no more: it is {intention.state}."
        link = gate.PAGES[intention.operation] + (f"?job={intention.job_id}" if intention.job_id else "")
        holder = intention.job_id or intention_id
        raise GateRefused(gate.refuse(Reason.JOB_ENDED, text, holder=holder, since=intention.ended_at, link=link))
    return now_is


def list_intentions(database: Database) -> IntentionPage:
    """The newest first."""
    with database.read() as connection:
        return IntentionPage(items=rows.list_intentions(connection), taken_at=utc_now())


def _found(intention: Intention | None, intention_id: str) -> Intention:
    if intention is None:
        raise ServiceError(ErrorCode.NOT_FOUND, f"There is no intention {intention_id}.")
    return intention


def _record(connection: Connection, actor: str, action: str, object_id: str, outcome: str, request_id: str | None) -> None:
    record_action(connection, actor=actor, action=action, object_id=object_id, outcome=outcome, request_id=request_id)
