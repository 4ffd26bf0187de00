"""The pieces every page is made of: headings with an "as of", job progress, two kinds of emptiness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import IntEnum
from functools import partial
from html import escape
from typing import TypeVar
from urllib.parse import quote

import streamlit as st

from lib.contract.events import Topic
from lib.contract.jobs import ANSWER_WAIT, QUOTA_WAIT, Job, Progress
from lib.contract.workers import Hold
from lib.ui.dialogs import Question, ask
from lib.ui.format import UNKNOWN, format_age, format_clock, format_count, format_duration, format_moment, format_rate, plural
from lib.ui.gates import gated_button
from lib.ui.live import Freshness, connection_gate, current_hold, freshness
from lib.ui.marks import CANCELLING, JOB_MARKS, OPERATION_WORDS, Tone, badge, box, icon, moment, operation_word
from lib.ui.session import Keys, Params, get_client, now, zone

_Step = TypeVar("_Step", bound=IntEnum)


def show_heading(title: str, topic: Topic | None = None, *, note: str = "") -> None:
    """A block's heading with its own "as of" on the right."""
    right = as_of_line(freshness(topic), now()) if topic else ""
    small = f'<span class="sy-note">{escape(note)}</span>' if note else ""
    st.html(f'<div class="sy-head"><h2>{escape(title)} {small}</h2>{right}</div>')


def step_list(step: _Step, words: Mapping[_Step, str]) -> str:
    """The steps of a way, with the present one marked for eye and ear."""
    items = []
    for number, name in words.items():
        kind = "sy-past" if number < step else "sy-now" if number == step else ""
        current = ' aria-current="step"' if number == step else ""
        items.append(f'<li class="{kind}"{current}><span class="sy-dot">{number + 1}</span>{name}</li>')
    return f'<ol class="sy-steps">{"".join(items)}</ol>'


def as_of_line(fresh: Freshness, at: datetime) -> str:
    """When the block's data was true, and since when it is no longer known to be."""
    if fresh.stale_since is not None:
        since = f"{format_clock(fresh.stale_since, zone())} ({format_age(fresh.stale_since, at)})"
        return f'<span class="sy-asof sy-old">{icon("cloud_off")} stale since {since}</span>'
    if fresh.as_of is None:
        return f'<span class="sy-asof">as of {UNKNOWN}</span>'
    return f'<span class="sy-asof" title="{format_moment(fresh.as_of, zone())}">as of {format_clock(fresh.as_of, zone())}</span>'


def progress_line(progress: Progress | None) -> str:
    """Phase, done of total, rate and what is left, each only as far as it is known."""
    if progress is None:
        return "waiting to start"
    parts = [progress.phase]
    if progress.total is not None:
        parts.append(f"{format_count(progress.done)} of {format_count(progress.total)}")
    elif progress.done:
        parts.append(format_count(progress.done))
    if progress.rate_per_second is not None:
        parts.append(format_rate(progress.rate_per_second))
    parts.append(f"about {format_duration(progress.eta_seconds)} left" if progress.eta_seconds is not None else "time left unknown")
    return " · ".join(parts)


def progress_ratio(progress: Progress | None) -> float | None:
    """Between 0 and 1, never above; None while the total is unknown."""
    if progress is None or not progress.total:
        return None
    return min(1.0, max(0.0, progress.done / progress.total))


def show_progress(progress: Progress | None) -> None:
    """A bar with its line of text; it moves without a scale while the total is unknown. A wait for Google is a countdown."""
    if progress is not None and (words := describe_wait(progress)):
        st.html(box(Tone.HELD, f"{icon('hourglass_top')} {escape(words)}", "Nothing is lost by it, and nothing is written twice."))
        return
    ratio = progress_ratio(progress)
    if ratio is None:
        line = escape(progress_line(progress))
        st.html(f'<div class="sy-note">{line}</div><div class="sy-wait" role="progressbar" aria-label="{line}"></div>')
    else:
        st.progress(ratio, text=progress_line(progress))


def describe_wait(progress: Progress) -> str:
    """What is waited for and for how long, as far as the service has said; empty while the work goes on."""
    for phase, why in ((QUOTA_WAIT, "Google’s calls per minute are used up"), (ANSWER_WAIT, "Google did not answer")):
        if progress.phase.startswith(phase):
            left = progress.phase.removeprefix(phase).removeprefix(": ")
            return f"{why}: it goes on by itself in {left}." if left else f"{why}: it goes on by itself."
    return ""


def is_cancelling(job: Job) -> bool:
    """Whether somebody asked the job to stop; what this session asked for is known before the service has told everybody."""
    return job.is_active and (job.cancel_requested or job.job_id in st.session_state.get(Keys.CANCELLING, ()))


