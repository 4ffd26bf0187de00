"""Export to a Google sheet, last step: write exactly the reviewed plan, watch it, and see what came of it."""

from __future__ import annotations

from functools import partial

import streamlit as st

from lib.client.errors import ClientError
from lib.contract.events import Topic
from lib.contract.export_plans import ExportPlan
from lib.contract.exports import ExportRequest
from lib.contract.imports import HELD_REMOVALS_ABOVE
from lib.contract.jobs import Job, JobFailure
from lib.contract.operations import Gate, Reason
from lib.contract.states import JobState, Operation
from lib.ui.dialogs import Question, ask
from lib.ui.export_plans import Decisions
from lib.ui.format import format_count, plural
from lib.ui.frames.export_sheet import show_compare_again
from lib.ui.frames.job_detail import show_ended
from lib.ui.frames.plan_heads import latest_head, plan_gate
from lib.ui.gates import WhenFree, gated_button, show_intentions
from lib.ui.live import gate_of, latest_jobs, live_block
from lib.ui.marks import Tile, Tone, tiles
from lib.ui.notices import Notice, start_key
from lib.ui.pages import PAGES
from lib.ui.results import SHEET_COUNTS, count_of
from lib.ui.session import Params, get_client, go_to
from lib.ui.widgets import show_active_job, show_finding, show_heading

#: After these, nobody but the sheet itself knows whether its one change was made.
_UNSURE = {
    JobFailure.SHEETS_UNREACHABLE,
    JobFailure.SHEETS_QUOTA,
    JobFailure.TIMED_OUT,
    JobFailure.WORKER_LOST,
    JobFailure.INTERRUPTED,
    JobFailure.UNEXPECTED,
}


@st.fragment(key="write")
def show_write(plan: ExportPlan, decided: Decisions) -> None:
    """The button with the number of cells, and why it is off when it is."""
    with live_block("write"), st.container(border=True, key="write_box"):
        writing = _find_writing(plan.plan_id)
        if writing is not None:
            if writing.state is JobState.SUCCEEDED:
                st.rerun()  # somebody else was quicker: the page shows that
            show_active_job(writing, key="writing")
            return
        cells, gate = decided.count_written(plan), _decide(plan, decided)
        request = ExportRequest(
            target=plan.target,
            plan_id=plan.plan_id,
            filter=plan.filter,
            columns=plan.columns,
            keep=decided.keep,
            choices={key: side for key, (side, _) in decided.rows.items()},
        )
        label = f"Write {plural(cells, 'cell')}" if cells else "Nothing to write"
        when_free = WhenFree(Operation.EXPORT, request)
        if gated_button(label, gate, key="write_plan", icon_name="edit_square", primary=True, when_free=when_free):
            _ask(plan, decided, request)
        if gate.reason_code is Reason.PLAN_STALE:
            show_compare_again(plan)
        show_intentions(Operation.EXPORT, key="write")
        st.html(
            '<span class="sy-note">Exactly this plan is written, as a whole or not at all: first to a hidden tab, which is read back '
            "and checked, then put in place in one change. If sheet or table move meanwhile, it stops, says what moved, and nothing "
            "is written.</span>"
        )


def _find_writing(plan_id: str) -> Job | None:
    """The export that writes this plan, or has written it."""
    jobs = latest_jobs()
    exports = [job for job in (*jobs.active, *jobs.recent) if job.operation is Operation.EXPORT] if jobs else []
    mine = (job for job in exports if job.arguments.get("plan_id") == plan_id)
    return next((job for job in mine if job.is_active or job.state is JobState.SUCCEEDED), None)


def _decide(plan: ExportPlan, decided: Decisions) -> Gate:
    """The gate of the operation, then the one of this plan; what was decided on this page is no obstacle any more."""
    gate = gate_of(Operation.EXPORT)
    if not gate.allowed:
        return gate
    gate = plan_gate(plan)
    if not gate.allowed and not (gate.reason_code is Reason.NOTHING_TO_DO and decided.count_written(plan)):
        return gate
    if not decided.count_written(plan):
        words = "Nothing to write: every difference stays as it is in the sheet."
        return Gate(allowed=False, reason_code=Reason.NOTHING_TO_DO, reason_text=words)
    return Gate(allowed=True)


