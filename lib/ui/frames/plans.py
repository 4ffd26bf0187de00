"""Import, second half: review a plan, apply it, watch it. A colleague who opens the link sees the same."""

from __future__ import annotations

from html import escape

import streamlit as st

from lib.client.errors import ClientError
from lib.contract.events import Topic
from lib.contract.imports import (
    HELD_REMOVALS_ABOVE,
    HELD_REMOVALS_RATIO,
    FileSource,
    ImportRequest,
    Plan,
    PreviewRequest,
)
from lib.contract.jobs import Job
from lib.contract.operations import Gate
from lib.contract.states import Change, InvalidPolicy, JobState, Operation, PlanState
from lib.ui.format import format_count, format_delimiter, format_ratio, format_until, plural
from lib.ui.live import find_job, gate_of, last_known, latest_index, latest_jobs, latest_queue, live_block
from lib.ui.marks import CHANGE_MARKS, JOB_MARKS, PLAN_MARKS, Tile, Tone, badge, box, moment, tiles
from lib.ui.notices import attempt, describe_error, show_trouble, start_key
from lib.ui.pages import PAGES
from lib.ui.plans import LISTED, MODE_WORDS, count_change, count_effects, plan_table, plan_tiles
from lib.ui.results import IMPORT_COUNTS, count_of, duration_of, summarize
from lib.ui.session import Params, get_client, get_param, go_to, now, zone
from lib.ui.starts import start_preview
from lib.ui.widgets import gated_button, show_active_job, show_finding, show_heading, show_nothing, show_progress, show_unknown

PLAN_ROWS = 50
POLICY_WORDS = {
    InvalidPolicy.SKIP: "Skip the invalid rows and apply the others",
    InvalidPolicy.ALL_OR_NOTHING: "All or nothing: refuse while any row is invalid",
}


def show_plan() -> None:
    """The plan of the URL in its present state."""
    plan_id = get_param(Params.PLAN) or ""
    change = _chosen_change()
    cursors: list[str | None] = st.session_state.setdefault(f"plan_cursors_{plan_id}_{change}", [None])
    try:
        plan = last_known(f"plan_{plan_id}_{change}_{cursors[-1]}", lambda: get_client().get_plan(plan_id, change, PLAN_ROWS, cursors[-1]))
    except ClientError as error:
        show_trouble(describe_error(error, "This plan cannot be shown"))
        return
    if plan is None:
        show_unknown("This plan")
        return
    _show_plan_head(plan)
    match plan.state:
        case PlanState.BUILDING:
            _show_building(plan.plan_id, plan.job_id)
            return
        case PlanState.FAILED:
            _show_failed_plan(plan)
            return
    st.html(plan_tiles(plan))
    if plan.state is PlanState.READY:
        _show_apply(plan)
    else:
        _show_no_longer(plan)
    _show_rows(plan, change, cursors)


def _show_plan_head(plan: Plan) -> None:
    at = now()
    read = f" · {escape(plan.encoding)}, {format_delimiter(plan.delimiter)}-separated" if plan.encoding else ""
    expires = f" · good for {format_until(plan.expires_at, at).removeprefix('in ')}" if plan.state is PlanState.READY else ""
    mapping = plan.mapping
    columns = f"key: {mapping.key} · text: {', '.join(mapping.text)} · fields: {', '.join(mapping.fields) or 'none'}"
    asked = f"by {escape(plan.requested_by)}, {moment(plan.created_at, now=at, zone=zone())}"
    st.html(
        f'<div class="sy-head"><h2>Plan for {escape(plan.source_name)} {badge(PLAN_MARKS[plan.state])}</h2></div>'
        f'<span class="sy-note"><b>{MODE_WORDS[plan.mode][0]}</b>: {MODE_WORDS[plan.mode][1]}<br>'
        f"{escape(columns)}{read} · {asked}{expires}</span>"
    )


@st.fragment(key="building_plan")
def _show_building(plan_id: str, job_id: str) -> None:
    with live_block("building_plan"):
        job = find_job(job_id)
        if job is None:
            try:
                plan = last_known(f"plan_head_{plan_id}", lambda: get_client().get_plan(plan_id, limit=0))
            except ClientError as error:
                show_trouble(describe_error(error, "This plan cannot be shown"))
                return
            if plan is not None and plan.state is not PlanState.BUILDING:
                st.rerun()
            show_progress(plan.progress if plan else None)
        elif job.is_active:
            show_active_job(job, key="plan")
        else:
            st.rerun()


