"""One job in full behind its permalink: progress, inputs, what came of it, error, log, and what people did to it."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from urllib.parse import quote

import streamlit as st

from lib.client.errors import ClientError
from lib.contract.audit import AuditPage
from lib.contract.events import Topic
from lib.contract.jobs import JOB_FAILURES, Job, JobFailure, JobLog
from lib.contract.operations import TIMEOUT_SECONDS
from lib.contract.states import JobState, Operation
from lib.ui.audits import audit_table
from lib.ui.format import UNKNOWN, format_clock, format_count, format_duration, shorten
from lib.ui.frames.again import show_again
from lib.ui.frames.job_steps import show_job_steps
from lib.ui.frames.rehearsals import rehearsal_link
from lib.ui.frames.undo import show_undo, show_undone
from lib.ui.live import find_job, find_operation, last_known, live_block
from lib.ui.marks import JOB_MARKS, OPERATION_WORDS, Tone, badge, box, code, facts, icon, moment
from lib.ui.notices import describe_error, show_link, show_trouble
from lib.ui.results import duration_of, summarize
from lib.ui.session import Params, get_client, get_param, go_to, now, zone
from lib.ui.widgets import job_badge, show_active_job, show_heading, show_unknown

AUDIT_ROWS = 10


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
            audit = last_known(f"audit_of_{job_id}", lambda: _list_audit(job_id, _version(job))) if job else None
        except ClientError as error:
            show_trouble(describe_error(error, "This job cannot be shown"))
            return
        if job is None:
            show_unknown("This job")
            return
        if job.is_active:
            show_active_job(job, key="detail")
        show_job_error(job)
        show_again(job)
        st.html(facts(job_facts(job)))
        if job.operation is Operation.IMPORT:
            show_undo(job, key="detail")
        elif job.operation is Operation.UNDO:
            show_undone(job)
        elif job.operation is Operation.INSPECT and job.state is JobState.SUCCEEDED:
            show_link(f"/Index?{Params.INSPECTION}={job.job_id}", "Open the report")
        elif job.operation is Operation.REHEARSE and job.state is JobState.SUCCEEDED:
            show_link(rehearsal_link(job.job_id), "Open the report")
        show_job_steps(job, _version(job))
        st.html(f'<div class="sy-note">Log, oldest line first</div><pre class="sy-log" tabindex="0">{_log_text(log)}</pre>')
        if audit is not None and audit.items:
            st.html(
                '<div class="sy-note">What was done to it, newest first</div>' + audit_table(audit.items, caption="Actions on this job")
            )


def show_ended(job: Job) -> None:
    """The head of what came of a job: how it ended, in a sentence, by whom and when; and its error, if it had one."""
    at = now()
    show_heading("What came of it", Topic.JOBS)
    by = f"by {escape(job.requested_by)}, {moment(job.finished_at, now=at, zone=zone())}, in {duration_of(job, at)}"
    said = f"{badge(JOB_MARKS[job.state])} {OPERATION_WORDS[job.operation]}"
    st.html(box(JOB_MARKS[job.state].tone, said + ("" if job.error else f": {escape(summarize(job))}"), by))
    show_job_error(job)


def show_job_error(job: Job) -> None:
    """What happened · what it means · what to do, and the stable code."""
    if job.error is None:
        return
    known = job.error.code in set(JobFailure)
    meaning = JOB_FAILURES[JobFailure(job.error.code)] if known else ""
    what, action = escape(job.error.detail), escape(job.error.action)
    more = meaning if meaning.rstrip(".") not in job.error.detail else ""
    st.html(
        box(
            Tone.BAD,
            f"{icon('error')} {what}",
            escape(more),
            f"{action} <span class='sy-note'>Code {code(job.error.code)}</span>",
            role="alert",
        )
    )


def job_facts(job: Job) -> list[tuple[str, str, str]]:
    """Everything about a job, each with what it means."""
    at = now()
    rows = [
        ("State", job_badge(job), "" if job.error else summarize(job)),
        ("Operation", OPERATION_WORDS[job.operation], "What was asked for."),
        ("Asked by", escape(job.requested_by), "Who started it."),
        ("Created", moment(job.created_at, now=at, zone=zone()), "When it was accepted."),
        ("Worked", duration_of(job, at), time_limit(job.operation)),
        ("Worker", escape(job.worker_id or UNKNOWN), f"Attempt {job.attempt}."),
        ("Inputs", _pairs(job.arguments, job.operation), "What it was started with."),
        ("Job id", code(job.job_id), "The same in the API, the log and the audit list."),
    ]
    if job.result:
        rows.insert(7, ("Result", _pairs(job.result, job.operation), "What it says it did."))
    return rows


def time_limit(operation: Operation) -> str:
    """How long a job of this kind may work, in words."""
    reading = find_operation(operation)
    seconds = (reading.timeout_seconds if reading else 0) or TIMEOUT_SECONDS[operation]
    minutes = f"{seconds // 60} minutes" if seconds % 60 == 0 else format_duration(seconds)
    return f"From its first step to its end. It is stopped by itself after {minutes}, and what it holds is freed."


def _pairs(values: dict[str, object], operation: Operation) -> str:
    """Name and value, one per line; links where one leads somewhere."""
    lines = [f"<span>{escape(name.replace('_', ' '))}</span><span>{value}</span>" for name, value in _flat(values, operation)]
    return f'<div class="sy-diff">{"".join(lines)}</div>' if lines else UNKNOWN


_LINKS = {
    "plan_id": f"/Import?{Params.PLAN}=",
    "import_job_id": f"/?{Params.JOB}=",
    "undone_by": f"/?{Params.JOB}=",
    "job_id": f"/?{Params.JOB}=",
}
_EXPORT_PLAN = f"/Export?{Params.PLAN}="


def _flat(values: dict[str, object], operation: Operation) -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if name == "undone":
            continue  # the undo's own job says that
        if isinstance(value, dict):
            yield from ((f"{name} {inner}", shown) for inner, shown in _flat(value, operation))
        elif name in _LINKS and isinstance(value, str) and value:
            page = _EXPORT_PLAN if name == "plan_id" and operation in {Operation.EXPORT, Operation.COMPARE} else _LINKS[name]
            yield name, f'<a href="{page}{quote(value)}" target="_self" class="sy-code">{escape(value[:8])}</a>'
        elif isinstance(value, int) and not isinstance(value, bool):
            yield name, format_count(value)
        elif value not in (None, "", []):
            yield name, escape(shorten(str(value), 300))


def _version(job: Job | None) -> str:
    return "" if job is None else f"{job.state}{job.cancel_requested}{job.progress.updated_at if job.progress else ''}"


@st.cache_data(ttl=5, max_entries=50, show_spinner=False)
def _get_log(job_id: str, version: str) -> JobLog:  # noqa: ARG001  part of the key
    return get_client().get_job_log(job_id)


@st.cache_data(ttl=30, max_entries=50, show_spinner=False)
def _list_audit(job_id: str, version: str) -> AuditPage:  # noqa: ARG001  part of the key
    return get_client().list_audit(limit=AUDIT_ROWS, object_id=job_id)


def _log_text(log: JobLog | None) -> str:
    if log is None:
        return "not known"
    lines = (f"{format_clock(line.at, zone())} {line.level:<7} {line.message}" for line in log.lines)
    return "\n".join(map(escape, lines)) or "nothing was written"
