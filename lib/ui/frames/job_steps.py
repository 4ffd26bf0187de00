"""What a job did when: each step of each attempt with its time, from its wait in line to its end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from html import escape

import streamlit as st

from lib.client.errors import ClientError
from lib.contract.jobs import Job, JobStep, JobSteps
from lib.contract.states import JobState
from lib.ui.format import format_clock, format_duration, format_moment
from lib.ui.live import last_known
from lib.ui.marks import JOB_MARKS, Column, Mark, Tone, badge, icon, table
from lib.ui.notices import describe_error, show_trouble
from lib.ui.session import get_client, now, zone

WAITED = "waiting for a worker"
#: In a step of this attempt the worker died; when exactly nobody knows.
LOST = Mark(Tone.HELD, "power_off", "its worker was lost here")
_COLUMNS = (
    Column(title="Step"),
    Column(title="Began"),
    Column(title="Took", number=True),
    Column(title="Worker"),
    Column(title="Of the whole time", wide=True),
)


def show_job_steps(job: Job, version: str) -> None:
    """The table, once there is a step to tell of; ``version`` changes with the job."""
    try:
        told = last_known(f"steps_{job.job_id}", lambda: _get_steps(job.job_id, version))
    except ClientError as error:
        show_trouble(describe_error(error, "What it did when cannot be shown"))
        return
    if told is not None and told.steps:
        st.html(f'<div class="sy-note">{escape(describe_time(job, told.steps, now()))}</div>' + steps_table(job, told.steps, now()))


def describe_time(job: Job, steps: list[JobStep], at: datetime) -> str:
    """How long it was in line and how long at work, over all attempts."""
    begun, end = steps[0].started_at, job.finished_at or at
    attempts = f", in {steps[-1].attempt} attempts" if steps[-1].attempt > 1 else ""
    waited, worked = (format_duration(span.total_seconds()) for span in (begun - job.created_at, end - begun))
    return f"What it did when: {waited} in line, then {worked} {'so far' if job.is_active else 'to its end'}{attempts}"


def steps_table(job: Job, steps: list[JobStep], at: datetime) -> str:
    """One row for each step; what goes on is marked as such, and a worker that was lost as well."""
    attempts = {step.attempt for step in steps}
    rows = [_line(job, step, at, alone=len(attempts) == 1) for step in _with_wait(job, steps)]
    return table(_COLUMNS, rows, caption="What the job did when, oldest first")


def _with_wait(job: Job, steps: list[JobStep]) -> Iterator[JobStep]:
    """Before its first step a job stood in line."""
    yield JobStep(name=WAITED, attempt=0, started_at=job.created_at, ended_at=steps[0].started_at)
    yield from steps


def _line(job: Job, step: JobStep, at: datetime, *, alone: bool) -> tuple[str, ...]:
    goes_on = step.ended_at is None and job.is_active and step.attempt == job.attempt
    end = at if goes_on else step.ended_at
    attempt = "" if alone or not step.attempt else f' <span class="sy-note">attempt {step.attempt}</span>'
    mark = badge(JOB_MARKS[JobState.RUNNING]) if goes_on else badge(LOST) if end is None else ""
    whole = format_moment(step.started_at, zone())
    return (
        f"{escape(step.name)}{attempt} {mark}",
        f'<time datetime="{step.started_at.isoformat()}" title="{whole}">{format_clock(step.started_at, zone())}</time>',
        format_duration((end - step.started_at).total_seconds() if end else None),
        f"{icon('memory')} {escape(step.worker_id)}" if step.worker_id else "",
        _lane(job, step, end, at),
    )


def _lane(job: Job, step: JobStep, end: datetime | None, at: datetime) -> str:
    """Where in the whole time of the job the step stands; the numbers beside it say the same."""
    whole = max(((job.finished_at or at) - job.created_at).total_seconds(), 0.001)
    left, right = (100 * (moment - job.created_at).total_seconds() / whole for moment in (step.started_at, end or step.started_at))
    tone = Tone.IDLE if step.attempt == 0 else Tone.HELD if end is None else Tone.BUSY
    width = max(right - left, 0.8)
    place = f"margin-left: {min(left, 100 - width):.2f}%; width: {width:.2f}%"
    return f'<span class="sy-lane" aria-hidden="true"><i class="sy-ink-{tone}" style="{place}"></i></span>'


@st.cache_data(ttl=5, max_entries=50, show_spinner=False)
def _get_steps(job_id: str, version: str) -> JobSteps:  # noqa: ARG001  part of the key
    return get_client().get_job_steps(job_id)
