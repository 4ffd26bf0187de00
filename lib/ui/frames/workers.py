"""Workers: each process with what people want of it and what it does, and the wishes one may have."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from html import escape

import streamlit as st

from lib.contract.events import Topic
from lib.contract.states import Actual, Desired, WorkerRole
from lib.contract.workers import Worker, WorkersReading
from lib.ui.dialogs import Question, ask, reason_input
from lib.ui.findings import describe_wish, find_workers, is_capacity
from lib.ui.format import UNKNOWN, format_count, format_duration, format_rate, plural
from lib.ui.live import connection_gate, latest_workers, live_block
from lib.ui.marks import ACTUAL_MARKS, DESIRED_MARKS, STALE, Mark, Tile, Tone, badge, differs, icon, mark_worker, moment, tiles
from lib.ui.notices import attempt, notify
from lib.ui.session import get_client, now, zone
from lib.ui.widgets import gated_button, show_heading, show_nothing, show_unknown

ROLE_WORDS = {
    WorkerRole.EMBEDDING: ("Embedding workers", "turn rows into vectors"),
    WorkerRole.OPERATIONS: ("Operations workers", "perform imports, exports and index builds"),
}


@st.fragment(key="workers")
def show_workers() -> None:
    """The live part of the page."""
    with live_block("workers"):
        reading = latest_workers()
        if reading is None:
            show_unknown("Workers")
            return
        st.html(_tiles(reading))
        _show_all_buttons(reading)
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
            Tile(label="Held", value=str(len(held)), note="paused or draining", tone=Tone.HELD if held else None),
            Tile(label="Silent", value=str(len(stale)), note="no heartbeat", tone=_bad(bool(stale))),
        ]
    )


def _bad(is_so: bool) -> Tone | None:
    return Tone.BAD if is_so else None


def _show_all_buttons(reading: WorkersReading) -> None:
    embedding = find_workers(reading, WorkerRole.EMBEDDING)
    count = plural(len(embedding), "embedding worker")
    gate = connection_gate()
    with st.container(horizontal=True, vertical_alignment="center", key="all_workers"):
        if any(worker.desired is Desired.RUNNING for worker in embedding):
            if gated_button("Pause all", gate, key="pause_all", icon_name="pause"):
                _ask(
                    f"Pause {count}?",
                    f"{_PAUSE_BODY} Rows wait in the queue until you resume them.",
                    "Pause all",
                    get_client().pause_workers,
                    f"Paused {count}",
                )
            if gated_button("Drain all", gate, key="drain_all", icon_name="downloading"):
                _ask(
                    f"Drain {count}?",
                    f"{_DRAIN_BODY} Rows wait in the queue until you resume them.",
                    "Drain all",
                    get_client().drain_workers,
                    f"Draining {count}",
                )
        if any(worker.desired is not Desired.RUNNING for worker in embedding) and gated_button(
            "Resume all", gate, key="resume_all", icon_name="play_arrow", primary=True
        ):
            _resume(get_client().resume_workers, f"Resumed {count}")


_PAUSE_BODY = "They put back what they hold and take nothing more. This survives a restart. **Resume** undoes it."
_DRAIN_BODY = "They finish what they hold and take nothing more. This survives a restart. **Resume** undoes it."


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
    facts, buttons = st.columns([5, 1.35], vertical_alignment="center", gap="small")
    facts.html(worker_row(worker))
    with buttons, st.container(horizontal=True, horizontal_alignment="right", gap="small"):
        _show_buttons(worker)


def worker_row(worker: Worker) -> str:
    """One worker as one row of facts, and a second line when somebody holds it or it differs from what is wanted."""
    at = now()
    mark = mark_worker(worker)
    if mark is STALE and worker.heartbeat_at is not None:
        mark = Mark(mark.tone, mark.icon, f"stale, silent for {format_duration((at - worker.heartbeat_at).total_seconds())}")
    doing = (
        f"{escape(worker.doing)} <span class='sy-note'>since {moment(worker.doing_since, now=at, zone=zone())}</span>"
        if worker.doing
        else "<span class='sy-muted'>nothing in hand</span>"
    )
    numbers = "".join(
        f'<span class="sy-cell"><span class="sy-note">{name}</span><br>{value}</span>'
        for name, value in (
            ("Processed", format_count(worker.processed)),
            ("Failed", format_count(worker.failed)),
            ("Rate", format_rate(worker.rate_per_second)),
            ("Heartbeat", moment(worker.heartbeat_at, now=at, zone=zone())),
        )
    )
    where = " · ".join(escape(str(part)) for part in (worker.host, f"pid {worker.pid}" if worker.pid else None, worker.embedder) if part)
    return (
        f'<div class="sy-worker"><span class="sy-who"><b>{escape(worker.worker_id)}</b> {badge(mark)}'
        f'<br><span class="sy-note">{where}</span></span>'
        f'<span class="sy-doing">{doing}</span>{numbers}</div>{_second_line(worker)}'
    )


def _second_line(worker: Worker) -> str:
    if worker.desired is Desired.RUNNING and not differs(worker):
        return ""
    both = ""
    if differs(worker):
        both = f"Wanted <b>{DESIRED_MARKS[worker.desired].word}</b>, says <b>{ACTUAL_MARKS[worker.actual].word}</b>. "
    wish = escape(describe_wish(worker, now())) if worker.desired is not Desired.RUNNING else ""
    return f'<div class="sy-wish">{icon("person")} {both}{wish}</div>'


def _show_buttons(worker: Worker) -> None:
    gate, name = connection_gate(), worker.worker_id
    if worker.actual is Actual.STOPPED:
        return
    if worker.desired is Desired.RUNNING:
        if st.button("Pause", key=f"pause_{name}", disabled=not gate.allowed, help=f"Pause {name}"):
            _ask(
                f"Pause {name}?",
                _PAUSE_BODY.replace("They put", "It puts").replace("they hold and take", "it holds and takes"),
                "Pause",
                partial(get_client().pause_worker, name),
                f"Paused {name}",
            )
        if st.button("Drain", key=f"drain_{name}", disabled=not gate.allowed, help=f"Drain {name}"):
            _ask(
                f"Drain {name}?",
                _DRAIN_BODY.replace("They finish", "It finishes").replace("they hold and take", "it holds and takes"),
                "Drain",
                partial(get_client().drain_worker, name),
                f"Draining {name}",
            )
    elif st.button("Resume", key=f"resume_{name}", type="primary", disabled=not gate.allowed, help=f"Resume {name}"):
        _resume(partial(get_client().resume_worker, name), f"Resumed {name}")
    if not gate.allowed:
        st.html('<span class="sy-why">service offline</span>', width="content")


def _ask(title: str, body: str, verb: str, wish: Callable[[str], object], done: str) -> None:
    ask(Question(title=title, body=body, verb=verb, perform=partial(_perform, wish, done), inputs=reason_input))


def _perform(wish: Callable[[str], object], done: str, reason: str) -> str:
    wish(reason or "")
    return done


def _resume(wish: Callable[[], object], done: str) -> None:
    """Reversible, so it is not asked about."""
    if attempt(lambda: wish() or True, failing="Nothing was resumed"):
        notify(done)
    st.rerun()
