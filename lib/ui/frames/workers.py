"""Workers: each process with what people want of it and what it does, and the wishes one may have for one, some or all."""

from __future__ import annotations

from datetime import timedelta
from html import escape

import streamlit as st

from lib.contract.events import Topic
from lib.contract.queue import CAUSES
from lib.contract.states import Actual, Desired, WorkerRole
from lib.contract.workers import Worker, WorkersReading
from lib.ui.capacity import describe_wish, find_workers, is_capacity
from lib.ui.format import UNKNOWN, format_clock, format_count, format_duration, format_rate, plural
from lib.ui.gates import gated_button, show_why
from lib.ui.live import connection_gate, latest_workers, live_block
from lib.ui.marks import ACTUAL_MARKS, DESIRED_MARKS, STALE, Mark, Tile, Tone, badge, differs, icon, mark_worker, moment, tiles
from lib.ui.session import now, zone
from lib.ui.sparks import spark
from lib.ui.widgets import describe_hold, show_heading, show_nothing, show_unknown
from lib.ui.wishes import ask_all, ask_drain, pause_one, reason_field, resume_all, resume_one

ROLE_WORDS = {
    WorkerRole.EMBEDDING: ("Embedding workers", "turn rows into vectors"),
    WorkerRole.OPERATIONS: ("Operations workers", "perform imports, exports and index builds"),
}
#: Rates are sampled every half minute.
RATES_ARE_OF_NOW = timedelta(minutes=1)


@st.fragment(key="workers")
def show_workers() -> None:
    """The live part of the page."""
    with live_block("workers"):
        reading = latest_workers()
        if reading is None:
            show_unknown("Workers")
            return
        st.html(_tiles(reading))
        _show_buttons_for_several(reading)
        for role, (title, sentence) in ROLE_WORDS.items():
            _show_role(reading, role, title, sentence)


def _tiles(reading: WorkersReading) -> str:
    embedding = find_workers(reading, WorkerRole.EMBEDDING)
    held = [worker for worker in embedding if worker.desired is not Desired.RUNNING]
    stale = [worker for worker in reading.workers if worker.stale and worker.actual is not Actual.STOPPED]
    rates = [worker.rate_per_second for worker in embedding if worker.rate_per_second is not None and not worker.stale]
    return tiles(
        [
            Tile(
                label="Capacity", value=f"{sum(map(is_capacity, embedding))} of {len(embedding)}", note="embedding workers that take rows"
            ),
            Tile(label="Embedded per second", value=format_rate(sum(rates)) if rates else UNKNOWN, note="mean of the last minute"),
            Tile(label="Embedded", value=format_count(sum(worker.processed for worker in embedding)), note="rows since they started"),
            Tile(
                label="Failed",
                value=format_count(sum(worker.failed for worker in embedding)),
                note="rows since they started",
                tone=_bad(any(worker.failed for worker in embedding)),
            ),
            Tile(label="Held", value=str(len(held)), note="paused or draining, by people", tone=Tone.HELD if held else None),
            Tile(label="Silent", value=str(len(stale)), note="no heartbeat", tone=_bad(bool(stale))),
        ]
    )


def _bad(is_so: bool) -> Tone | None:
    return Tone.BAD if is_so else None


def _show_buttons_for_several(reading: WorkersReading) -> None:
    """For those that are ticked, or for all embedding workers."""
    embedding = find_workers(reading, WorkerRole.EMBEDDING)
    chosen = [worker for worker in embedding if st.session_state.get(_tick(worker))]
    which, some = (f"{len(chosen)} chosen", chosen) if chosen else ("all", embedding)
    running = [worker for worker in some if worker.desired is Desired.RUNNING]
    gate = connection_gate()
    with st.container(horizontal=True, vertical_alignment="bottom", key="all_workers"):
        if running and gated_button(f"Pause {which}", gate, key="pause_all", icon_name="pause"):
            ask_all(Desired.PAUSED, some, chosen=bool(chosen))
        if running and gated_button(f"Drain {which}", gate, key="drain_all", icon_name="downloading"):
            ask_all(Desired.DRAINING, some, chosen=bool(chosen))
        if len(running) < len(some) and gated_button(
            f"Resume {which}", gate, key="resume_all", icon_name="play_arrow", primary=bool(gate.allowed)
        ):
            resume_all(some, chosen=bool(chosen))
        if running:
            reason_field()


def _tick(worker: Worker) -> str:
    return f"choose_{worker.worker_id}"


def _show_role(reading: WorkersReading, role: WorkerRole, title: str, sentence: str) -> None:
    show_heading(title, Topic.WORKERS, note=sentence)
    workers = [worker for worker in reading.workers if worker.role is role]
    if not workers:
        show_nothing(
            f"No {title.lower()} are known.",
            "They start with the console; SWITCHYARD_WORKERS says how many. If none appears, look at the console's log.",
        )
    for worker in workers:
        with st.container(border=True, key=f"worker_{worker.worker_id}"):
            _show_worker(worker)


def _show_worker(worker: Worker) -> None:
    gate = connection_gate()
    facts, buttons = st.columns([5, 1.35], vertical_alignment="center", gap="small")
    facts.html(worker_row(worker))
    if worker.actual is Actual.STOPPED:
        return
    with buttons, st.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center", gap="small"):
        if worker.role is WorkerRole.EMBEDDING:
            st.checkbox("Choose", key=_tick(worker))
        _show_buttons(worker, allowed=gate.allowed)
    if not gate.allowed:
        show_why(gate, key=f"wish_{worker.worker_id}")


