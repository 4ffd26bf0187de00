"""“Why not?”: the gate's own words beside every control that is off, where to look, and “Start when free”."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from html import escape

import streamlit as st

from lib.client.errors import ClientError
from lib.contract.model import Request
from lib.contract.operations import Gate, Intention, IntentionPage, Reason
from lib.contract.states import IntentionState, Operation
from lib.ui.format import format_clock, format_duration, format_moment
from lib.ui.live import connection_gate, last_known, latest_jobs, newest_jobs
from lib.ui.marks import OPERATION_WORDS, icon, moment
from lib.ui.notices import attempt, leads_here, notify, show_link
from lib.ui.session import Params, get_client, now, zone

#: For how long a page says that a start that waited has come to nothing.
DROPPED_FOR = timedelta(hours=1)

#: Within this time the feed has told what was asked for.
COMES_ROUND = timedelta(seconds=4)
_ASKED = "asked_to_wait"


@dataclass(frozen=True)
class WhenFree:
    """What “Start when free” starts. ``import_job_id``: which import to undo."""

    operation: Operation
    request: Request
    import_job_id: str | None = None

    def is_for(self, intention: Intention) -> bool:
        """Whether that intention waits for the same."""
        if intention.operation is not self.operation:
            return False
        known = {"import_job_id": self.import_job_id, "plan_id": getattr(self.request, "plan_id", None)}
        return all(intention.arguments.get(name) == value for name, value in known.items() if value)


def explain_gate(gate: Gate, at: datetime) -> str:
    """The gate's own words, with since, holder and when it is expected to open."""
    more = []
    if gate.holder:
        more.append(f"held by {gate.holder[:8] if _is_id(gate.holder) else gate.holder}")
    if gate.since:
        today = at - gate.since < timedelta(hours=20)
        more.append(f"since {format_clock(gate.since, zone()) if today else format_moment(gate.since, zone())}")
    if gate.eta and gate.eta > at:
        more.append(f"free in about {format_duration((gate.eta - at).total_seconds())}")
    elif gate.reason_code is Reason.OPERATION_RUNNING:
        more.append("time left unknown")
    return f"{gate.reason_text.rstrip('.')} ({', '.join(more)})." if more else gate.reason_text


def _is_id(name: str) -> bool:
    return len(name) >= 16 and set(name) <= set("0123456789abcdef")