def _ask(plan: ExportPlan, decided: Decisions, request: ExportRequest) -> None:
    """Tier 2; tier 3 when it takes away much that stands in the sheet."""
    cells, ours = decided.count_written(plan), decided.count_ours(plan)
    lost = plan.counts.clear + ours
    parts = [
        f"{plan.counts.add:,} added" if plan.counts.add else "",
        f"{plan.counts.change:,} changed" if plan.counts.change else "",
        f"**{plan.counts.clear:,} cleared**" if plan.counts.clear else "none cleared",
    ]
    if plan.counts.conflict:
        parts.append(f"**{ours:,} of {plan.counts.conflict:,} conflicting cells overwritten**")
    ask(
        Question(
            title=f"Write {plural(cells, 'cell')} to “{plan.target.tab}”?",
            body=f"In the sheet **{_escape(plan.title or plan.target.spreadsheet)}**: {', '.join(filter(None, parts))}. "
            "Everybody who has the sheet open sees it at once. Other columns, formulas and formats stay as they are.",
            reversible="Switchyard cannot take it back; in the sheet, File › Version history can.",
            typed=str(lost) if lost > HELD_REMOVALS_ABOVE else "",
            type_label=f"To approve what is cleared or overwritten, type the number of these cells: {lost}",
            verb=f"Write {plural(cells, 'cell')}",
            perform=partial(_start, request),
        )
    )


def _escape(text: str) -> str:
    """Markdown's letters mean nothing in a name."""
    return "".join(f"\\{letter}" if letter in r"\`*_{}[]()#+-.!|<>~$:" else letter for letter in text)


def _start(request: ExportRequest, _: object) -> Notice:
    go_to(job=get_client().start_export(request, start_key(f"export-{request!r}")))
    return Notice("Export started")


# The job


@st.fragment(key="export_job")
def show_export_job(job: Job) -> None:
    """The export the URL names: its progress, then what came of it."""
    with live_block("export_job"):
        jobs = latest_jobs()
        job = next((each for each in (*jobs.active, *jobs.recent) if each.job_id == job.job_id), job) if jobs else job
        if job.is_active:
            show_heading("Writing", Topic.JOBS)
            show_active_job(job, key="export")
            st.html('<span class="sy-note">You may leave this page: the work goes on, and this link shows how far it is.</span>')
        else:
            _show_outcome(job)


def _show_outcome(job: Job) -> None:
    show_ended(job)
    if job.state is JobState.SUCCEEDED:
        st.html(tiles([Tile(label=label, value=format_count(count_of(job, name))) for name, label in SHEET_COUNTS.items()]))
    tone, words, symbol = describe_commit(job, began=_has_begun(job))
    show_finding(tone, words, symbol=symbol)
    with st.container(horizontal=True):
        if plan_id := job.arguments.get("plan_id"):
            query = {Params.PLAN: str(plan_id)}
            st.page_link(PAGES["Export"].file, label="Back to the plan", icon=":material/undo:", query_params=query)
        st.page_link(PAGES["Export"].file, label="Export something else", icon=PAGES["Export"].icon)
        st.page_link(PAGES["Home"].file, label="Log and details", icon=":material/receipt_long:", query_params={Params.JOB: job.job_id})


def _has_begun(job: Job) -> bool:
    """Whether it came as far as writing; True when nobody can say."""
    plan_id = str(job.arguments["plan_id"])
    try:
        plan = latest_head(plan_id, of_export=True)
    except ClientError:
        return True
    return plan is None or plan.applied_by_job == job.job_id


def describe_commit(job: Job, *, began: bool) -> tuple[Tone, str, str]:
    """Whether the sheet holds the new content: tone, words, symbol. ``began``: it came as far as writing."""
    if job.state is JobState.SUCCEEDED:
        words = "<b>The sheet holds it.</b> It was put in place in one change, and a mark in the tab names this export."
        return Tone.DONE, words, "verified"
    died = job.state is JobState.INTERRUPTED or (job.state is JobState.CANCELLED and job.attempt > 1)  # perhaps after the one change
    broke_off = died or (job.error is not None and job.error.code in _UNSURE)
    if began and broke_off:
        words = (
            "<b>It is not known here whether the sheet was written.</b> It holds all of the old or all of the new content, never a mix, "
            "and a mark in the tab says which. Go back to the plan and compare again: that reads the mark."
        )
        return Tone.HELD, words, "help"
    return Tone.IDLE, "<b>Nothing was written.</b> The tab is as it was before this export.", "shield"
