"""Import, last step: apply exactly one plan, watch it, and see what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import streamlit as st

from lib.client.errors import ClientError
from lib.contract.events import Topic
from lib.contract.imports import HELD_REMOVALS_ABOVE, HELD_REMOVALS_RATIO, ImportRequest, Plan
from lib.contract.jobs import Job
from lib.contract.operations import Gate, Reason
from lib.contract.states import InvalidPolicy, JobState, Operation
from lib.ui.dialogs import Question, ask
from lib.ui.eta import describe_searchable
from lib.ui.format import format_count, format_ratio, plural
from lib.ui.frames.job_detail import show_ended
from lib.ui.frames.plan_heads import plan_gate
from lib.ui.frames.undo import show_undo, show_undone
from lib.ui.gates import WhenFree, gated_button, show_intentions
from lib.ui.live import find_job, gate_of, last_known, latest_index, latest_jobs, latest_queue, live_block
from lib.ui.marks import Tile, Tone, tiles
from lib.ui.notices import Notice, attempt, describe_error, show_trouble, start_key
from lib.ui.pages import PAGES
from lib.ui.plans import count_effects, count_unticked, remaining
from lib.ui.results import IMPORT_COUNTS, count_of
from lib.ui.session import Keys, Params, get_client, get_hub, get_param, go_to, now
from lib.ui.starts import show_preview_again
from lib.ui.widgets import show_active_job, show_finding, show_heading, show_hold, show_unknown

POLICY_WORDS = {
    InvalidPolicy.SKIP: "Skip the invalid rows and apply the others",
    InvalidPolicy.ALL_OR_NOTHING: "All or nothing: refuse while any row is invalid",
}


#: What somebody else did meanwhile may stand in the way, and the feed tells of it within this time.
_OF_OTHERS = {Reason.OPERATION_RUNNING, Reason.PLAN_APPLIED, Reason.PLAN_STALE}
NEWS_WITHIN = timedelta(seconds=3)


@dataclass(frozen=True)
class Choices:
    """What the person decided before applying. ``remove``: also do the removals that are held."""

    policy: InvalidPolicy
    remove: bool

    def request(self, plan: Plan) -> ImportRequest:
        """The plan with these choices; the approved number is a ceiling."""
        approved = plan.held_removals if self.remove else None
        return ImportRequest(
            plan_id=plan.plan_id, mode=plan.mode, policy=self.policy, approve_removals=approved, ticks_revision=plan.ticks_revision
        )


@st.fragment(key="apply")
def show_apply(plan: Plan) -> None:
    """The choices, the button, and why it is off when it is."""
    with live_block("apply"), st.container(border=True, key="apply_box"):
        applying = _find_applying(plan.plan_id)
        if applying is not None:
            # Somebody else was quicker, perhaps in another tab: this page says so by itself.
            if applying.state is JobState.SUCCEEDED:
                st.rerun()
            show_active_job(applying, key="applying")
            return
        choices = _choose(plan)
        gate = _decide(plan, choices)
        request, touched = choices.request(plan), count_effects(plan) - (0 if choices.remove else plan.held_removals)
        when_free = WhenFree(Operation.IMPORT, request)
        label = f"Apply: {plural(touched, 'entry', 'entries')}"
        if gated_button(label, gate, key="apply_plan", icon_name="check", primary=True, when_free=when_free):
            if choices.remove:
                _ask_removals(plan, request, touched)
            _start(request)
        if gate.reason_code is Reason.PLAN_STALE:
            show_preview_again(plan, "Make a new plan")
        show_intentions(Operation.IMPORT, key="apply")
        show_hold()
        _explain(plan)


def _explain(plan: Plan) -> None:
    safety = " A safety snapshot of the index is taken first, because entries are removed." if remaining(plan).removed else ""
    out = [f"{plural(count, noun)}" for count, noun in ((count_unticked(plan), "row"), (plan.left_out_cells, "single column")) if count]
    left_out = f" What was left out ({' and '.join(out)}) stays as it is in the table." if out else ""
    st.html(
        f'<span class="sy-note">Exactly this plan is applied, as a whole or not at all.{left_out}{safety} '
        "The embedding workers stand still for a moment while it is applied, then go on as they were: "
        "a worker that a person paused stays paused. "
        f"Then {plural(plan.to_embed or 0, 'text')} will be embedded and become searchable without another click. "
        "The import can be undone for 30 days.</span>"
    )


def _start(request: ImportRequest) -> None:
    job_id = attempt(lambda: get_client().start_import(request, start_key(f"import-{request.plan_id}")), failing="The plan was not applied")
    if job_id is not None:
        go_to(job=job_id)
    elif (notice := st.session_state.get(Keys.NOTICE)) and notice.trouble and notice.trouble.gate:
        st.session_state[Keys.REFUSED] = (request.plan_id, now(), notice.trouble.gate)
    st.rerun()


def _ask_removals(plan: Plan, request: ImportRequest, touched: int) -> None:
    """Tier 3: it removes entries by the number."""
    removed, counts = plural(plan.held_removals, "entry", "entries"), remaining(plan)
    ask(
        Question(
            title=f"Apply and remove {removed}?",
            body=f"**{plural(touched, 'entry', 'entries')}** of the table are touched: {counts.new:,} new, {counts.changed:,} changed, "
            f"**{counts.removed:,} removed**. What is removed leaves the table, and no search finds it any more.",
            reversible="A safety snapshot of the index is taken first, and the import can be undone for 30 days.",
            type_label=f"To approve the removals, type their number: {plan.held_removals}",
            typed=str(plan.held_removals),
            verb=f"Apply and remove {removed}",
            perform=partial(_start_approved, request),
        )
    )


def _start_approved(request: ImportRequest, _: object) -> Notice:
    go_to(job=get_client().start_import(request, start_key(f"import-{request.plan_id}")))
    return Notice("Import started")


def _find_applying(plan_id: str) -> Job | None:
    """The import that applies this plan, or has applied it."""
    jobs = latest_jobs()
    imports = [job for job in (*jobs.active, *jobs.recent) if job.operation is Operation.IMPORT] if jobs else []
    mine = (job for job in imports if job.arguments.get("plan_id") == plan_id)
    return next((job for job in mine if job.is_active or job.state is JobState.SUCCEEDED), None)


def _choose(plan: Plan) -> Choices:
    """What is done with invalid rows, and with removals that are held."""
    policy, remove = InvalidPolicy.SKIP, False
    if plan.counts.invalid:
        label = f"{plural(plan.counts.invalid, 'row breaks', 'rows break')} a rule"
        policy = st.radio(label, list(InvalidPolicy), format_func=lambda each: POLICY_WORDS[each], key="policy") or InvalidPolicy.SKIP
    if plan.held_removals:
        removed = plural(plan.held_removals, "entry", "entries")
        show_finding(
            Tone.HELD,
            f"<b>{plural(plan.held_removals, 'removal')} held.</b> That is more than {HELD_REMOVALS_ABOVE} "
            f"and more than {format_ratio(HELD_REMOVALS_RATIO)} of the table, so it is only done when somebody approves the number.",
        )
        words = {False: f"Keep the {removed} that the sheet lacks, apply the rest", True: f"Remove the {removed} too"}
        remove = st.radio("Held removals", list(words), format_func=lambda each: words[each], key="removals") or False
    return Choices(policy, remove)


def _decide(plan: Plan, choices: Choices) -> Gate:
    """The gate of the operation, then the one of this plan; what the choices on this page answer is no obstacle any more."""
    gate = gate_of(Operation.IMPORT)
    if not gate.allowed:
        return gate
    gate = plan_gate(plan, ticks_revision=plan.ticks_revision)
    if not gate.allowed and not (gate.reason_code is Reason.REMOVALS_NOT_APPROVED and choices.remove):
        return gate
    if choices.policy is InvalidPolicy.ALL_OR_NOTHING and plan.counts.invalid:
        words = f"{plural(plan.counts.invalid, 'row is', 'rows are')} invalid: mend the sheet, or skip them."
        return Gate(allowed=False, reason_code=Reason.PLAN_HAS_INVALID_ROWS, reason_text=words)
    return _just_refused(plan) or Gate(allowed=True)


def _just_refused(plan: Plan) -> Gate | None:
    """The service's last refusal counts until the feed must have told of its cause; with refresh off nothing else would say it."""
    plan_id, refused_at, gate = st.session_state.get(Keys.REFUSED, ("", now(), None))
    news_at = get_hub().as_of(Topic.JOBS)
    if plan_id != plan.plan_id or gate.reason_code not in _OF_OTHERS or (news_at and news_at > refused_at + NEWS_WITHIN):
        return None
    refusal: Gate = gate
    return refusal


