"""Workers: each process with what people want of it and what it does, and the wishes one may have."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from html import escape

import streamlit as st

from lib.contract.events import Topic
from lib.contract.states import Actual, Desired, WorkerRole
from lib.contract.workers import Worker, WorkersReading
from lib.ui.dialogs import MAX_REASON, Question, ask, reason_input
from lib.ui.findings import describe_wish, find_workers, is_capacity
from lib.ui.format import UNKNOWN, format_count, format_duration, format_rate, plural
from lib.ui.gates import gated_button, show_why
from lib.ui.live import connection_gate, latest_queue, latest_workers, live_block
from lib.ui.marks import ACTUAL_MARKS, DESIRED_MARKS, STALE, Mark, Tile, Tone, badge, differs, icon, mark_worker, moment, tiles
from lib.ui.notices import attempt, notify
from lib.ui.session import get_client, now, zone
from lib.ui.widgets import describe_hold, show_heading, show_nothing, show_unknown

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
            Tile(label="Held", value=str(len(held)), note="paused or draining, by people", tone=Tone.HELD if held else None),
            Tile(label="Silent", value=str(len(stale)), note="no heartbeat", tone=_bad(bool(stale))),
        ]
    )


def _bad(is_so: bool) -> Tone | None:
    return Tone.BAD if is_so else None


def _show_all_buttons(reading: WorkersReading) -> None:
    embedding = find_workers(reading, WorkerRole.EMBEDDING)
    running = [worker for worker in embedding if worker.desired is Desired.RUNNING]
    gate = connection_gate()
    with st.container(horizontal=True, vertical_alignment="bottom", key="all_workers"):
        if running and gated_button("Pause all", gate, key="pause_all", icon_name="pause"):
            _ask_all("Pause", running, "stop after the batch in hand", get_client().pause_workers, "Paused")
        if running and gated_button("Drain all", gate, key="drain_all", icon_name="downloading"):
            _ask_all("Drain", running, "finish what they hold and take nothing more", get_client().drain_workers, "Draining")
        if len(running) < len(embedding) and gated_button(
            "Resume all", gate, key="resume_all", icon_name="play_arrow", primary=bool(gate.allowed)
        ):
            _act(lambda: get_client().resume_workers(), f"Resumed {_count(len(embedding) - len(running))}", failing="Nothing was resumed")
        if running:
            _reason_field()


def _count(number: int) -> str:
    return plural(number, "embedding worker")


def _ask_all(verb: str, workers: list[Worker], what: str, wish: Callable[[str], object], done: str) -> None:
    """Tier 2: it stops the pipeline."""
    queue = latest_queue()
    backlog = queue.backlog if queue else 0
    rows = f"**{plural(backlog, 'row')}** wait or are in work" if backlog else "Nothing waits right now; new rows will"
    ask(
        Question(
            title=f"{verb} {_count(len(workers))}?",
            body=f"They {what}. {rows}: nothing becomes searchable until somebody resumes them. This survives a restart.",
            reversible="“Resume all” undoes it at any time.",
            verb=f"{verb} all",
            perform=partial(_perform, wish, f"{done} {_count(len(workers))}"),
            inputs=partial(reason_input, _reason()),
        )
    )


def _reason_field() -> None:
    """Why, asked before the click, so that pausing one worker needs no dialog."""
    st.text_input(
        "Reason, if you pause or drain",
        max_chars=MAX_REASON,
        key=_reason_key(),
        placeholder="shown with your name wherever the effect is felt",
        width=360,
    )


def _reason_key() -> str:
    return f"wish_reason_{st.session_state.get('wishes', 0)}"


def _reason() -> str:
    return st.session_state.get(_reason_key()) or ""


def _forget_reason() -> None:
    """A reason is good for one wish: the next one starts with an empty field."""
    st.session_state["wishes"] = st.session_state.get("wishes", 0) + 1


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
    with buttons, st.container(horizontal=True, horizontal_alignment="right", gap="small"):
        _show_buttons(worker, allowed=gate.allowed)
    if not gate.allowed:
        show_why(gate, key=f"wish_{worker.worker_id}")


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
            ("Heartbeat", heartbeat(worker)),
        )
    )
    where = " · ".join(escape(str(part)) for part in (worker.host, f"pid {worker.pid}" if worker.pid else None, worker.embedder) if part)
    return (
        f'<div class="sy-worker"><span class="sy-who"><b>{escape(worker.worker_id)}</b> {badge(mark)}'
        f'<br><span class="sy-note">{where}</span></span>'
        f'<span class="sy-doing">{doing}</span>{numbers}</div>{_second_line(worker)}'
    )


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
        lines.append(f"{icon('person')} {both}{wish}")
    if worker.held_by is not None:
        lines.append(f"{icon('front_hand')} {describe_hold(worker.held_by)}")
    return "".join(f'<div class="sy-wish">{line}</div>' for line in lines)


def _show_buttons(worker: Worker, *, allowed: bool) -> None:
    name, client = worker.worker_id, get_client()
    if worker.desired is not Desired.RUNNING:
        if st.button("Resume", key=f"resume_{name}", type="primary", disabled=not allowed, help=f"Resume {name}"):
            back = {Desired.PAUSED: client.pause_worker, Desired.DRAINING: client.drain_worker}[worker.desired]
            _act(
                lambda: client.resume_worker(name, "", worker.desired),
                f"Resumed {name}",
                failing=f"{name} was not resumed",
                undo=partial(_put_back, back, name, worker.desired_reason or "", Desired.RUNNING, f"{name} is {worker.desired} again"),
            )
        return
    if st.button("Pause", key=f"pause_{name}", disabled=not allowed, help=f"{name} stops after the batch in hand"):
        _act(
            lambda: client.pause_worker(name, _reason(), worker.desired),
            f"Paused {name}",
            failing=f"{name} was not paused",
            undo=partial(_put_back, client.resume_worker, name, "", Desired.PAUSED, f"{name} runs again"),
        )
    if st.button("Drain", key=f"drain_{name}", disabled=not allowed, help=f"{name} finishes what it holds, then takes no more"):
        _ask_drain(worker)


def _ask_drain(worker: Worker) -> None:
    name = worker.worker_id
    holds = f"It is **{worker.doing}**; it finishes that" if worker.doing else "It holds nothing right now"
    ask(
        Question(
            title=f"Drain {name}?",
            body=f"{holds} and takes nothing more, until somebody resumes it. This survives a restart.",
            reversible="“Resume” undoes it at any time.",
            verb="Drain",
            perform=partial(_perform, partial(get_client().drain_worker, name, expected=worker.desired), f"Draining {name}"),
            inputs=partial(reason_input, _reason()),
        )
    )


def _perform(wish: Callable[[str], object], done: str, reason: str) -> str:
    wish(reason or "")
    _forget_reason()
    return done


def _act(wish: Callable[[], object], done: str, *, failing: str, undo: Callable[[], str] | None = None) -> None:
    """Tier 1: reversible, so it is done and not asked about."""
    if attempt(lambda: wish() or True, failing=failing):
        _forget_reason()
        notify(done, undo=undo)
    st.rerun()


def _put_back(wish: Callable[[str, str, Desired], object], name: str, reason: str, expected: Desired, done: str) -> str:
    """The way back from what was just done; refused when somebody has decided otherwise since."""
    wish(name, reason, expected)
    return done
