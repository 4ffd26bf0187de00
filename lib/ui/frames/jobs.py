"""Job history, and one job in full behind its permalink."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import TypeVar
from urllib.parse import quote

import streamlit as st

from lib.client.errors import ClientError
from lib.contract.events import Topic
from lib.contract.jobs import Job, JobLog, JobPage
from lib.contract.states import JobState, Operation
from lib.ui.format import UNKNOWN, format_clock, shorten
from lib.ui.live import find_job, find_operation, last_known, latest_jobs, live_block
from lib.ui.marks import JOB_MARKS, OPERATION_WORDS, Column, badge, code, facts, moment, table
from lib.ui.notices import describe_error, show_trouble
from lib.ui.results import duration_of, summarize
from lib.ui.session import Params, get_client, get_param, go_to, now, zone
from lib.ui.widgets import show_active_job, show_heading, show_nothing, show_unknown

PAGE_ROWS = 25

_Option = TypeVar("_Option", Operation, JobState)


def show_open_job() -> None:
    """The job of the URL in full, if there is one; the URL is its permalink."""
    job_id = get_param(Params.JOB)
    if job_id is None:
        return
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        show_heading(f"Job {job_id[:8]}", Topic.JOBS)
        st.button("Close", icon=":material/close:", key="close_job", on_click=go_to)
    _show_detail(job_id)


@st.fragment(key="job_detail")
def _show_detail(job_id: str) -> None:
    with live_block("job_detail"):
        try:
            job = find_job(job_id) or last_known(f"job_{job_id}", lambda: get_client().get_job(job_id))
            log = last_known(f"log_{job_id}", lambda: _get_log(job_id, _version(job))) if job else None
        except ClientError as error:
            show_trouble(describe_error(error, "This job cannot be shown"))
            return
        if job is None:
            show_unknown("This job")
            return
        if job.is_active:
            show_active_job(job, key="detail")
        st.html(facts(job_facts(job)))
        st.html(f'<div class="sy-note">Log, oldest line first</div><pre class="sy-log" tabindex="0">{_log_text(log)}</pre>')


def job_facts(job: Job) -> list[tuple[str, str, str]]:
    """Everything about a job, each with what it means."""
    at = now()
    arguments = ", ".join(f"{name}: {value}" for name, value in job.arguments.items() if value not in (None, {}, []))
    rows = [
        ("State", badge(JOB_MARKS[job.state]), summarize(job)),
        ("Operation", OPERATION_WORDS[job.operation], "What was asked for."),
        ("Asked by", escape(job.requested_by), "Who started it."),
        ("Created", moment(job.created_at, now=at, zone=zone()), "When it was accepted."),
        ("Worked", duration_of(job, at), "From its first step to its end."),
        ("Worker", escape(job.worker_id or UNKNOWN), f"Attempt {job.attempt}."),
        ("Inputs", escape(shorten(arguments, 400)) or UNKNOWN, "What it was started with."),
        ("Job id", code(job.job_id), "The same in the API, the log and the audit list."),
    ]
    if job.error is not None:
        rows.insert(1, ("Error", f"{escape(job.error.detail)} {code(job.error.code)}", job.error.action))
    return rows


@st.fragment(key="job_history")
def show_job_history(name: str | None = None) -> None:
    """Jobs, newest first; of the operation called ``name``, or filtered by the person."""
    with live_block("job_history"):
        show_heading("History", Topic.JOBS)
        operation, state = Operation(name) if name else None, None
        if operation is None:
            with st.container(horizontal=True):
                operation = _choose("Operation", list(Operation), OPERATION_WORDS, Params.OPERATION)
                state = _choose("State", list(JobState), {each: mark.word for each, mark in JOB_MARKS.items()}, Params.STATE)
        cursors: list[str | None] = st.session_state.setdefault(f"jobs_cursors_{operation}_{state}", [None])
        try:
            page = last_known(f"jobs_{operation}_{state}", lambda: _list_jobs(operation, state, cursors[-1], _newest()))
        except ClientError as error:
            show_trouble(describe_error(error, "The history cannot be read"))
            return
        if page is None:
            show_unknown("The history")
            return
        _show_page(page, filtered=name is None and (operation is not None or state is not None))
        _show_paging(page, cursors)


def _choose(label: str, options: list[_Option], words: Mapping[_Option, str], key: str) -> _Option | None:
    return st.selectbox(
        label, options, index=None, format_func=lambda each: words[each], placeholder="All", key=key, bind="query-params", width=220
    )


def _show_page(page: JobPage, *, filtered: bool) -> None:
    if not page.items and filtered:
        show_nothing("No job matches.", "Nothing of this kind has run, or it was removed by age. Clear the filter to see all.")
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
        badge(JOB_MARKS[job.state]),
        OPERATION_WORDS[job.operation],
        moment(job.created_at, now=at, zone=zone()),
        duration_of(job, at),
        escape(job.requested_by),
        escape(shorten(summarize(job), 160)),
        link,
    )


def _show_paging(page: JobPage, cursors: list[str | None]) -> None:
    if len(cursors) == 1 and page.next_cursor is None:
        return
    with st.container(horizontal=True):
        if len(cursors) > 1 and st.button("Newer", icon=":material/arrow_back:", key="jobs_newer"):
            cursors.pop()
            st.rerun(scope="fragment")
        if page.next_cursor is not None and st.button("Older", icon=":material/arrow_forward:", key="jobs_older"):
            cursors.append(page.next_cursor)
            st.rerun(scope="fragment")


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


def _show_card(job: Job, what: str) -> None:
    at = now()
    link = f'<a href="/?{Params.JOB}={quote(job.job_id)}" target="_self">report</a>'
    st.html(
        f'<div class="sy-box"><span class="sy-note">Last {what}</span> {badge(JOB_MARKS[job.state])} '
        f"{moment(job.finished_at or job.created_at, now=at, zone=zone())} · took {duration_of(job, at)} "
        f"· by {escape(job.requested_by)} · {link}"
        f"<p>{escape(summarize(job))}</p></div>"
    )


def _newest() -> str:
    """Changes whenever a job starts or ends, so that a cached page is read anew exactly then."""
    jobs = latest_jobs()
    return "" if jobs is None else ",".join(f"{job.job_id}{job.state}" for job in (*jobs.active, *jobs.recent[:3]))


def _version(job: Job | None) -> str:
    return "" if job is None else f"{job.state}{job.progress.updated_at if job.progress else ''}"


@st.cache_data(ttl=30, max_entries=200, show_spinner=False)
def _list_jobs(operation: Operation | None, state: JobState | None, cursor: str | None, newest: str) -> JobPage:  # noqa: ARG001  part of the key
    return get_client().list_jobs(operation, state, limit=PAGE_ROWS, cursor=cursor)


@st.cache_data(ttl=5, max_entries=50, show_spinner=False)
def _get_log(job_id: str, version: str) -> JobLog:  # noqa: ARG001  part of the key
    return get_client().get_job_log(job_id)


def _log_text(log: JobLog | None) -> str:
    if log is None:
        return "not known"
    return (
        "\n".join(escape(f"{format_clock(line.at, zone())} {line.level:<7} {line.message}") for line in log.lines) or "nothing was written"
    )
