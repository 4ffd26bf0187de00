"""Job history with its filters, and the card of the last run."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from html import escape
from typing import TypeVar
from urllib.parse import quote

import streamlit as st

from lib.client.errors import ClientError
from lib.contract.events import Topic
from lib.contract.jobs import Job, JobPage
from lib.contract.states import JobState, Operation
from lib.ui.eta import describe_searchable
from lib.ui.format import format_count, shorten
from lib.ui.frames.undo import show_undo
from lib.ui.gates import show_intentions
from lib.ui.live import find_operation, last_known, latest_queue, live_block, newest_jobs
from lib.ui.marks import JOB_MARKS, OPERATION_WORDS, Column, badge, moment, table
from lib.ui.notices import describe_error, show_trouble
from lib.ui.results import duration_of, summarize
from lib.ui.session import Params, get_client, now, zone
from lib.ui.widgets import job_badge, show_heading, show_nothing, show_paging, show_unknown

PAGE_ROWS = 25
#: How far back the history may look; jobs are kept for 90 days.
PERIODS = {"1 hour": timedelta(hours=1), "24 hours": timedelta(hours=24), "7 days": timedelta(days=7), "30 days": timedelta(days=30)}

_Option = TypeVar("_Option", Operation, JobState)


@st.fragment(key="job_history")
def show_job_history(name: str | None = None) -> None:
    """Jobs, newest first; of the operation called ``name``, or filtered by the person."""
    with live_block("job_history"):
        show_heading("History", Topic.JOBS)
        filters = (Operation(name), None, None, None) if name else _choose_filters()
        cursors: list[str | None] = st.session_state.setdefault(f"jobs_cursors_{filters}", [None])
        try:
            page = last_known(f"jobs_{filters}_{cursors[-1]}", partial(_list_jobs, *filters, cursors[-1], newest_jobs()))
        except ClientError as error:
            show_trouble(describe_error(error, "The history cannot be read"))
            return
        if page is None:
            show_unknown("The history")
            return
        if name is None:
            _show_states(page.states, filters[1])
        _show_page(page, filtered=name is None and any(filters))
        first = (len(cursors) - 1) * PAGE_ROWS + 1
        words = f"Jobs {first:,}–{first + len(page.items) - 1:,} of {format_count(page.total)}" if page.items else ""
        show_paging(cursors, page.next_cursor, key="jobs", back="Newer", on="Older", words=words)


_Filters = tuple[Operation | None, JobState | None, str | None, str | None]


def _choose_filters() -> _Filters:
    """Operation, state, person and period; the URL remembers them."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="job_filters"):
        operation = _choose("Operation", list(Operation), OPERATION_WORDS, Params.OPERATION)
        state = _choose("State", list(JobState), {each: mark.word for each, mark in JOB_MARKS.items()}, Params.STATE)
        person = st.text_input("Asked by", key=Params.PERSON, bind="query-params", placeholder="Anybody", max_chars=200, width=180)
        period = st.selectbox(
            "Started within", list(PERIODS), index=None, placeholder="All", key=Params.PERIOD, bind="query-params", width=160
        )
    return operation, state, (person or "").strip() or None, period


def _choose(label: str, options: list[_Option], words: Mapping[_Option, str], key: str) -> _Option | None:
    return st.selectbox(
        label, options, index=None, format_func=lambda each: words[each], placeholder="All", key=key, bind="query-params", width=190
    )


def _show_states(states: Mapping[JobState, int], chosen: JobState | None) -> None:
    """How many there are of each state, each a way to see only those, or all again."""
    if not states:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="job_states"):
        counts: dict[JobState | None, int] = {None: sum(states.values())} | {each: states[each] for each in JobState if each in states}
        for state, count in counts.items():
            mark = JOB_MARKS[state] if state else None
            label = f"{mark.word} {count:,}" if mark else f"all {count:,}"
            symbol, key = f":material/{mark.icon}:" if mark else None, f"jobs_{state or 'all'}"
            st.button(
                label,
                key=key,
                icon=symbol,
                type="secondary" if state is chosen else "tertiary",
                on_click=_choose_state,
                args=(state,),
            )


def _choose_state(state: JobState | None) -> None:
    st.session_state[Params.STATE] = state


def _show_page(page: JobPage, *, filtered: bool) -> None:
    if not page.items and filtered:
        show_nothing("No job matches.", "Nothing of this kind has run, or it was removed by age. Clear the filters to see all.")
    elif not page.items:
        show_nothing(
            "Nothing has run yet.", "Every import, export and index build will be listed here, with who asked and what came of it."
        )
    else:
        st.html(table(_COLUMNS, [_row(job) for job in page.items], caption="Jobs, newest first"))


_COLUMNS = (
    Column(title="State"),
    Column(title="Operation"),
    Column(title="When"),
    Column(title="Took", number=True),
    Column(title="By"),
    Column(title="What came of it", wide=True),
    Column(title="Job"),
)


def _row(job: Job) -> tuple[str, ...]:
    at = now()
    link = f'<a href="/?{Params.JOB}={quote(job.job_id)}" target="_self" class="sy-code">{escape(job.job_id[:8])}</a>'
    return (
        job_badge(job),
        OPERATION_WORDS[job.operation],
        moment(job.created_at, now=at, zone=zone()),
        duration_of(job, at),
        escape(job.requested_by),
        escape(shorten(summarize(job), 160)),
        link,
    )


@st.fragment(key="last_run")
def show_last_run(name: str) -> None:
    """The same card after success, failure and cancellation: outcome, when, how long, who, counts, report."""
    with live_block("last_run"):
        operation = Operation(name)
        reading, what = find_operation(operation), OPERATION_WORDS[operation].lower()
        if reading is None:
            show_unknown(f"The last {what}")
        elif reading.last is None:
            show_nothing(f"No {what} has run yet.", "Its outcome, time, duration and counts will stand here.")
        else:
            _show_card(reading.last, what)
        if operation is Operation.IMPORT:
            if (queue := latest_queue()) is not None and queue.backlog:
                st.html(f'<span class="sy-note">{describe_searchable(queue)}</span>')
            if reading is not None and reading.last is not None:
                show_undo(reading.last, key="last")
            show_intentions(Operation.IMPORT, Operation.UNDO, key="last")


def _show_card(job: Job, what: str) -> None:
    at = now()
    link = f'<a href="/?{Params.JOB}={quote(job.job_id)}" target="_self">report</a>'
    st.html(
        f'<div class="sy-box"><span class="sy-note">Last {what}</span> {badge(JOB_MARKS[job.state])} '
        f"{moment(job.finished_at or job.created_at, now=at, zone=zone())} · took {duration_of(job, at)} "
        f"· by {escape(job.requested_by)} · {link}"
        f"<p>{escape(summarize(job))}</p></div>"
    )


@st.cache_data(ttl=30, max_entries=200, show_spinner=False)
def _list_jobs(
    operation: Operation | None,
    state: JobState | None,
    person: str | None,
    period: str | None,
    cursor: str | None,
    newest: str,  # noqa: ARG001  part of the key
) -> JobPage:
    since = now() - PERIODS[period] if period else None
    return get_client().list_jobs(operation, state, limit=PAGE_ROWS, cursor=cursor, requested_by=person, since=since)