def _show_failed_plan(plan: Plan) -> None:
    detail = escape(plan.error.detail) if plan.error else "No cause was recorded."
    action = escape(plan.error.action) if plan.error else ""
    show_finding(Tone.BAD, f"<b>The sheet could not be read as a plan.</b> {detail}<br>{action} Nothing was changed.", symbol="error")
    _show_again(plan, "Try again with the same file")


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
    _show_again(plan, "Make a new plan")


def _show_again(plan: Plan, label: str) -> None:
    if gated_button(label, gate_of(Operation.PREVIEW), key="preview_again", icon_name="refresh", primary=True):
        source = FileSource(upload_id=str(plan.source.get("upload_id")), sheet=plan.source.get("sheet"))
        start_preview(PreviewRequest(source=source, mapping=plan.mapping, mode=plan.mode))


#: The filter's words are also its value in the URL, so they hold no counts.
ALL_ROWS = "All"
FILTERS: dict[str, Change | None] = {ALL_ROWS: None} | {CHANGE_MARKS[each].word.capitalize(): each for each in LISTED}


def _chosen_change() -> Change | None:
    chosen = st.session_state.get(Params.CHANGE) or get_param(Params.CHANGE) or ALL_ROWS
    return FILTERS.get(str(chosen).capitalize())


def _show_rows(plan: Plan, change: Change | None, cursors: list[str | None]) -> None:
    st.segmented_control("Show rows", list(FILTERS), default=ALL_ROWS, required=True, key=Params.CHANGE, bind="query-params")
    total = count_change(plan.counts, change)
    if not plan.rows:
        which = f"No row of this plan is {CHANGE_MARKS[change].word}." if change else "This plan would change nothing."
        show_nothing(
            which, "Choose another filter to see the other rows." if change else "Every row of the sheet is in the table already, as it is."
        )
        return
    st.html(plan_table(plan.rows))
    first = (len(cursors) - 1) * PLAN_ROWS + 1
    with st.container(horizontal=True, vertical_alignment="center"):
        if len(cursors) > 1 and st.button("Previous rows", icon=":material/arrow_back:", key="rows_back"):
            cursors.pop()
            st.rerun()
        if plan.next_cursor is not None and st.button("Next rows", icon=":material/arrow_forward:", key="rows_on"):
            cursors.append(plan.next_cursor)
            st.rerun()
        st.html(f'<span class="sy-note">Rows {first:,}–{first + len(plan.rows) - 1:,} of {total:,}</span>', width="content")


# 4 · Apply


@st.fragment(key="apply")
def _show_apply(plan: Plan) -> None:
    with live_block("apply"), st.container(border=True, key="apply_box"):
        applying = _find_applying(plan.plan_id)
        if applying is not None:
            # Somebody else was quicker, perhaps in another tab: this page says so by itself.
            if applying.state is JobState.SUCCEEDED:
                st.rerun()
            show_active_job(applying, key="applying")
            return
        policy, approved, problem = _choose_conditions(plan)
        gate = gate_of(Operation.IMPORT)
        if gate.allowed and problem:
            gate = Gate(allowed=False, reason_text=problem)
        touched = count_effects(plan) - (plan.held_removals if approved is None else 0)
        if gated_button(f"Apply: {plural(touched, 'entry', 'entries')}", gate, key="apply_plan", icon_name="check", primary=True):
            request = ImportRequest(plan_id=plan.plan_id, mode=plan.mode, policy=policy, approve_removals=approved)
            job_id = attempt(
                lambda: get_client().start_import(request, start_key(f"import-{plan.plan_id}")), failing="The plan was not applied"
            )
            if job_id is not None:
                go_to(job=job_id)
            st.rerun()
        st.html(
            '<span class="sy-note">Exactly this plan is applied, as a whole or not at all. '
            f"Then {plural(plan.to_embed or 0, 'text')} will be embedded and become searchable without another click.</span>"
        )


def _find_applying(plan_id: str) -> Job | None:
    """The import that applies this plan, or has applied it."""
    jobs = latest_jobs()
    imports = [job for job in (*jobs.active, *jobs.recent) if job.operation is Operation.IMPORT] if jobs else []
    mine = (job for job in imports if job.arguments.get("plan_id") == plan_id)
    return next((job for job in mine if job.is_active or job.state is JobState.SUCCEEDED), None)


