"""Which workers count, and what people want of them. Pure."""

from __future__ import annotations

from datetime import datetime

from lib.contract.states import Actual, Desired, WorkerRole
from lib.contract.workers import Worker, WorkersReading
from lib.ui.format import format_age


def is_capacity(worker: Worker) -> bool:
    """Whether the worker takes work: alive and wanted."""
    return not worker.stale and worker.actual is not Actual.STOPPED and worker.desired is Desired.RUNNING


def find_workers(workers: WorkersReading | None, role: WorkerRole) -> list[Worker]:
    """The workers of a role that have not ended in good order."""
    return [worker for worker in workers.workers if worker.role is role and worker.actual is not Actual.STOPPED] if workers else []


def describe_wish(worker: Worker, at: datetime) -> str:
    """Who wants it so, why, and since when."""
    words = {Desired.PAUSED: "Paused", Desired.DRAINING: "Draining", Desired.RUNNING: "Resumed"}[worker.desired]
    who = f" by {worker.desired_by}" if worker.desired_by else ""
    why = f": “{worker.desired_reason}”" if worker.desired_reason else ", no reason given"
    since = f" ({format_age(worker.desired_since, at)})" if worker.desired_since else ""
    return f"{words}{who}{why}{since}."