def _show_buttons(worker: Worker, *, allowed: bool) -> None:
    name = worker.worker_id
    if worker.desired is not Desired.RUNNING:
        label = "Call off the drain" if worker.desired is Desired.DRAINING and worker.actual is not Actual.DRAINED else "Resume"
        if st.button(label, key=f"resume_{name}", disabled=not allowed, help=f"Resume {name}"):
            resume_one(worker)
        return
    if st.button("Pause", key=f"pause_{name}", disabled=not allowed, help=f"{name} stops after the batch in hand"):
        pause_one(worker)
    if st.button("Drain", key=f"drain_{name}", disabled=not allowed, help=f"{name} finishes what it holds, then takes no more"):
        ask_drain(worker)


def worker_row(worker: Worker) -> str:
    """One worker as one row of facts, and a second line when somebody holds it or it differs from what is wanted."""
    at = now()
    mark = mark_worker(worker)
    if mark is STALE and worker.heartbeat_at is not None:
        mark = Mark(mark.tone, mark.icon, f"telemetry stale, silent for {format_duration((at - worker.heartbeat_at).total_seconds())}")
    doing = (
        f"{escape(worker.doing)} <span class='sy-note'>since {moment(worker.doing_since, now=at, zone=zone())}{_left(worker)}</span>"
        if worker.doing
        else "<span class='sy-muted'>nothing in hand</span>"
    )
    numbers = "".join(
        f'<span class="sy-cell"><span class="sy-note">{name}</span><br>{value}</span>'
        for name, value in (
            ("Processed", format_count(worker.processed)),
            ("Failed", _failed(worker)),
            ("Rate 1 · 15 min", _rates(worker)),
            ("Heartbeat", heartbeat(worker)),
        )
    )
    where = " · ".join(escape(str(part)) for part in (worker.host, f"pid {worker.pid}" if worker.pid else None, worker.embedder) if part)
    return (
        f'<div class="sy-worker"><span class="sy-who"><b>{escape(worker.worker_id)}</b> {badge(mark)}'
        f'<br><span class="sy-note">{where}</span></span>'
        f'<span class="sy-doing">{doing}</span>{numbers}</div>{_second_line(worker)}'
    )


def _left(worker: Worker) -> str:
    """How long the batch in hand still takes, by the worker's own pace."""
    if worker.batch_ends_at is None or not worker.holding or worker.stale:
        return ""
    seconds = (worker.batch_ends_at - now()).total_seconds()
    return f", about {format_duration(seconds)} left" if seconds > 0 else ", done any moment"


def _failed(worker: Worker) -> str:
    count = format_count(worker.failed)
    if worker.last_failure_cause is None:
        return count
    words = f"{CAUSES[worker.last_failure_cause][0]} {format_clock(worker.last_failure_at, zone())}"
    return f'<a href="/Queue?cause={worker.last_failure_cause}" target="_self" title="Last: {escape(words)}">{count}</a>'


def _rates(worker: Worker) -> str:
    if worker.role is not WorkerRole.EMBEDDING:
        return UNKNOWN
    one = UNKNOWN if worker.stale else format_rate(worker.rate_per_second)
    return f"{one} · {format_rate(worker.rate_15m_per_second)}{spark(worker.recent_rates)}{_worked(worker)}"


def _worked(worker: Worker) -> str:
    """When the rates are of, once that is a while ago: they stay as they were when it last worked."""
    if worker.worked_at is None or not worker.recent_rates or now() - worker.worked_at < RATES_ARE_OF_NOW:
        return ""
    return f'<br><span class="sy-note">worked {moment(worker.worked_at, now=now(), zone=zone())}</span>'


def heartbeat(worker: Worker) -> str:
    """Alive while its word is fresh; its age only when that is the news (an idle feed repeats no heartbeats)."""
    if worker.actual is Actual.STOPPED:
        return UNKNOWN
    if worker.stale:
        return f'<span class="sy-ink-bad">{moment(worker.heartbeat_at, now=now(), zone=zone())}</span>'
    return "alive" if worker.heartbeat_at else UNKNOWN


def _second_line(worker: Worker) -> str:
    """A person's wish first, always; then the job that makes it stand still."""
    lines = []
    both = ""
    if differs(worker):
        both = f"Wanted <b>{DESIRED_MARKS[worker.desired].word}</b>, says <b>{ACTUAL_MARKS[worker.actual].word}</b>. "
    if worker.desired is not Desired.RUNNING or both:
        wish = escape(describe_wish(worker, now())) if worker.desired is not Desired.RUNNING else ""
        lines.append(f"{icon('person')} {both}{wish}{_remaining(worker)}")
    if worker.held_by is not None:
        lines.append(f"{icon('front_hand')} {describe_hold(worker.held_by)}")
    return "".join(f'<div class="sy-wish">{line}</div>' for line in lines)


def _remaining(worker: Worker) -> str:
    """What a drain still waits for."""
    if worker.desired is not Desired.DRAINING or not worker.holding:
        return ""
    deadline = f"; what is not done by {format_clock(worker.drain_ends_at, zone())} goes back to the queue" if worker.drain_ends_at else ""
    return f" {plural(worker.holding, 'row')} in hand{_left(worker) or ', time left unknown'}{deadline}."
