"""What people want of workers: one, some or all of them paused, resumed or drained; and the workers as people see them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from sqlalchemy import Connection

from lib.contract.errors import ErrorCode
from lib.contract.model import utc_now
from lib.contract.operations import Gate
from lib.contract.states import Desired, ShiftKind, WorkerRole
from lib.contract.workers import DrainWish, DrainWorkersWish, Worker, WorkersReading, WorkersWish, WorkerWish
from lib.service import wish_gate
from lib.service.errors import GateRefused, ServiceError
from lib.service.storage import items, paces, shift
from lib.service.storage import workers as rows
from lib.service.storage.audit import outcome_of, record_action
from lib.service.storage.crews import list_crews
from lib.service.storage.database import Database

ACTOR = "switchyard"
VERBS = {Desired.PAUSED: "pause_worker", Desired.RUNNING: "resume_worker", Desired.DRAINING: "drain_worker"}
_KINDS = {Desired.PAUSED: ShiftKind.PAUSE, Desired.RUNNING: ShiftKind.RESUME, Desired.DRAINING: ShiftKind.DRAIN}
_DONE = {Desired.PAUSED: "Paused", Desired.RUNNING: "Resumed", Desired.DRAINING: "Draining"}


def read_workers(connection: Connection) -> WorkersReading:
    """All workers at this moment, with how fast each was lately."""
    now = utc_now()
    processed = paces.list_processed(connection)
    workers = [
        worker.model_copy(update=_recent(processed.get(worker.worker_id, []), worker)) for worker in rows.list_workers(connection, now)
    ]
    return WorkersReading(workers=workers, crews=list_crews(connection), taken_at=now)


def _recent(samples: list[tuple[float, int]], worker: Worker) -> dict[str, object]:
    rates: list[float | None] = []
    for (before, less), (at, more) in pairwise(samples):
        rates.append((more - less) / (at - before) if at - before < 3 * paces.SAMPLE_SECONDS else None)
    if worker.role is not WorkerRole.EMBEDDING or not rates:
        return {}
    (began, first), (ended, last) = samples[0], samples[-1]
    return {"recent_rates": rates, "rate_15m_per_second": (last - first) / (ended - began), "worked_at": datetime.fromtimestamp(ended, UTC)}


def list_workers(database: Database) -> WorkersReading:
    """See :func:`read_workers`."""
    with database.read() as connection:
        return read_workers(connection)


def set_desired(database: Database, worker_id: str, desired: Desired, wish: WorkerWish, *, actor: str, request_id: str) -> Worker:
    """What a person wants of one worker; 409 when it is so already or has changed since it was shown, 404 when there is none."""
    with database.write() as connection:
        worker = _find(connection, [worker_id])[0]
        decision = wish_gate.decide_wish(worker, desired, expected=wish.expected)
        _set(connection, worker, desired, decision, wish, actor=actor, request_id=request_id)
        if decision.allowed:
            _pin(connection, [worker], desired, wish.reason, actor)
        worker = _find(connection, [worker_id])[0]
    if not decision.allowed:
        raise GateRefused(decision)
    return worker


def set_desired_of_some(database: Database, desired: Desired, wish: WorkersWish, *, actor: str, request_id: str) -> WorkersReading:
    """What a person wants of those named, or of every embedding worker; those it is so of already are left as they are.

    All or nothing: when one of them is no longer what the person was shown, nothing changes.
    """
    with database.write() as connection:
        workers = _find(connection, wish.worker_ids) if wish.worker_ids else _embedding(connection)
        decision = wish_gate.decide_wishes(workers, expected=wish.expected)
        moved = []
        for worker in workers:
            each = wish_gate.decide_wish(worker, desired) if decision.allowed else decision
            if each.allowed or not decision.allowed:
                _set(connection, worker, desired, each, wish, actor=actor, request_id=request_id)
                moved.append(worker)
        if moved and decision.allowed:
            _pin(connection, moved, desired, wish.reason, actor)
        reading = read_workers(connection)
    if not decision.allowed:
        raise GateRefused(decision)
    return reading


def end_overdue_drains(database: Database) -> None:
    """What a draining worker has not finished by its deadline goes back to the queue, for the others."""
    with database.read() as connection:
        if not rows.list_overdue(connection, utc_now()):
            return
    with database.write() as connection:
        for worker_id in rows.list_overdue(connection, utc_now()):
            returned = items.give_back(connection, worker_id=worker_id)
            rows.end_deadline(connection, worker_id)
            record_action(connection, actor=ACTOR, action="end_drain", object_id=worker_id, after={"returned": returned})


def _embedding(connection: Connection) -> list[Worker]:
    return [worker for worker in rows.list_workers(connection, utc_now()) if worker.role is WorkerRole.EMBEDDING]


def _find(connection: Connection, worker_ids: Sequence[str]) -> list[Worker]:
    known = {worker.worker_id: worker for worker in rows.list_workers(connection, utc_now())}
    for worker_id in worker_ids:
        if worker_id not in known:
            raise ServiceError(ErrorCode.NOT_FOUND, f"No worker is called {worker_id}.")
    return [known[worker_id] for worker_id in dict.fromkeys(worker_ids)]


def _set(
    connection: Connection, worker: Worker, desired: Desired, decision: Gate, wish: WorkerWish | WorkersWish, *, actor: str, request_id: str
) -> None:
    now = utc_now()
    deadline = wish.deadline_seconds if isinstance(wish, DrainWish | DrainWorkersWish) else None
    if decision.allowed:
        until = now + timedelta(seconds=deadline) if deadline else None
        rows.set_desired(connection, worker.worker_id, desired=desired, by=actor, reason=wish.reason, now=now, until=until)
    record_action(
        connection,
        actor=actor,
        action=VERBS[desired],
        object_id=worker.worker_id,
        before={"desired": worker.desired},
        after={"desired": desired, "reason": wish.reason} | ({"deadline_seconds": deadline} if deadline else {}),
        outcome=outcome_of(decision),
        request_id=request_id,
    )


def _pin(connection: Connection, workers: list[Worker], desired: Desired, reason: str, actor: str) -> None:
    """Into the shift log, once for all of them."""
    who = workers[0].worker_id if len(workers) == 1 else f"{len(workers)} workers"
    text = f"{_DONE[desired]} {who}" + (f": {reason}" if reason else "")
    shift.add_entry(connection, kind=_KINDS[desired], actor=actor, text=text, at=utc_now())
