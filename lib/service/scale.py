"""How many embedding workers this machine runs, and what another number or other batches would do to the time left."""

from __future__ import annotations

import socket
from dataclasses import replace

from sqlalchemy import Connection

from lib.contract.errors import ErrorCode
from lib.contract.model import utc_now
from lib.contract.states import Desired, ShiftKind
from lib.contract.workers import Crew, Forecast, ScaleRequest, WorkersReading
from lib.service import wish_gate
from lib.service.config import Config
from lib.service.errors import GateRefused, ServiceError
from lib.service.forecast import HORIZON_SECONDS, batch_seconds, find_evidence, find_gain, forecast, forecast_from_runs
from lib.service.storage import crews, paces, runs, samples, shift
from lib.service.storage import workers as rows
from lib.service.storage.audit import outcome_of, record_action
from lib.service.storage.counters import get_counters
from lib.service.storage.database import Database
from lib.service.storage.embeddings import last_fingerprint
from lib.service.storage.settings import get_setting
from lib.service.wishes import read_workers

#: Why a worker drains whose place was removed.
REMOVED = "its place was removed"


def worker_name(number: int) -> str:
    """What the worker in a numbered place is called."""
    return f"embedding-{number}"


def claim_crew(database: Database, config: Config) -> None:
    """At the start of the service: what the environment says, unless a person has chosen another number here."""
    with database.write() as connection:
        known = crews.get_crew(connection, socket.gethostname())
        if known is None or known.changed_by is None:
            crews.put_crew(connection, socket.gethostname(), config.workers)


def count_crew(database: Database) -> int | None:
    """How many places this machine is to have; None when that is not known."""
    with database.read() as connection:
        known = crews.get_crew(connection, socket.gethostname())
    return known.embedding if known else None


def is_drained(database: Database, worker_id: str) -> bool:
    """Whether a worker that is to go holds nothing any more."""
    with database.read() as connection:
        found = {worker.worker_id: worker for worker in rows.list_workers(connection, utc_now())}
    worker = found.get(worker_id)
    return worker is None or worker.stale or (worker.desired is not Desired.RUNNING and not worker.holding)


def forget_worker(database: Database, worker_id: str) -> None:
    """Its process has ended and its place is gone."""
    with database.write() as connection:
        rows.delete_worker(connection, worker_id)


def scale_workers(database: Database, request: ScaleRequest, *, actor: str, request_id: str) -> WorkersReading:
    """Run so many embedding workers on this machine. New ones start within a second; those too many drain, then end."""
    host = socket.gethostname()
    with database.write() as connection:
        known = crews.get_crew(connection, host)
        if known is None:
            raise ServiceError(ErrorCode.NOT_FOUND, f"No service keeps workers running on {host}.", action="Start them there by hand.")
        decision = wish_gate.decide_scale(known, request.embedding, expected=request.expected)
        if decision.allowed:
            _apply(connection, known, request.embedding, actor)
        record_action(
            connection,
            actor=actor,
            action="scale_workers",
            object_id=host,
            before={"embedding": known.embedding},
            after={"embedding": request.embedding},
            outcome=outcome_of(decision),
            request_id=request_id,
        )
        reading = read_workers(connection)
    if not decision.allowed:
        raise GateRefused(decision)
    return reading


def _apply(connection: Connection, known: Crew, count: int, actor: str) -> None:
    now = utc_now()
    crews.put_crew(connection, known.host, count, by=actor, now=now)
    verb = "Added" if count > known.embedding else "Removed"
    number = abs(count - known.embedding)
    text = f"{verb} {number} embedding worker{'s' if number > 1 else ''} on {known.host}: {count} from now on"
    shift.add_entry(connection, kind=ShiftKind.SCALE, actor=actor, text=text, at=now)
    here = {worker.worker_id: worker for worker in rows.list_workers(connection, now) if worker.host == known.host}
    for place in range(1, max(count, known.embedding) + 1):
        worker = here.get(worker_name(place))
        if worker is None:
            continue
        if place > count:
            rows.set_desired(connection, worker.worker_id, desired=Desired.DRAINING, by=actor, reason=REMOVED, now=now)
        elif worker.desired_reason == REMOVED:  # it was to go and has not gone yet
            rows.set_desired(connection, worker.worker_id, desired=Desired.RUNNING, by=actor, reason="", now=now)


def get_forecast(database: Database, workers: int | None, batch_size: int | None) -> Forecast:
    """How long the backlog takes with so many workers and such batches; as things are, where nothing is said."""
    now = utc_now()
    with database.read() as connection:
        counts = get_counters(connection)
        size_now = int(get_setting(connection, "embedding.batch_size"))
        capacity = rows.count_capacity(connection, now.timestamp())
        evidence = find_evidence(
            samples.list_samples(connection, after=now.timestamp() - HORIZON_SECONDS, step_seconds=samples.SAMPLE_SECONDS)
        )
        known = paces.list_paces(connection, last_fingerprint(connection))
        past = runs.list_runs(connection, last_fingerprint(connection))
    workers, batch_size = capacity if workers is None else workers, batch_size or size_now
    backlog = counts["pending"] + counts["leased"]
    gain = find_gain(known, size_now, batch_size)
    by_runs = forecast_from_runs(past, backlog, workers) if evidence is None and batch_size == size_now else None
    why = _why_unknown(backlog, workers, has_evidence=bool(evidence or by_runs), has_gain=gain is not None)
    found = by_runs or (forecast(evidence, backlog, workers, gain=gain) if evidence and gain and not why else None)
    if evidence and found and workers > max(1, capacity) and (alone := forecast(evidence, backlog, max(1, capacity), gain=gain or 1.0)):
        found = replace(found, high=max(alone.likely, found.likely))  # more workers share the same machine: at worst they gain nothing
    return Forecast(
        workers=workers,
        batch_size=batch_size,
        backlog=backlog,
        low_seconds=found.low if found else None,
        likely_seconds=found.likely if found else None,
        high_seconds=found.high if found else None,
        batch_seconds=batch_seconds(known, batch_size),
        why_unknown=why,
        taken_at=now,
    )


def _why_unknown(backlog: int, workers: int, *, has_evidence: bool, has_gain: bool) -> str | None:
    if not backlog:
        return "Nothing waits."
    if not workers:
        return "No worker takes rows."
    if not has_evidence:
        return "Too little was embedded lately to tell."
    return None if has_gain else "No batches of another size were measured yet."
