"""Readings to publish, and ways to hear them."""

from __future__ import annotations

from typing import Any

from lib.client.events import Event, EventParser
from lib.contract.events import Topic
from lib.contract.index import IndexReading
from lib.contract.model import utc_now
from lib.contract.queue import QueueReading
from lib.contract.states import Actual, Desired, WorkerRole
from lib.contract.workers import Worker, WorkersReading
from lib.service.feed import Feed


class Clock:
    """Time that passes when a test says so."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def queue(pending: int) -> QueueReading:
    return QueueReading(entries=0, pending=pending, leased=0, failed=0, embedded=0, taken_at=utc_now())


def index(vectors: int) -> IndexReading:
    return IndexReading(vectors=vectors, taken_at=utc_now())


def workers(**more: Any) -> WorkersReading:
    worker = {
        "worker_id": "w",
        "role": WorkerRole.EMBEDDING,
        "host": "h",
        "pid": 1,
        "desired": Desired.RUNNING,
        "actual": Actual.IDLE,
        "stale": False,
        "heartbeat_at": utc_now(),
    }
    return WorkersReading(workers=[Worker.model_validate({**worker, **more})], taken_at=utc_now())


def events_in(pieces: list[bytes]) -> list[Event]:
    return list(EventParser().feed(b"".join(pieces)))


def all_after(feed: Feed, cursor: int) -> list[Event]:
    return events_in(feed.after(cursor, tuple(Topic), 1 << 30)[1])


def started_at(feed: Feed) -> int:
    return int(feed.snapshot_id())
