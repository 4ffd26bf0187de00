"""Snapshots: saved copies of the served generation. Take one, see them, delete one."""

from __future__ import annotations

from functools import partial
from html import escape
from urllib.parse import quote

import streamlit as st

from lib.client.errors import ClientError
from lib.contract.events import Topic
from lib.contract.operations import Gate, SnapshotRequest
from lib.contract.snapshots import Snapshot, SnapshotPage
from lib.contract.states import Operation
from lib.ui.dialogs import Question, ask
from lib.ui.format import format_count, format_size, plural
from lib.ui.gates import WhenFree, gated_button, show_intentions, show_why
from lib.ui.live import connection_gate, gate_of, last_known, live_block, newest_jobs
from lib.ui.marks import code, icon, moment
from lib.ui.notices import attempt, describe_error, notify, show_trouble, start_key
from lib.ui.session import Params, get_client, now, zone
from lib.ui.widgets import show_heading, show_nothing, show_unknown

MAX_NAME, MAX_NOTE = 80, 500


@st.fragment(key="snapshots")
def show_snapshots() -> None:
    """Everything about saved copies, live."""
    with live_block("snapshots"):
        show_heading("Snapshots", Topic.INDEX, note="saved copies of the served generation")
        _show_form()
        show_intentions(Operation.SNAPSHOT, key="snapshot")
        try:
            page = last_known("snapshots", lambda: _list_snapshots(newest_jobs(), st.session_state.get("snapshots_acted", 0)))
        except ClientError as error:
            show_trouble(describe_error(error, "The snapshots cannot be listed"))
            return
        if page is None:
            show_unknown("Snapshots")
        elif not page.items:
            show_nothing(
                "There is no snapshot yet.",
                "Take one before something you are not sure of. The service takes one by itself before an import that removes entries "
                "and before an undo; they are listed here too.",
            )
        else:
            _show_list(page)


def _show_form() -> None:
    """Name and note; ticks leave alone what is being typed."""
    turn = st.session_state.get("snapshots_taken", 0)
    with st.container(horizontal=True, vertical_alignment="bottom", key="snapshot_form"):
        name = st.text_input("Name", key=f"snapshot_name_{turn}", max_chars=MAX_NAME, placeholder="empty: date and time", width=260)
        note = st.text_input("Note", key=f"snapshot_note_{turn}", max_chars=MAX_NOTE, placeholder="why it was taken", width=380)
        request = SnapshotRequest(name=(name or "").strip(), note=(note or "").strip())
        when_free = WhenFree(Operation.SNAPSHOT, request)
        gate = gate_of(Operation.SNAPSHOT)
        if gated_button("Take a snapshot", gate, key="take_snapshot", icon_name="photo_camera", when_free=when_free):
            job_id = attempt(lambda: get_client().start_snapshot(request, start_key("snapshot")), failing="The snapshot was not started")
            if job_id is not None:
                st.session_state["snapshots_taken"] = turn + 1
                notify("Snapshot started; it appears below when it is whole", link=f"/?{Params.JOB}={job_id}")
            st.rerun()


def _show_list(page: SnapshotPage) -> None:
    gate = connection_gate()
    if not gate.allowed:
        show_why(gate, key="delete_snapshot")
    for snapshot in page.items:
        with st.container(border=True, key=f"snapshot_{snapshot.snapshot_id}"):
            _show_snapshot(snapshot, gate)
    automatic = sum(snapshot.automatic for snapshot in page.items)
    st.html(
        f'<span class="sy-note">{plural(len(page.items), "snapshot")}, {automatic} of them automatic: of those the newest '
        f"{page.kept} are kept. Those that people took stay until somebody deletes them.</span>"
    )


def _show_snapshot(snapshot: Snapshot, gate: Gate) -> None:
    words, button = st.columns([6, 1], vertical_alignment="center", gap="small")
    words.html(snapshot_row(snapshot))
    with button, st.container(horizontal=True, horizontal_alignment="right"):
        if st.button("Delete", key=f"delete_{snapshot.snapshot_id}", disabled=not gate.allowed, help=f"Delete {snapshot.name}"):
            _ask_delete(snapshot)


def snapshot_row(snapshot: Snapshot) -> str:
    """One snapshot as one row of facts."""
    kind = ("shield", f"automatic, for {snapshot.taken_by}") if snapshot.automatic else ("person", f"by {snapshot.taken_by}")
    link = f'<a href="/?{Params.JOB}={quote(snapshot.job_id)}" target="_self">its job</a>'
    numbers = "".join(
        f'<span class="sy-cell"><span class="sy-note">{name}</span><br>{value}</span>'
        for name, value in (
            ("Generation", format_count(snapshot.generation)),
            ("Vectors", format_count(snapshot.vectors)),
            ("Size", format_size(snapshot.size_bytes)),
            ("Taken", moment(snapshot.taken_at, now=now(), zone=zone())),
        )
    )
    note = escape(snapshot.note) or '<span class="sy-muted">no note</span>'
    return (
        f'<div class="sy-worker"><span class="sy-who"><b>{escape(snapshot.name)}</b>'
        f'<br><span class="sy-note">{icon(kind[0])} {escape(kind[1])} · {link}</span></span>'
        f'<span class="sy-doing">{note}<br><span class="sy-note">SHA-256 {code(snapshot.sha256, short=12)}</span></span>{numbers}</div>'
    )


def _ask_delete(snapshot: Snapshot) -> None:
    """Tier 3: gone for good."""
    ask(
        Question(
            title=f"Delete snapshot “{snapshot.name}”?",
            body=f"The copy of generation {snapshot.generation} with **{plural(snapshot.vectors, 'vector')}** "
            f"({format_size(snapshot.size_bytes)}) is removed for good. **Nobody can bring it back.** "
            "The served index and the other snapshots are not touched.",
            type_label=f"To delete it, type its name: {snapshot.name}",
            typed=snapshot.name,
            verb="Delete snapshot",
            perform=partial(_delete, snapshot.snapshot_id, snapshot.name),
        )
    )


def _delete(snapshot_id: str, name: str, _: object) -> str:
    get_client().delete_snapshot(snapshot_id, name)
    st.session_state["snapshots_acted"] = st.session_state.get("snapshots_acted", 0) + 1
    return f"Snapshot “{name}” deleted"


@st.cache_data(ttl=30, max_entries=8, show_spinner=False)
def _list_snapshots(newest: str, acted: int) -> SnapshotPage:  # noqa: ARG001  part of the key
    return get_client().list_snapshots()