def job_badge(job: Job) -> str:
    """The state of a job; one that is asked to stop says so until it has."""
    return badge(CANCELLING if is_cancelling(job) else JOB_MARKS[job.state])


def job_title(job: Job, at: datetime) -> str:
    """One line about a job: state, operation, who, when."""
    return (
        f"<span>{job_badge(job)} <b>{OPERATION_WORDS[job.operation]}</b> "
        f'<span class="sy-note">by {escape(job.requested_by)} · {moment(job.created_at, now=at, zone=zone())}</span></span>'
    )


def show_active_job(job: Job, *, key: str) -> None:
    """A running job: what, by whom, how far, whom it makes stand still, and the way to stop it."""
    with st.container(border=True, key=f"{key}_{job.job_id}"):
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            st.html(job_title(job, now()), width="content")
            if not is_cancelling(job):
                show_cancel(job, key=key)
        show_progress(job.progress)
        hold = current_hold()
        if hold and hold[0].job_id == job.job_id:
            st.html(f'<span class="sy-why">{icon("front_hand")} <span>{describe_hold(*hold)}</span></span>')
        if is_cancelling(job):
            words = "It stops at its next step; what it holds stays locked until it has really ended. Then everything is as it was before."
            st.html(f'<span class="sy-why">{icon("cancel")} <span>{words}</span></span>')


def describe_hold(hold: Hold, count: int | None = None) -> str:
    """Which job makes workers stand still, why, since when, and that it passes; ready HTML. Without ``count``: beside the one meant."""
    link = f'<a href="/?{Params.JOB}={quote(hold.job_id)}" target="_self">{escape(operation_word(hold.operation).lower())}</a>'
    who = "Stands" if count is None else f"{plural(count, 'embedding worker')} {'stands' if count == 1 else 'stand'}"
    after = "They go on as they were." if count and count > 1 else "It goes on as it was."
    return f"{who} still {escape(hold.reason)} ({link}, since {format_clock(hold.since, zone())}). {after}"


def show_hold(*, unless: Sequence[Job] = ()) -> None:
    """Say that workers stand still for a job; not when the card of that job, one of ``unless``, says it already."""
    hold = current_hold()
    if hold is not None and hold[0].job_id not in {job.job_id for job in unless}:
        st.html(f'<div class="sy-box sy-box-held" role="status"><p>{icon("front_hand")} {describe_hold(*hold)}</p></div>')


def show_cancel(job: Job, *, key: str) -> None:
    """The button that asks whether to cancel a job."""
    word = OPERATION_WORDS[job.operation].lower()
    if gated_button("Cancel", connection_gate(), key=f"{key}_cancel_{job.job_id}", icon_name="cancel"):
        ask(
            Question(
                title=f"Cancel {word}?",
                body=f"So far: {progress_line(job.progress)}. It stops at its next step, and everything is left **as it was before**.",
                reversible="What it has done so far is lost; you can start it again at any time.",
                verb=f"Cancel {word}",
                safe="Let it go on",
                perform=partial(_cancel_job, job.job_id, word),
            )
        )


def _cancel_job(job_id: str, word: str, _: object) -> str:
    get_client().cancel_job(job_id)
    st.session_state.setdefault(Keys.CANCELLING, set()).add(job_id)
    return f"Asked the {word} to stop"


def show_paging(cursors: list[str | None], following: str | None, *, key: str, back: str, on: str, words: str = "") -> None:
    """The way through a list that is paged by cursor, and where one is. ``cursors`` is the trail of pages, the present one last."""
    with st.container(horizontal=True, vertical_alignment="center"):
        if len(cursors) > 1:
            st.button(back, icon=":material/arrow_back:", key=f"{key}_back", on_click=_step_back, args=(cursors,))
        if following is not None:
            st.button(on, icon=":material/arrow_forward:", key=f"{key}_on", on_click=cursors.append, args=(following,))
        st.html(f'<span class="sy-note">{escape(words)}</span>', width="content")


def _step_back(cursors: list[str | None]) -> None:
    cursors.pop()


def show_nothing(title: str, sentence: str) -> None:
    """Emptiness that is an answer: what would be here, and why it is not."""
    st.html(f'<div class="sy-nothing"><b>{escape(title)}</b><br>{escape(sentence)}</div>')


def show_unknown(what: str) -> None:
    """Emptiness that is not an answer: nothing has been heard yet."""
    show_nothing(f"{what}: not known yet", "The service has not said anything about this so far. This fills itself as soon as it does.")


def show_finding(tone: Tone, text: str, *, symbol: str = "info") -> None:
    """One remark in the tone it deserves."""
    st.html(f'<div class="sy-box sy-box-{tone}"><p>{icon(symbol)} {text}</p></div>')
