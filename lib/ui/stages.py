"""The five stations of the road, from the readings: how much, in which state, since when, and where to see more. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from html import escape

from lib.contract.jobs import Job
from lib.contract.states import JobState, Operation, WorkerRole
from lib.ui.capacity import find_workers, is_capacity
from lib.ui.eta import describe_time_left
from lib.ui.findings import Readings
from lib.ui.format import UNKNOWN, format_count, format_duration
from lib.ui.marks import JOB_MARKS, UNKNOWN_MARK, Mark, Tone, moment
from lib.ui.results import count_of, text_of
from lib.ui.session import Params, zone


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One station. ``note`` is ready HTML and ends with an age; ``params`` make the page show just what the station speaks of."""

    name: str
    icon: str
    count: str
    unit: str
    mark: Mark
    note: str = ""
    page: str
    label: str
    params: dict[str, str] = field(default_factory=dict)


def find_stages(readings: Readings) -> list[Stage]:
    """From the sheet to the sheet."""
    return [build(readings) for build in (_sheet, _table, _queue, _index, _export)]


def _sheet(readings: Readings) -> Stage:
    last, running = _last(readings, Operation.IMPORT), _running(readings, Operation.IMPORT)
    counts = [count for name in ("new", "changed", "unchanged") if (count := count_of(last, name)) is not None]
    mark, note = _never(readings), "nothing imported yet"
    if last:
        mark = Mark(Tone.DONE, "check_circle", "imported") if last.state is JobState.SUCCEEDED else JOB_MARKS[last.state]
        note = _joined(escape(text_of(last, "source_name") or ""), _age(last, readings))
    if running:
        mark, note = JOB_MARKS[running.state], f"import in progress, {moment(running.created_at, now=readings.now, zone=zone())}"
    shown = running or last
    return Stage(
        name="Sheet",
        icon="upload",
        count=format_count(sum(counts) if counts else None),
        unit="rows read",
        mark=mark,
        note=note,
        page="Import",
        label="Show this import" if shown else "Import a sheet",
        params={Params.JOB: shown.job_id} if shown else {},
    )


def _table(readings: Readings) -> Stage:
    queue, last = readings.queue, _last(readings, Operation.IMPORT)
    stage = partial(Stage, name="Table", icon="table_rows", unit="entries", page="Export", label="Export the table")
    if queue is None:
        return stage(count=UNKNOWN, mark=UNKNOWN_MARK)
    mark = Mark(Tone.DONE, "check_circle", "kept") if queue.entries else Mark(Tone.IDLE, "radio_button_unchecked", "empty")
    changed = f"changed {_age(last, readings)}" if last and last.finished_at else ""
    return stage(count=format_count(queue.entries), mark=mark, note=_joined(f"{format_count(queue.embedded)} embedded", changed))


def _queue(readings: Readings) -> Stage:
    queue = readings.queue
    stage = partial(Stage, name="Queue", icon="stacks", unit="waiting", page="Queue")
    if queue is None:
        return stage(count=UNKNOWN, mark=UNKNOWN_MARK, label="Open the queue")
    workers = find_workers(readings.workers, WorkerRole.EMBEDDING)
    if queue.failed:
        mark = Mark(Tone.BAD, "error", f"{queue.failed:,} failed")
    elif workers and not any(map(is_capacity, workers)):
        mark = Mark(Tone.HELD, "pause_circle", "held")
    elif queue.backlog:
        mark = Mark(Tone.BUSY, "play_circle", "draining")
    else:
        mark = Mark(Tone.DONE, "check_circle", "empty")
    oldest = f"oldest waits {format_duration(queue.lag_seconds)}" if queue.lag_seconds is not None else "nothing waits"
    left = f"{describe_time_left(queue)} left" if queue.backlog and queue.eta_low_seconds is not None else ""
    label = "See the failed rows" if queue.failed else "Open the queue"
    return stage(count=format_count(queue.backlog), mark=mark, note=_joined(oldest, left), label=label)


def _index(readings: Readings) -> Stage:
    index = readings.index
    stage = partial(Stage, name="Index", icon="hub", unit="vectors", page="Index", label="Search the index")
    if index is None:
        return stage(count=UNKNOWN, mark=UNKNOWN_MARK)
    building = _running(readings, Operation.REBUILD) or _running(readings, Operation.REFRESH)
    if building:
        mark = Mark(Tone.BUSY, "play_circle", "building") if building.state is JobState.RUNNING else JOB_MARKS[building.state]
    elif index.generation is None:
        mark = Mark(Tone.IDLE, "radio_button_unchecked", "none yet")
    elif index.unindexed:
        mark = Mark(Tone.HELD, "sync", f"{index.unindexed:,} behind")
    else:
        mark = Mark(Tone.DONE, "check_circle", "up to date")
    built = f"built {moment(index.built_at, now=readings.now, zone=zone())}"
    note = _joined(f"generation {index.generation}", built) if index.generation else "built after the first import"
    return stage(count=format_count(index.vectors), mark=mark, note=note)


def _export(readings: Readings) -> Stage:
    last, running = _last(readings, Operation.EXPORT), _running(readings, Operation.EXPORT)
    mark, shown = _never(readings), running or last
    if shown:
        mark = Mark(Tone.DONE, "check_circle", "exported") if shown.state is JobState.SUCCEEDED else JOB_MARKS[shown.state]
    return Stage(
        name="Sheet",
        icon="download",
        count=format_count(count_of(last, "rows")),
        unit="rows written",
        mark=mark,
        note=_age(last, readings) if last else "nothing exported yet",
        page="Export",
        label="Show this export" if shown else "Export to a file",
        params={Params.JOB: shown.job_id} if shown else {},
    )


def _joined(*parts: str) -> str:
    return " · ".join(filter(None, parts))


def _age(job: Job | None, readings: Readings) -> str:
    return moment(job.finished_at, now=readings.now, zone=zone()) if job and job.finished_at else ""


def _never(readings: Readings) -> Mark:
    return Mark(Tone.IDLE, "radio_button_unchecked", "not yet") if readings.jobs else UNKNOWN_MARK


def _last(readings: Readings, operation: Operation) -> Job | None:
    return next((reading.last for reading in readings.jobs.operations if reading.operation is operation), None) if readings.jobs else None


def _running(readings: Readings, operation: Operation) -> Job | None:
    return next((job for job in readings.jobs.active if job.operation is operation), None) if readings.jobs else None
