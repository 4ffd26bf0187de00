"""Import, third step: review a plan. A colleague who opens the link sees the same."""

from __future__ import annotations

from html import escape

import streamlit as st

from lib.client.errors import ClientError
from lib.contract.imports import Plan
from lib.contract.states import PlanState
from lib.ui.format import format_until
from lib.ui.frames.applying import show_apply
from lib.ui.frames.plan_heads import show_building
from lib.ui.frames.plan_rows import PLAN_ROWS, chosen_rows, show_rows
from lib.ui.frames.rehearsals import show_rehearse_plan
from lib.ui.live import last_known
from lib.ui.marks import PLAN_MARKS, Tone, badge, moment
from lib.ui.notices import describe_error, show_trouble
from lib.ui.pages import PAGES
from lib.ui.plans import MODE_WORDS, describe_reading, plan_tiles
from lib.ui.session import Params, get_client, get_param, now, zone
from lib.ui.starts import show_preview_again
from lib.ui.widgets import show_finding, show_unknown


def show_plan() -> None:
    """The plan of the URL in its present state."""
    plan_id = get_param(Params.PLAN) or ""
    wanted = chosen_rows()
    cursors: list[str | None] = st.session_state.setdefault(f"plan_cursors_{plan_id}_{wanted}", [None])
    try:
        plan = last_known(f"plan_{plan_id}_{wanted}_{cursors[-1]}", lambda: get_client().get_plan(plan_id, wanted, PLAN_ROWS, cursors[-1]))
    except ClientError as error:
        show_trouble(describe_error(error, "This plan cannot be shown"))
        return
    if plan is None:
        show_unknown("This plan")
        return
    _show_plan_head(plan)
    match plan.state:
        case PlanState.BUILDING:
            show_building(plan)
            return
        case PlanState.FAILED:
            _show_failed_plan(plan)
            return
    st.html(plan_tiles(plan))
    if plan.state is PlanState.READY:
        show_apply(plan)
        show_rehearse_plan(plan)
    else:
        _show_no_longer(plan)
    show_rows(plan, wanted, cursors)


def _show_plan_head(plan: Plan) -> None:
    at = now()
    read = f" · {escape(describe_reading(plan.read_as))}" if plan.read_as else ""
    expires = f" · good for {format_until(plan.expires_at, at).removeprefix('in ')}" if plan.state is PlanState.READY else ""
    mapping = plan.mapping
    columns = f"key: {mapping.key} · text: {', '.join(mapping.text)} · fields: {', '.join(mapping.fields) or 'none'}"
    asked = f"by {escape(plan.requested_by)}, {moment(plan.created_at, now=at, zone=zone())}"
    st.html(
        f'<div class="sy-head"><h2>Plan for {escape(plan.source_name)} {badge(PLAN_MARKS[plan.state])}</h2></div>'
        f'<span class="sy-note"><b>{MODE_WORDS[plan.mode][0]}</b>: {MODE_WORDS[plan.mode][1]}<br>'
        f"{escape(columns)}{read} · {asked}{expires}</span>"
    )
    for note in plan.read_as.notes if plan.read_as else ():
        show_finding(Tone.HELD, escape(note), symbol="info")


def _show_failed_plan(plan: Plan) -> None:
    detail = escape(plan.error.detail) if plan.error else "No cause was recorded."
    action = escape(plan.error.action) if plan.error else ""
    show_finding(Tone.BAD, f"<b>The sheet could not be read as a plan.</b> {detail}<br>{action} Nothing was changed.", symbol="error")
    show_preview_again(plan, "Try again with the same file")


def _show_no_longer(plan: Plan) -> None:
    if plan.state is PlanState.APPLIED:
        show_finding(Tone.DONE, "<b>This plan was applied.</b> A plan is applied once; make a new one to import again.", symbol="done_all")
        if plan.applied_by_job:
            st.page_link(
                PAGES["Import"].file,
                label="Show what came of it",
                icon=":material/receipt_long:",
                query_params={Params.JOB: plan.applied_by_job},
            )
        return
    detail = escape(plan.error.detail) if plan.error else "The table or the sheet has moved since, or the plan has expired."
    show_finding(
        Tone.HELD,
        f"<b>This plan can no longer be applied.</b> {detail} Make a new one: it is compared with the table as it is now.",
        symbol="history",
    )
    show_preview_again(plan, "Make a new plan")
