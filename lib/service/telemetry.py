"""The one producer of the live feed: it samples every topic, whatever the number of listeners."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog
from sqlalchemy import Connection

from lib.contract.events import JobsReading, TelemetrySnapshot, Topic
from lib.contract.model import Reading, utc_now
from lib.contract.states import IntentionState
from lib.service.feed import Feed
from lib.service.jobs import read_operations
from lib.service.queue import read_queue
from lib.service.search import Search
from lib.service.settings import list_settings
from lib.service.shift import read_shift
from lib.service.storage import intentions, jobs, paces, samples
from lib.service.storage.database import Database
from lib.service.wishes import read_workers

log = structlog.get_logger("telemetry")

SAMPLE_SECONDS = 1.0
#: The set of active jobs is looked at more often than anything else: the end of a job is told at once.
JOBS_SECONDS = 0.25
RECENT_JOBS = 10


def read_jobs(connection: Connection) -> JobsReading:
    """What runs, what ran, what may be started."""
    recent = [job for _, job in jobs.list_jobs(connection, limit=RECENT_JOBS)]
    return JobsReading(
        active=jobs.list_active_jobs(connection),
        recent=recent,
        operations=read_operations(connection),
        intentions=intentions.list_intentions(connection, state=IntentionState.WAITING),
        taken_at=utc_now(),
    )


class Telemetry:
    """Samples the topics into the feed and the queue's history."""

    def __init__(self, database: Database, feed: Feed, search: Search) -> None:
        self._database, self._feed, self._search = database, feed, search
        self._active: frozenset[str] = frozenset()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._produce, name="telemetry", daemon=True)

    def start(self) -> None:
        """Sample once, so that the first listener finds something; then go on in the background."""
        self._safely(self._sample)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        self._thread.join(timeout=5)

    def snapshot(self) -> TelemetrySnapshot:
        """Every topic read afresh."""
        event_id = self._feed.snapshot_id()
        return TelemetrySnapshot.model_validate({"last_event_id": str(event_id), **self._read()})

    def _read(self) -> dict[str, Reading]:
        index = self._search.read_index()
        with self._database.read() as connection:
            readings: dict[str, Reading] = {
                Topic.QUEUE: read_queue(connection, turned_back=index.turned_back),
                Topic.WORKERS: read_workers(connection),
                Topic.JOBS: read_jobs(connection),
                Topic.SHIFT: read_shift(connection),
            }
        return readings | {Topic.INDEX: index, Topic.SETTINGS: list_settings(self._database)}

    def _produce(self) -> None:
        next_sample, next_history = 0.0, 0.0
        while not self._stopping.wait(JOBS_SECONDS):
            now = time.monotonic()
            self._safely(self._tell_ended_jobs)
            if now >= next_sample:
                next_sample = now + SAMPLE_SECONDS
                self._safely(self._sample)
            if now >= next_history:
                next_history = now + samples.SAMPLE_SECONDS
                self._safely(self._write_history)

    def _safely(self, duty: Callable[[], None]) -> None:
        try:
            duty()
        except Exception as error:
            log.warning("sampling_failed", exc_info=error)

    def _tell_ended_jobs(self) -> None:
        with self._database.read() as connection:
            active = frozenset(job.job_id for job in jobs.list_active_jobs(connection))
            reading = read_jobs(connection) if self._active - active else None
        if reading is not None:
            self._feed.offer(Topic.JOBS, reading, at_once=True)
        self._active = active

    def _write_history(self) -> None:
        with self._database.write() as connection:
            samples.add_sample(connection, time.time())
            paces.sample_workers(connection, time.time())

    def _sample(self) -> None:
        for topic, reading in self._read().items():
            self._feed.offer(Topic(topic), reading)
