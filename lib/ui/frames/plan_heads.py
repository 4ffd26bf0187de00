"""What a plan of an import and one of an export have in common: each is in the making for a while, and then the service judges it."""

from __future__ import annotations

from functools import partial

import streamlit as st

from lib.client.errors import ClientError
from lib.contract.export_plans import ExportPlan
from lib.contract.imports import Plan
from lib.contract.operations import Gate
from lib.contract.states import PlanState
from lib.ui.live import find_job, last_known, live_block, newest_jobs
from lib.ui.notices import describe_error, show_trouble
from lib.ui.session import get_client
from lib.ui.widgets import show_active_job, show_progress

AnyPlan = Plan | ExportPlan


@st.fragment(key="building_plan")
def show_building(plan: AnyPlan) -> None:
    """The progress of its job; the whole page again as soon as the plan is made, or cannot be."""
    with live_block("building_plan"):
        job = find_job(plan.job_id)
        if job is not None and job.is_active:
            show_active_job(job, key="plan")
            return
        try:
            head = last_known(f"plan_head_{plan.plan_id}", partial(_read_head, plan.plan_id, of_export=isinstance(plan, ExportPlan)))
        except ClientError as error:
            show_trouble(describe_error(error, "This plan cannot be shown"))
            return
        if head is not None and head.state is not PlanState.BUILDING:
            st.rerun()
        show_progress(head.progress if head else None)


def plan_gate(plan: AnyPlan, *, ticks_revision: int = 0) -> Gate:
    """What the service says of a plan now."""
    try:
        head = latest_head(plan.plan_id, of_export=isinstance(plan, ExportPlan), ticks_revision=ticks_revision)
    except ClientError as error:
        return Gate(allowed=False, reason_text=describe_error(error, "").meaning)
    if head is not None and head.state not in {PlanState.READY, PlanState.STALE}:
        st.rerun()  # carried out or gone meanwhile: the page shows that
    return (head or plan).gate or Gate(allowed=True)


def latest_head(plan_id: str, *, of_export: bool, ticks_revision: int = 0) -> AnyPlan | None:
    """A plan without its rows: asked for again whenever a job has started or ended, or ticks have changed. ClientError."""
    newest = f"{newest_jobs()}{ticks_revision}"
    return last_known(f"latest_head_{plan_id}", partial(_keep_head, plan_id, newest, of_export=of_export))


@st.cache_data(ttl=30, max_entries=100, show_spinner=False)
def _keep_head(plan_id: str, newest: str, *, of_export: bool) -> AnyPlan:  # noqa: ARG001  part of the key
    return _read_head(plan_id, of_export=of_export)


def _read_head(plan_id: str, *, of_export: bool) -> AnyPlan:
    """The plan without its rows."""
    client = get_client()
    return client.get_export_plan(plan_id, limit=0) if of_export else client.get_plan(plan_id, limit=0)