@st.fragment(key="import_job")
def show_import_job() -> None:
    """The import, or the undo of one, that the URL names: its progress, then what came of it."""
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
            show_heading("Taking back" if job.operation is Operation.UNDO else "Applying", Topic.JOBS)
            show_active_job(job, key="import")
            show_hold(unless=[job])
            st.html('<span class="sy-note">You may leave this page: the work goes on, and this link shows how far it is.</span>')
        else:
            _show_outcome(job)


def _show_outcome(job: Job) -> None:
    show_ended(job)
    if job.operation is Operation.UNDO:
        show_undone(job)
    elif job.operation is Operation.IMPORT and job.state is JobState.SUCCEEDED:
        st.html(tiles([Tile(label=name.capitalize(), value=format_count(count_of(job, name))) for name in IMPORT_COUNTS]))
        show_undo(job, key="outcome")
        show_intentions(Operation.UNDO, key="outcome")
    if job.state is JobState.SUCCEEDED:
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
        st.html(f'<span class="sy-note">{describe_searchable(queue)}</span>')
    elif index.unindexed:
        show_finding(Tone.BUSY, f"All rows are embedded; {plural(index.unindexed, 'change')} on the way into the index.", symbol="sync")
    else:
        show_finding(
            Tone.DONE,
            f"Everything is searchable: {format_count(index.vectors)} entries in generation {index.generation}.",
            symbol="task_alt",
        )
