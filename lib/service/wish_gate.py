"""The gate's part about workers: what people may want of one, of several, and of how many there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lib.contract.operations import Gate, Reason
from lib.contract.states import Desired
from lib.contract.workers import Crew, Worker
from lib.service.gate import OPEN, refuse

_ALREADY = {Desired.PAUSED: "paused", Desired.RUNNING: "running", Desired.DRAINING: "draining"}


def decide_wishes(workers: Sequence[Worker], *, expected: Mapping[str, Desired] | None) -> Gate:
    """Are these workers still what a person saw when they asked for something of all of them?"""
    if expected is None:
        return OPEN
    for worker in workers:
        if worker.worker_id not in expected:
            text = f"{worker.worker_id} has come since you looked. Look again, then decide."
            return refuse(Reason.CHANGED_SINCE_SHOWN, text, holder=worker.worker_id, since=worker.started_at, link="/Workers")
        if worker.desired is not expected[worker.worker_id]:
            return _changed_wish(worker)
    return OPEN


def _changed_wish(worker: Worker) -> Gate:
    by = f" by {worker.desired_by}" if worker.desired_by else ""
    text = f"{worker.worker_id} was set to {worker.desired}{by} since you looked. Look again, then decide."
    return refuse(Reason.CHANGED_SINCE_SHOWN, text, holder=worker.worker_id, since=worker.desired_since, link="/Workers")


def decide_scale(crew: Crew, count: int, *, expected: int | None) -> Gate:
    """May this machine run ``count`` embedding workers from now on?"""
    by = f" by {crew.changed_by}" if crew.changed_by else ""
    if expected is not None and crew.embedding != expected:
        text = f"{crew.host} was set to {crew.embedding} embedding workers{by} since you looked. Look again, then decide."
        return refuse(Reason.CHANGED_SINCE_SHOWN, text, holder=crew.host, since=crew.changed_at, link="/Workers")
    if crew.embedding == count:
        text = f"{crew.host} is set to {count} embedding workers{by} already."
        return refuse(Reason.ALREADY_SO, text, holder=crew.host, since=crew.changed_at, link="/Workers")
    return OPEN


def decide_wish(worker: Worker, desired: Desired, *, expected: Desired | None = None) -> Gate:
    """May a person's wish for this worker become ``desired``?"""
    if expected is not None and worker.desired is not expected:
        return _changed_wish(worker)
    if worker.desired is not desired:
        return OPEN
    by = f" by {worker.desired_by}" if worker.desired_by else ""
    text = f"{worker.worker_id} is set to {_ALREADY[desired]}{by} already."
    return refuse(Reason.ALREADY_SO, text, holder=worker.worker_id, since=worker.desired_since, link="/Workers")
