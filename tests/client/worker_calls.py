"""The calls of people who run the workers, with a sample of each answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lib.client.api import Client
from lib.contract.jobs import LogLine
from lib.contract.model import Reading, utc_now
from lib.contract.shift import ShiftEntry, ShiftReading
from lib.contract.states import Actual, Desired, ShiftKind, WorkerRole
from lib.contract.workers import Forecast, Worker, WorkerLog, WorkersReading

NOW = utc_now()
WORKER = Worker(
    worker_id="w1", role=WorkerRole.EMBEDDING, host="h", pid=1, desired=Desired.RUNNING, actual=Actual.IDLE, stale=False, started_at=NOW
)
WORKERS = WorkersReading(workers=[WORKER], taken_at=NOW)
FORECAST = Forecast(workers=3, batch_size=512, backlog=9, low_seconds=1, likely_seconds=2, high_seconds=3, taken_at=NOW)
NOTE = ShiftEntry(entry_id=1, at=NOW, kind=ShiftKind.NOTE, actor="ada", text="the disk is new")

#: name → (call, method, path, query, answer)
WORKER_CALLS: dict[str, tuple[Callable[[Client], Any], str, str, dict[str, str], Reading]] = {
    "list_workers": (lambda c: c.list_workers(), "GET", "/api/workers", {}, WORKERS),
    "pause_worker": (lambda c: c.pause_worker("w1", "tea"), "POST", "/api/workers/w1/pause", {}, WORKER),
    "resume_worker": (lambda c: c.resume_worker("w1"), "POST", "/api/workers/w1/resume", {}, WORKER),
    "drain_worker": (lambda c: c.drain_worker("w1"), "POST", "/api/workers/w1/drain", {}, WORKER),
    "pause_workers": (lambda c: c.pause_workers("tea"), "POST", "/api/workers/pause", {}, WORKERS),
    "resume_workers": (lambda c: c.resume_workers(), "POST", "/api/workers/resume", {}, WORKERS),
    "drain_workers": (lambda c: c.drain_workers(), "POST", "/api/workers/drain", {}, WORKERS),
    "scale_workers": (lambda c: c.scale_workers(3, 2), "POST", "/api/workers/scale", {}, WORKERS),
    "get_forecast": (
        lambda c: c.get_forecast(3, 512),
        "GET",
        "/api/workers/forecast",
        {"workers": "3", "batch_size": "512"},
        FORECAST,
    ),
    "get_worker_log": (
        lambda c: c.get_worker_log("w1", NOW),
        "GET",
        "/api/workers/w1/log",
        {"at": NOW.isoformat()},
        WorkerLog(worker_id="w1", at=NOW, lines=[LogLine(at=NOW, level="warning", message="embedding_failed")], taken_at=NOW),
    ),
    "list_shift": (lambda c: c.list_shift(limit=5), "GET", "/api/shift", {"limit": "5"}, ShiftReading(entries=[NOTE], taken_at=NOW)),
    "add_note": (lambda c: c.add_note("the disk is new", NOW), "POST", "/api/shift/notes", {}, NOTE),
}
