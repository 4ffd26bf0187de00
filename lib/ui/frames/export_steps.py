"""Export to a Google sheet: where one stands between the choice and the written sheet; the URL says it."""

from __future__ import annotations

from enum import IntEnum

import streamlit as st

from lib.client.errors import ClientError
from lib.contract.jobs import Job
from lib.contract.states import Operation
from lib.ui.frames.export_sheet import GOOGLE_SHEET
from lib.ui.live import find_job, last_known
from lib.ui.session import Params, get_client, get_param, go_to
from lib.ui.widgets import step_list


class Step(IntEnum):
    """Where one stands on the way from the table to a sheet. A file needs only the first."""

    CHOOSE = 0
    REVIEW = 1
    WRITE = 2


STEP_WORDS = {Step.CHOOSE: "Choose", Step.REVIEW: "Review", Step.WRITE: "Write"}


def show_export_steps() -> tuple[Step, Job | None]:
    """Draw the three steps; which of them the URL names: an export to a sheet, else its plan, else the beginning."""
    job = _find_sheet_job()
    if job is not None and job.operation is Operation.COMPARE:
        go_to(plan=str(job.arguments["plan_id"]))
        st.rerun()
    step = Step.WRITE if job is not None else Step.REVIEW if get_param(Params.PLAN) else Step.CHOOSE
    if step is not Step.CHOOSE or (st.session_state.get(Params.TARGET) or get_param(Params.TARGET)) == GOOGLE_SHEET:
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            st.html(step_list(step, STEP_WORDS), width="content")
            if step is not Step.CHOOSE:
                st.button("Start over", icon=":material/restart_alt:", key="start_over", on_click=_start_over, type="tertiary")
    return step, job


def _start_over() -> None:
    go_to(target=GOOGLE_SHEET)


def _find_sheet_job() -> Job | None:
    """The job of the URL, if it is about a sheet; any other is shown as everywhere."""
    job_id = get_param(Params.JOB)
    if job_id is None:
        return None
    try:
        job = find_job(job_id) or last_known(f"job_{job_id}", lambda: get_client().get_job(job_id))
    except ClientError:
        return None  # the page says so where it shows jobs
    return job if job and job.operation in {Operation.EXPORT, Operation.COMPARE} and job.arguments.get("plan_id") else None
