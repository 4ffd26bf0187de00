"""Failures by cause: how many, which, why in plain words, and the one thing that helps."""

from __future__ import annotations

from html import escape

import streamlit as st

from lib.client.errors import ClientError
from lib.contract.events import Topic
from lib.contract.operations import Gate, OperationReading
from lib.contract.queue import SHORTEN_MAX, SHORTEN_MIN, Failure, FailureGroup, FailureGroups, Fix, ItemSelection, RequeueRequest
from lib.contract.states import FailureCause, ItemState, Operation
from lib.ui.format import plural
from lib.ui.gates import gated_button, show_why
from lib.ui.live import find_operation, gate_of, last_known, latest_queue, live_block
from lib.ui.marks import Mark, Tone, badge, fold, moment
from lib.ui.notices import describe_error, show_trouble
from lib.ui.pages import PAGES
from lib.ui.requeue import acted, ask_discard, retry, start_requeue
from lib.ui.results import summarize
from lib.ui.session import Params, get_client, now, zone
from lib.ui.widgets import job_badge, show_active_job, show_heading, show_nothing, show_unknown

#: With fewer rows than this a canary would be all of them.
CANARY_ROWS = 3
#: Causes people read and choose from should not move oftener than they can follow; the progress of a job does.
GROUPS_SECONDS = 5.0


@st.fragment(key="failure_groups")
def show_failure_groups() -> None:
    """Every cause something failed for, with what helps, and the job that is at it."""
    operation = find_operation(Operation.REQUEUE)
    with live_block("failure_groups", least_seconds=0.0 if operation and operation.running else GROUPS_SECONDS):
        show_heading("What failed, and what helps", Topic.QUEUE)
        _show_job(operation)
        reading = latest_queue()
        try:
            groups = last_known("failure_groups", lambda: _list_groups(reading.failed if reading else 0, acted()))
        except ClientError as error:
            show_trouble(describe_error(error, "The failures cannot be listed"))
            return
        if groups is None:
            show_unknown("Failed rows")
        elif not groups.groups:
            show_nothing("No row has failed.", "Rows that cannot be embedded stand here by cause, in plain words and with what to do.")
        else:
            gate = gate_of(Operation.REQUEUE)
            for group in groups.groups:
                _show_group(group, gate)
            if not gate.allowed:
                show_why(gate, key="groups")


def _show_job(operation: OperationReading | None) -> None:
    """The change of many rows that runs, or how the last one ended when that was not well."""
    if operation is not None and operation.running is not None:
        show_active_job(operation.running, key="requeue")
    elif operation is not None and operation.last is not None:
        link = f'<a href="/?{Params.JOB}={operation.last.job_id}" target="_self">report</a>'
        at = moment(operation.last.finished_at, now=now(), zone=zone())
        st.html(
            f'<div class="sy-box"><span class="sy-note">Last change of many rows</span> {job_badge(operation.last)} {at} · {link}'
            f"<p>{escape(summarize(operation.last))}</p></div>"
        )


def _show_group(group: FailureGroup, gate: Gate) -> None:
    words, at = group.cause.value.replace("_", " "), now()
    with st.container(border=True, key=f"group_{group.cause}", gap="small"):
        seen = f"first {moment(group.first_at, now=at, zone=zone())}, last {moment(group.last_at, now=at, zone=zone())}"
        st.html(
            f"<span>{badge(Mark(Tone.BAD, 'error', words))} <b>{plural(group.count, 'row')}</b>: {escape(group.explanation)} "
            f'{escape(group.action)}</span> <span class="sy-note">{seen}</span>{fold(_samples(group))}'
        )
        with st.container(horizontal=True, vertical_alignment="bottom"):
            _show_fix(group, gate.allowed)


def _samples(group: FailureGroup) -> str:
    return "".join(map(_sample, group.samples))


def _sample(failure: Failure) -> str:
    """One row, its raw error, and the way to its trail and to what the worker wrote."""
    link = f'<a href="/Queue?{Params.ROW}={failure.entry_id}" target="_self"><b>{escape(failure.key)}</b></a>'
    tried = f"attempt {failure.attempts} of {failure.max_attempts} · {escape(failure.worker_id or '—')}"
    return f'<div>{link} · {tried}: <span class="sy-code">{escape(failure.raw_error)}</span></div>'


def _show_fix(group: FailureGroup, allowed: bool) -> None:
    count, selection = plural(group.count, "row"), ItemSelection(cause=group.cause)
    fixed = group.fix in {Fix.SHORTEN, Fix.DISCARD}
    if group.fix is Fix.SHORTEN:
        _show_shorten(group, allowed)
    elif group.fix is Fix.SETTINGS:
        st.page_link(PAGES["Settings"].file, label="Open Settings", icon=":material/settings:")
    if group.fix is not Fix.DISCARD and _button(f"Retry {count}", f"retry_{group.cause}", "replay", allowed, primary=not fixed):
        if group.count < CANARY_ROWS:
            retry(selection)
        start_requeue(RequeueRequest(selection=selection, canary=True), f"Retry of {count}")
    if _button(f"Discard {count}", f"discard_{group.cause}", "delete", allowed, primary=group.fix is Fix.DISCARD):
        shown = [each.entry_id for each in group.samples]
        ask_discard(selection, count, shown if len(shown) == group.count else [])
    if st.button("Show the rows", key=f"rows_{group.cause}", type="tertiary", on_click=_show_rows, args=(group.cause,)):
        st.rerun()  # they are shown further down the page


def _show_shorten(group: FailureGroup, allowed: bool) -> None:
    length = st.number_input(
        "Characters to embed",
        value=group.shorten_to or SHORTEN_MAX,
        min_value=SHORTEN_MIN,
        max_value=SHORTEN_MAX,
        step=100,
        key=f"shorten_to_{group.cause}",
        width=180,
        help="Only the beginning of each text is embedded; the row keeps all of it. The number is read from the model's own refusal.",
    )
    if _button(f"Shorten and retry {plural(group.count, 'row')}", f"shorten_{group.cause}", "content_cut", allowed, primary=True):
        request = RequeueRequest(selection=ItemSelection(cause=group.cause), shorten_to=int(length), canary=True)
        start_requeue(request, f"Shorten {plural(group.count, 'row')} to {int(length):,} characters and retry")


def _button(label: str, key: str, icon: str, allowed: bool, *, primary: bool) -> bool:
    """Why it is off stands once, below the groups."""
    gate = Gate(allowed=True)
    return allowed and gated_button(label, gate, key=key, icon_name=icon, primary=primary)


def _show_rows(cause: FailureCause) -> None:
    st.session_state[Params.ROWS] = ItemState.FAILED.value.capitalize()
    st.session_state[Params.CAUSE] = cause.value.replace("_", " ")


@st.cache_data(ttl=5, max_entries=8, show_spinner=False)
def _list_groups(failed: int, turn: str) -> FailureGroups:  # noqa: ARG001  part of the key
    return get_client().list_failure_groups()