def _choose_conditions(plan: Plan) -> tuple[InvalidPolicy, int | None, str]:
    """What is done with invalid rows; the approved number of removals; what still stands in the way, in words."""
    policy, approved, problem = InvalidPolicy.SKIP, None, ""
    if plan.counts.invalid:
        label = f"{plural(plan.counts.invalid, 'row breaks', 'rows break')} a rule"
        policy = st.radio(label, list(InvalidPolicy), format_func=lambda each: POLICY_WORDS[each], key="policy") or InvalidPolicy.SKIP
        if policy is InvalidPolicy.ALL_OR_NOTHING:
            problem = f"{plural(plan.counts.invalid, 'row is', 'rows are')} invalid: mend the sheet, or skip them."
    if plan.held_removals:
        show_finding(
            Tone.HELD,
            f"<b>{plural(plan.held_removals, 'removal')} held.</b> That is more than {HELD_REMOVALS_ABOVE} "
            f"and more than {format_ratio(HELD_REMOVALS_RATIO)} of the table. Without approval the rest is applied and nothing is removed.",
        )
        typed = st.number_input(
            f"To approve, type the number of removals ({plan.held_removals:,})",
            min_value=0,
            value=None,
            step=1,
            key="approve",
            placeholder="not approved",
            width=340,
        )
        if typed == plan.held_removals:
            approved = int(typed)
        elif typed is not None:
            problem = problem or f"{typed:,} is not the number of removals ({plan.held_removals:,}); empty the field to apply without them."
    if plan.held_removals and approved is None and count_effects(plan) == plan.held_removals:
        problem = problem or "This plan only removes entries: type their number to approve that."
    if count_effects(plan) == 0:
        problem = problem or "Nothing to do: every row is in the table already, as it is."
    return policy, approved, problem


@st.fragment(key="import_job")
def show_import_job() -> None:
    """The import of the URL: its progress, then what came of it."""
    job_id = get_param(Params.JOB) or ""
    with live_block("import_job"):
        try:
            job = find_job(job_id) or last_known(f"job_{job_id}", lambda: get_client().get_job(job_id))
        except ClientError as error:
            show_trouble(describe_error(error, "This import cannot be shown"))
            return
        if job is None:
            show_unknown("This import")
        elif job.operation is Operation.PREVIEW and job.arguments.get("plan_id"):
            go_to(plan=str(job.arguments["plan_id"]))
            st.rerun()
        elif job.is_active:
            show_heading("Applying", Topic.JOBS)
            show_active_job(job, key="import")
            st.html('<span class="sy-note">You may leave this page: the work goes on, and this link shows how far it is.</span>')
        else:
            _show_outcome(job)


def _show_outcome(job: Job) -> None:
    at = now()
    show_heading("What came of it", Topic.JOBS)
    tone = JOB_MARKS[job.state].tone
    by = f"by {escape(job.requested_by)}, {moment(job.finished_at, now=at, zone=zone())}, in {duration_of(job, at)}"
    action = f"<br>{escape(job.error.action)}" if job.error and job.error.action else ""
    st.html(box(tone, f"{badge(JOB_MARKS[job.state])} {escape(summarize(job))}", by + action))
    if job.state is JobState.SUCCEEDED:
        st.html(tiles([Tile(label=name.capitalize(), value=format_count(count_of(job, name))) for name in IMPORT_COUNTS]))
        _show_follow_up()
    with st.container(horizontal=True):
        if job.state is not JobState.SUCCEEDED and job.arguments.get("plan_id"):
            query = {Params.PLAN: str(job.arguments["plan_id"])}
            st.page_link(PAGES["Import"].file, label="Back to the plan", icon=":material/undo:", query_params=query)
        st.page_link(PAGES["Queue"].file, label="Watch the queue", icon=PAGES["Queue"].icon)
        st.page_link(PAGES["Index"].file, label="Search", icon=":material/search:")
        st.page_link(PAGES["Home"].file, label="Log and details", icon=":material/receipt_long:", query_params={Params.JOB: job.job_id})


def _show_follow_up() -> None:
    """How far the entries are on their way to being found."""
    queue, index = latest_queue(), latest_index()
    if queue is None or index is None:
        return
    if queue.backlog:
        st.progress(min(1.0, queue.embedded / max(1, queue.entries)), text=f"Embedding: {format_count(queue.backlog)} rows to go")
    elif index.unindexed:
        show_finding(Tone.BUSY, f"All rows are embedded; {plural(index.unindexed, 'change')} on the way into the index.", symbol="sync")
    else:
        show_finding(
            Tone.DONE,
            f"Everything is searchable: {format_count(index.vectors)} entries in generation {index.generation}.",
            symbol="task_alt",
        )
