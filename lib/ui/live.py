"""The ticker, and the hub's memory as the frames read it. A tick costs no request."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import streamlit as st
from streamlit_autorefresh import st_autorefresh

from lib.client.errors import TimedOut, Unreachable
from lib.contract.events import JobsReading, Topic
from lib.contract.index import IndexReading
from lib.contract.jobs import Job
from lib.contract.operations import Gate, OperationReading
from lib.contract.queue import QueueReading
from lib.contract.settings import SettingsReading, SettingValue
from lib.contract.shift import ShiftReading
from lib.contract.states import Operation
from lib.contract.workers import Hold, WorkersReading
from lib.ui.marks import is_held
from lib.ui.session import Keys, get_hub

#: What people may choose → milliseconds; 0 is off.
INTERVALS: dict[str, int] = {"1 s": 1000, "2 s": 2000, "5 s": 5000, "15 s": 15_000, "Off": 0}
DEFAULT_INTERVAL = "2 s"
#: Seconds between two runs of the status bar: the watchdog that brings a page back after a restart of the server.
WATCHDOG_SECONDS = 3.0

_Value = TypeVar("_Value")


def choose_interval() -> None:
    """The choice of the refresh interval; it holds for all pages of the session."""
    st.segmented_control(
        "Refresh every",
        list(INTERVALS),
        default=DEFAULT_INTERVAL,
        required=True,
        key=Keys.REFRESH,
        persist_state="session",
        width="stretch",
    )
    if not interval_ms():
        st.button("Refresh now", icon=":material/refresh:", width="stretch", key="refresh_now")


def interval_ms() -> int:
    """The chosen interval; 0 when live updates are off."""
    return INTERVALS.get(st.session_state.get(Keys.REFRESH) or DEFAULT_INTERVAL, INTERVALS[DEFAULT_INTERVAL])


def refresh_words() -> str:
    """The chosen interval in words."""
    return f"every {interval_ms() / 1000:g} s" if interval_ms() else "off"


def note_looked() -> None:
    """Remember what the page shows from here on; called once in each run of the whole page."""
    st.session_state[Keys.LOOKED] = get_hub().version


def updates_waiting() -> int:
    """How many changes have come since the page looked; 0 while it looks by itself."""
    if interval_ms():
        return 0
    version = get_hub().version
    return max(0, version - int(st.session_state.get(Keys.LOOKED, version)))


def ticker(name: str, *, least_seconds: float = 0.0, moves: bool = True) -> None:
    """Redraw the fragment that calls this at every interval, but not more often than it says; quiet while a dialog is open."""
    milliseconds = max(interval_ms(), int(least_seconds * 1000)) if interval_ms() and moves else 0
    # A box even without a ticker: what stands below keeps its place, and so the focus that is in it.
    with st.container(key=f"ticker_{name}"):
        if milliseconds and Keys.QUESTION not in st.session_state and Keys.VIEW not in st.session_state:
            st_autorefresh(interval=milliseconds, debounce=False, key=f"tick_{name}")


@contextmanager
def live_block(name: str, *, least_seconds: float = 0.0, moves: bool = True) -> Iterator[None]:
    """The body of a live fragment: its ticker, and the box that looks stale while the service does not answer.

    ``least_seconds``: for what changes slowly and costs much to draw, such as charts; the chosen interval holds if it is longer.
    ``moves``: whether anything is shown that could change by itself.
    """
    ticker(name, least_seconds=least_seconds, moves=moves)
    with st.container(key=f"live_{name}"):
        yield


@dataclass(frozen=True)
class Freshness:
    """How far a block can be believed: ``stale_since`` is null while something keeps confirming it."""

    as_of: datetime | None
    stale_since: datetime | None


def freshness(topic: Topic) -> Freshness:
    """When the topic's reading was last known to be true."""
    hub = get_hub()
    as_of = hub.as_of(topic)
    return Freshness(as_of, as_of if as_of and hub.stale(topic, interval_ms() / 1000) else None)


def is_offline() -> bool:
    """Whether neither the stream nor polling gets an answer."""
    return get_hub().connection.state == "offline" and not is_connecting()


def is_connecting() -> bool:
    """Whether the feed has only just been started: no news yet, which is not bad news."""
    link = get_hub().connection
    return link.state == "offline" and link.reason in {"connecting", "not started"}


def latest_queue() -> QueueReading | None:
    """The last known queue; None before the first word of the service."""
    return get_hub().reading(Topic.QUEUE)


def latest_workers() -> WorkersReading | None:
    """The last known workers."""
    return get_hub().reading(Topic.WORKERS)


def latest_jobs() -> JobsReading | None:
    """The last known jobs and gates."""
    return get_hub().reading(Topic.JOBS)


def latest_index() -> IndexReading | None:
    """The last known index."""
    return get_hub().reading(Topic.INDEX)


def latest_settings() -> SettingsReading | None:
    """The last known settings."""
    return get_hub().reading(Topic.SETTINGS)


def read_setting(name: str) -> SettingValue | None:
    """How a setting stands; None before the first word of the service."""
    reading = latest_settings()
    return next((setting.value for setting in reading.settings if setting.name == name), None) if reading else None


def latest_shift() -> ShiftReading | None:
    """The last known shift log."""
    return get_hub().reading(Topic.SHIFT)


def find_job(job_id: str) -> Job | None:
    """A job of the hub's memory; None when it ended too long ago to be there."""
    jobs = latest_jobs()
    return next((job for job in (*jobs.active, *jobs.recent) if job.job_id == job_id), None) if jobs else None


def newest_jobs() -> str:
    """Changes whenever a job starts or ends, so that what is cached is read anew exactly then."""
    jobs = latest_jobs()
    return "" if jobs is None else ",".join(f"{job.job_id}{job.state}" for job in (*jobs.active, *jobs.recent[:3]))


def find_operation(operation: Operation) -> OperationReading | None:
    """What the service says of an operation."""
    jobs = latest_jobs()
    return next((reading for reading in jobs.operations if reading.operation is operation), None) if jobs else None


def current_hold() -> tuple[Hold, int] | None:
    """The job that makes workers stand still, and how many that people want to run; None when none does."""
    workers = latest_workers()
    holds = [worker.held_by for worker in workers.workers if is_held(worker) and worker.held_by is not None] if workers else []
    return (holds[0], len(holds)) if holds else None


def connection_gate() -> Gate:
    """Whether anything may be asked of the service at all."""
    if is_offline():
        since = get_hub().connection.since
        return Gate(allowed=False, reason_text="The service does not answer; actions are off until it is back.", since=since)
    return Gate(allowed=True)


def gate_of(operation: Operation) -> Gate:
    """The gate of an operation: the service's own words, or why they are not known."""
    gate = connection_gate()
    reading = find_operation(operation)
    if not gate.allowed or reading is None:
        return gate if not gate.allowed else Gate(allowed=False, reason_text="Waiting for the first word of the service.")
    return reading.gate


def last_known(name: str, fetch: Callable[[], _Value]) -> _Value | None:
    """What ``fetch`` says; while nothing answers, what it last said in this session, without asking. None: never said."""
    known = f"known_{name}"
    if is_offline():
        return st.session_state.get(known)
    try:
        st.session_state[known] = value = fetch()
    except (Unreachable, TimedOut):
        return st.session_state.get(known)
    return value