def gated_button(
    label: str, gate: Gate, *, key: str, icon_name: str = "", primary: bool = False, when_free: WhenFree | None = None, help_text: str = ""
) -> bool:
    """A button that obeys the gate; when it is off, why stands beside it, with what helps."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small", width="content" if gate.allowed else "stretch"):
        clicked = st.button(
            label,
            key=key,
            icon=f":material/{icon_name}:" if icon_name else None,
            type="primary" if primary else "secondary",
            disabled=not gate.allowed,
            help=help_text or None,
        )
        if not gate.allowed:
            show_why(gate, key=key, when_free=when_free)
    return clicked and gate.allowed


def show_why(gate: Gate, *, key: str, when_free: WhenFree | None = None) -> None:
    """Why a control is off, and below it a link that shows or mends it and the way to have it done later."""
    words = f"{icon('info')} <span>{escape(explain_gate(gate, now()))}</span>"
    with st.container(gap="xxsmall"):
        st.html(f'<span class="sy-why" title="{escape(gate.reason_code or "")}">{words}</span>')
        can_wait = when_free is not None and gate.reason_code is Reason.OPERATION_RUNNING and not _is_waiting(when_free)
        helps = gate.fix_link if gate.fix_link and not leads_here(gate.fix_link) else None
        if not helps and not can_wait:
            return
        with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"why_{key}"):
            if can_wait and when_free and st.button("Start when free", key=f"{key}_when_free", icon=":material/schedule_send:"):
                _wait(when_free)
            if helps:
                show_link(helps)


def _is_waiting(what: WhenFree) -> bool:
    """Whether it waits already; what was asked for here a moment ago may not have come round yet."""
    asked: dict[str, datetime] = st.session_state.get(_ASKED, {})
    return any(map(what.is_for, waiting_intentions())) or now() - asked.get(repr(what), datetime.min.replace(tzinfo=UTC)) < COMES_ROUND


def _wait(what: WhenFree) -> None:
    word = OPERATION_WORDS[what.operation]
    failing = f"{word}: it was neither started nor put to wait"
    started = attempt(lambda: get_client().start_when_free(what.operation, what.request, what.import_job_id), failing=failing)
    if started is not None and started.job_id:
        notify(f"{word}: the way was free, so it was started at once", link=f"/?{Params.JOB}={started.job_id}")
    elif started is not None and started.intention_id:
        st.session_state.setdefault(_ASKED, {})[repr(what)] = now()
        notify(f"{word}: it will start by itself as soon as the way is free", undo=partial(_call_off, started.intention_id, word))
    st.rerun()


def waiting_intentions() -> list[Intention]:
    """What waits to start by itself, oldest first."""
    jobs = latest_jobs()
    waiting = [each for each in jobs.intentions if each.state is IntentionState.WAITING] if jobs else []
    return sorted(waiting, key=lambda each: each.created_at)


def show_intentions(*operations: Operation, key: str) -> None:
    """What waits to start by itself: who asked, since when, what for, and the way to call it off; of all operations when none is named."""
    wanted = operations or tuple(Operation)
    for intention in waiting_intentions():
        if intention.operation in wanted:
            _show_waiting(intention, key)
    for intention in _list_dropped():
        if intention.operation in wanted:
            word = OPERATION_WORDS[intention.operation]
            st.html(
                f'<div class="sy-box sy-box-held" role="status"><p class="sy-what">{icon("event_busy")} {word} will not start by itself</p>'
                f"<p>{escape(intention.detail or 'It was dropped.')} <span class='sy-note'>{_who(intention)}</span></p></div>"
            )


def _show_waiting(intention: Intention, key: str) -> None:
    word = OPERATION_WORDS[intention.operation]
    with st.container(border=True, key=f"waiting_{key}_{intention.intention_id}"):
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            st.html(
                f'<span><span class="sy-badge sy-held">{icon("schedule_send")}waits to start</span> <b>{word}</b> '
                f'<span class="sy-note">{_who(intention)}</span></span>',
                width="content",
            )
            if gated_button("Call off", connection_gate(), key=f"call_off_{key}_{intention.intention_id}", icon_name="event_busy"):
                if said := attempt(lambda: _call_off(intention.intention_id, word), failing=f"{word}: it was not called off"):
                    notify(said)
                st.rerun()
        st.html(f'<div class="sy-note">{escape(describe_intention(intention))}</div>')


def _who(intention: Intention) -> str:
    return f"asked by {escape(intention.requested_by)}, {moment(intention.created_at, now=now(), zone=zone())}"


def describe_intention(intention: Intention) -> str:
    """What for, and what it waits for."""
    arguments = intention.arguments
    what = {
        Operation.IMPORT: f"Applies plan {str(arguments.get('plan_id'))[:8]}.",
        Operation.UNDO: f"Takes back import {str(arguments.get('import_job_id'))[:8]}.",
        Operation.REHEARSE: f"Tries “{arguments.get('name')}”.",
        Operation.INSPECT: f"Looks into “{arguments.get('name')}”.",
        Operation.SNAPSHOT: f"Saved as “{arguments['name']}”." if arguments.get("name") else "",
    }.get(intention.operation, "")
    return " ".join(part for part in (what, f"Waits because: {intention.detail}" if intention.detail else "") if part)


def _call_off(intention_id: str, word: str) -> str:
    get_client().cancel_intention(intention_id)
    return f"{word}: called off, it will not start by itself"


def _list_dropped() -> list[Intention]:
    """What came to nothing lately, so that whoever waits for it learns so."""
    jobs = latest_jobs()
    if jobs is None:
        return []
    turn = newest_jobs() + "".join(each.intention_id for each in jobs.intentions)
    try:
        page = last_known("intentions", partial(_list_intentions, turn))
    except ClientError:
        return []  # those that wait are shown from the feed; this is only the epilogue
    ended = (each for each in page.items if each.state is IntentionState.DROPPED) if page else ()
    return [each for each in ended if each.ended_at and now() - each.ended_at < DROPPED_FOR]


@st.cache_data(ttl=60, max_entries=8, show_spinner=False)
def _list_intentions(turn: str) -> IntentionPage:  # noqa: ARG001  part of the key
    return get_client().list_intentions()
