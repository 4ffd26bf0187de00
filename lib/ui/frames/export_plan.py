"""Export to a Google sheet, second step: review what would be written. A colleague who opens the link sees the same."""

from __future__ import annotations

from html import escape

import streamlit as st

from lib.client.errors import ClientError
from lib.contract.export_plans import ExportPlan
from lib.contract.states import PlanState
from lib.ui.export_plans import describe_untouched, export_tiles, sheet_address
from lib.ui.format import format_until
from lib.ui.frames.conflicts import read_decisions, show_conflicts
from lib.ui.frames.export_rows import chosen_change, pages_of, read_plan, show_export_rows
from lib.ui.frames.export_sheet import show_compare_again
from lib.ui.frames.plan_heads import show_building
from lib.ui.frames.writing import show_write
from lib.ui.marks import PLAN_MARKS, Tone, badge, moment
from lib.ui.notices import describe_error, show_trouble
from lib.ui.pages import PAGES
from lib.ui.session import Params, get_param, now, zone
from lib.ui.widgets import show_finding, show_unknown


def show_export_plan() -> None:
    """The plan of the URL in its present state."""
    plan_id = get_param(Params.PLAN) or ""
    change = chosen_change()
    cursors = pages_of(plan_id, change)
    try:
        plan = read_plan(plan_id, change, cursors[-1])
    except ClientError as error:
        show_trouble(describe_error(error, "This plan cannot be shown"))
        return
    if plan is None:
        show_unknown("This plan")
        return
    _show_head(plan)
    if plan.state is PlanState.BUILDING:
        show_building(plan)
        return
    if plan.state is PlanState.FAILED:
        _show_failed(plan)
        return
    st.html(export_tiles(plan))
    if untouched := describe_untouched(plan):
        show_finding(Tone.IDLE, untouched, symbol="shield")
    decided = read_decisions(plan)
    if plan.state is PlanState.READY:
        show_conflicts(plan)
        show_write(plan, decided)
    else:
        _show_no_longer(plan)
    show_export_rows(plan, change, cursors, decided)


def _show_head(plan: ExportPlan) -> None:
    at = now()
    name = f"{plan.title} · {plan.target.tab}" if plan.title else plan.target.tab
    expires = f" · good for {format_until(plan.expires_at, at).removeprefix('in ')}" if plan.state is PlanState.READY else ""
    columns = f"columns: {', '.join(plan.columns)}" if plan.columns else "all columns"
    narrowed = plan.filter.model_dump(exclude_defaults=True)
    which = "only entries the filter matches" if narrowed else "all entries"
    address = escape(sheet_address(plan.target.spreadsheet))
    link = f'<a href="{address}" target="_blank" rel="noopener">Open the sheet</a>'
    asked = f"by {escape(plan.requested_by)}, {moment(plan.created_at, now=at, zone=zone())}"
    st.html(
        f'<div class="sy-head"><h2>Export plan for {escape(name)} {badge(PLAN_MARKS[plan.state])}</h2></div>'
        f'<span class="sy-note">{escape(columns)} · {which} · {asked}{expires} · {link}</span>'
    )


def _show_failed(plan: ExportPlan) -> None:
    detail = escape(plan.error.detail) if plan.error else "No cause was recorded."
    action = escape(plan.error.action) if plan.error else ""
    show_finding(Tone.BAD, f"<b>The sheet could not be compared.</b> {detail}<br>{action} Nothing was written.", symbol="error")
    show_compare_again(plan)


def _show_no_longer(plan: ExportPlan) -> None:
    if plan.state is PlanState.APPLIED:
        show_finding(Tone.DONE, "<b>This plan was written.</b> A plan is written once; compare again to export again.", symbol="done_all")
        if plan.applied_by_job:
            query = {Params.JOB: plan.applied_by_job}
            st.page_link(PAGES["Export"].file, label="Show what came of it", icon=":material/receipt_long:", query_params=query)
    else:
        words = "The table has changed since, or the plan has expired. Compare again: nothing is lost by it."
        show_finding(Tone.HELD, f"<b>This plan can no longer be written.</b> {words}", symbol="history")
    show_compare_again(plan)
