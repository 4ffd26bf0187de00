"""Rehearsals: the list of what was tried beside production, and the two places where a rehearsal begins."""

from __future__ import annotations

from functools import partial
from html import escape
from urllib.parse import quote

import streamlit as st

from lib.client.errors import ClientError
from lib.contract.events import Topic
from lib.contract.imports import Plan
from lib.contract.reembedding import ReembedRequest
from lib.contract.rehearsals import (
    KEPT_DAYS,
    KEPT_REHEARSALS,
    LEAST_ROWS,
    MOST_ROWS,
    SAMPLE_ROWS,
    ImportChange,
    ModelChange,
    Promotion,
    RehearsalHead,
    RehearsalPage,
    RehearsedChange,
    RehearseRequest,
)
from lib.contract.states import ACTIVE_JOB_STATES, JobState, Operation, Verdict
from lib.ui.acts import LISTED_SECONDS, last_act, note_act
from lib.ui.dialogs import Question, ask
from lib.ui.focus import want_report
from lib.ui.format import format_until, plural
from lib.ui.gates import gated_button, show_intentions
from lib.ui.live import connection_gate, gate_of, last_known, live_block, newest_jobs
from lib.ui.marks import JOB_MARKS, Mark, Tone, badge, moment
from lib.ui.notices import Notice, attempt, describe_error, notify, show_trouble, start_key
from lib.ui.session import Params, get_client, go_to, now, zone
from lib.ui.widgets import show_heading, show_nothing, show_unknown

VERDICT_MARKS = {
    Verdict.GOOD: Mark(Tone.DONE, "check_circle", "nothing got worse"),
    Verdict.WORSE: Mark(Tone.BAD, "error", "worse"),
}
PROMOTED = Mark(Tone.DONE, "done_all", "promoted")
GONE = Mark(Tone.IDLE, "auto_delete", "no longer kept")
KIND_WORDS = {"import": "Import of", "reembed": "Change of the model to"}
#: The part of the Index page that lists them.
TAB = "Rehearsals"
_LIST = "rehearsals"


def rehearsal_link(ident: str) -> str:
    """Where the report of a rehearsal is."""
    return f"/Index?{Params.TAB}={TAB}&{Params.REHEARSAL}={quote(ident)}"


def show_rehearse_plan(plan: Plan) -> None:
    """On a plan: try it first. Outside every live block: nothing that is being chosen is disturbed."""
    with st.expander("Rehearse this import…"):
        held, approve = plan.held_removals, False
        if held:
            approve = st.checkbox(f"With the {plural(held, 'removal')} that are held", key="rehearse_removals")
        change = ImportChange(
            plan_id=plan.plan_id, mode=plan.mode, approve_removals=held if approve else None, ticks_revision=plan.ticks_revision
        )
        _show_start(change, key=f"plan_{plan.plan_id}")
        for head in _rehearsals_of(plan.plan_id):
            if head.expires_at or head.state in ACTIVE_JOB_STATES:
                link = f'<a href="{rehearsal_link(head.rehearsal_id)}" target="_self">Look at it</a>'
                st.html(f"<span>{_state(head)} Rehearsed {moment(head.created_at, now=now(), zone=zone())}. {link}</span>")


def show_rehearse_model(request: ReembedRequest) -> None:
    """On the cost of another model: try it on a sample first."""
    st.html('<div class="sy-name-line">Or rehearse it first</div>')
    _show_start(ModelChange(**request.model_dump()), key="model")


