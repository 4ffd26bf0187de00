"""The figures of a moment beside those of the present. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from lib.contract.events import JobsReading
from lib.contract.index import IndexReading
from lib.contract.moments import Moment
from lib.contract.queue import QueueReading
from lib.contract.workers import WorkersReading
from lib.ui.findings import Readings
from lib.ui.format import UNKNOWN, format_age, format_count, format_duration
from lib.ui.marks import JOB_MARKS, OPERATION_WORDS, mark_worker


@dataclass(frozen=True)
class Compared:
    """One figure, then and now."""

    what: str
    then: str
    now: str

    @property
    def differs(self) -> bool:
        """Whether it is another one now."""
        return self.then != self.now


#: page → the readings it speaks of; a page that is not here speaks of all.
_PARTS: dict[str, tuple[str, ...]] = {
    "Import": ("queue", "jobs"),
    "Export": ("jobs",),
    "Workers": ("workers", "queue"),
    "Queue": ("queue", "workers"),
    "Index": ("index", "queue"),
}
_ALL = ("queue", "index", "workers", "jobs")

_Figures = Iterator[tuple[str, str]]


def compare(page: str, then: Moment, present: Readings) -> list[Compared]:
    """What the page called ``page`` speaks of, then and now; a figure that one of them lacks is unknown there."""
    rows: list[Compared] = []
    for part in _PARTS.get(page, _ALL):
        before = dict(_figures(getattr(then, part), then.taken_at))
        after = dict(_figures(getattr(present, part), present.now))
        rows += [Compared(name, before.get(name, UNKNOWN), after.get(name, UNKNOWN)) for name in dict.fromkeys((*before, *after))]
    return rows


def _figures(reading: object, at: datetime) -> _Figures:
    match reading:
        case QueueReading():
            yield from _of_queue(reading)
        case IndexReading():
            yield from _of_index(reading)
        case WorkersReading():
            yield from ((worker.worker_id, mark_worker(worker).word) for worker in reading.workers)
        case JobsReading():
            yield from _of_jobs(reading, at)


def _of_queue(queue: QueueReading) -> _Figures:
    yield "Entries", format_count(queue.entries)
    yield "Pending", format_count(queue.pending)
    yield "In work", format_count(queue.leased)
    yield "Failed", format_count(queue.failed)
    yield "Embedded", format_count(queue.embedded)
    yield "Lag", format_duration(queue.lag_seconds)


def _of_index(index: IndexReading) -> _Figures:
    yield "Generation", format_count(index.generation)
    yield "Vectors", format_count(index.vectors)
    yield "Not yet in the index", format_count(index.unindexed)
    yield "SHA-256", (index.sha256 or UNKNOWN)[:12]


def _of_jobs(jobs: JobsReading, at: datetime) -> _Figures:
    yield "Jobs running", format_count(len(jobs.active))
    for reading in jobs.operations:
        if reading.last is not None:
            word = JOB_MARKS[reading.last.state].word
            yield (
                f"Last {OPERATION_WORDS[reading.operation].lower()}",
                f"{word} {format_age(reading.last.finished_at, at)}, {reading.last.job_id[:8]}",
            )