def _show_start(change: RehearsedChange, *, key: str) -> None:
    st.html(
        '<span class="sy-note">It is tried on sample rows beside production, in a shadow index of its own. <b>Nothing that is served, kept '
        "or queued changes.</b> You see which answers change, then promote it or throw it away; what was embedded for it is not embedded "
        f"again. It is kept for {KEPT_DAYS} days.</span>"
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        rows = st.number_input("Rows to try, at most", LEAST_ROWS, MOST_ROWS, SAMPLE_ROWS, step=100, key=f"rehearse_rows_{key}", width=180)
        if gated_button("Rehearse", gate_of(Operation.REHEARSE), key=f"rehearse_{key}", icon_name="experiment"):
            _begin(RehearseRequest(change=change, rows=int(rows)))


def _begin(request: RehearseRequest) -> None:
    job_id = attempt(lambda: get_client().start_rehearsal(request, start_key("rehearse")), failing="It was not rehearsed")
    if job_id is not None:
        notify("Rehearsal started; production stays as it is", link=rehearsal_link(job_id))
    st.rerun()


@st.fragment(key="rehearsals")
def show_rehearsals() -> None:
    """What was tried, newest first."""
    with live_block("rehearsals"):
        show_heading("Rehearsals", Topic.JOBS, note="imports and models tried beside production")
        show_intentions(Operation.REHEARSE, key="rehearse")
        try:
            page = _known_rehearsals()
        except ClientError as error:
            show_trouble(describe_error(error, "The rehearsals cannot be listed"))
            return
        if page is None:
            show_unknown("Rehearsals")
        elif not page.items:
            show_nothing(
                "Nothing was rehearsed yet.",
                "Try an import before it is applied, on its plan (Import), or another model before it is chosen (“Change the model” on the "
                "Overview): a shadow index shows which answers would change, and production stays as it is.",
            )
        else:
            for head in page.items:
                _show_head(head)
            st.html(
                f'<span class="sy-note">Each is kept for {KEPT_DAYS} days, and no more than the newest {KEPT_REHEARSALS}: '
                "older ones go within minutes; what came of them stays in the list of jobs.</span>"
            )


def _rehearsals_of(plan_id: str) -> list[RehearsalHead]:
    """Those of this plan; none when nothing is known."""
    try:
        page = _known_rehearsals()
    except ClientError:
        return []
    return [head for head in page.items if head.plan_id == plan_id] if page else []


def _known_rehearsals() -> RehearsalPage | None:
    return last_known("rehearsals", lambda: _list_rehearsals(newest_jobs(), last_act(_LIST)))


@st.cache_data(ttl=LISTED_SECONDS, max_entries=8, show_spinner=False)
def _list_rehearsals(newest: str, acted: str) -> RehearsalPage:  # noqa: ARG001  part of the key
    return get_client().list_rehearsals()


def _show_head(head: RehearsalHead) -> None:
    ident = head.rehearsal_id
    with st.container(
        border=True, key=f"rehearsal_{ident}", horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"
    ):
        st.html(rehearsal_line(head), width="content")
        if head.state is JobState.SUCCEEDED and not head.expires_at:
            return
        with st.container(horizontal=True, gap="small", width="content", key=f"rehearsal_buttons_{ident}"):
            if st.button("Open", key=f"open_rehearsal_{ident}", icon=":material/open_in_full:", help=f"Open the rehearsal of {head.name}"):
                want_report(ident)
                go_to(**{Params.REHEARSAL: ident})
                st.rerun()
            if head.expires_at:
                show_throw_away(ident, head.name, key=f"list_{ident}")


def rehearsal_line(head: RehearsalHead) -> str:
    """What was tried, by whom, when, what it came to, and how long it is kept."""
    tried = f" · {plural(head.rows, 'row')} tried" if head.rows is not None else ""
    kept = f" · kept for {format_until(head.expires_at, now()).removeprefix('in ')}" if head.expires_at else ""
    asked = f"by {escape(head.requested_by)}, {moment(head.created_at, now=now(), zone=zone())}"
    name = f"{KIND_WORDS[head.kind]} {escape(head.name)}"
    promoted = f" · {promotion_line(head.promotion)}" if head.promotion else ""
    return f'<span>{_state(head)} <b>{name}</b><br><span class="sy-note">{asked}{tried}{kept}{promoted}</span></span>'


def promotion_line(promotion: Promotion) -> str:
    """Who promoted it and when, and the job that did."""
    when = moment(promotion.promoted_at, now=now(), zone=zone())
    link = f'<a href="/?{Params.JOB}={quote(promotion.job_id)}" target="_self">its job</a>'
    return f"promoted by {escape(promotion.promoted_by)}, {when} ({link})"


def promotion_mark(promotion: Promotion) -> Mark:
    """How far that is."""
    if promotion.state in ACTIVE_JOB_STATES:
        return Mark(Tone.BUSY, "publish", "being promoted")
    return PROMOTED if promotion.stands else Mark(Tone.HELD, "undo", f"promotion {promotion.state}")


def _state(head: RehearsalHead) -> str:
    if head.state is not JobState.SUCCEEDED:
        return badge(JOB_MARKS[head.state])
    marks = [VERDICT_MARKS[head.verdict]] if head.verdict in VERDICT_MARKS else []
    marks += [promotion_mark(head.promotion)] if head.promotion else []
    marks += [] if head.expires_at else [GONE]
    return " ".join(map(badge, marks))


def show_throw_away(ident: str, name: str, *, key: str) -> None:
    """The button that removes a rehearsal before its time."""
    if gated_button("Throw away", connection_gate(), key=f"throw_away_{key}", icon_name="delete"):
        ask(
            Question(
                title=f"Throw away the rehearsal of {name}?",
                body="Its shadow indexes and the vectors made for it are removed. **Production is not touched.**",
                reversible="It cannot be brought back, but rehearsed again.",
                verb="Throw away",
                perform=partial(_throw_away, ident, name),
            )
        )


def _throw_away(ident: str, name: str, _: object) -> Notice:
    get_client().delete_rehearsal(ident)
    note_act(_LIST)
    go_to()
    return Notice(f"The rehearsal of {name} was thrown away")
