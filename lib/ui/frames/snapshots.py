"""Snapshots: saved copies of the served generation. Take one, see them, pin, rename, download or delete one."""

from __future__ import annotations

from functools import partial
from html import escape
from urllib.parse import quote

import streamlit as st

from lib.client.errors import ClientError, NotFound
from lib.client.snapshot_calls import snapshot_path
from lib.contract.events import Topic
from lib.contract.operations import Gate, SnapshotRequest
from lib.contract.snapshots import Snapshot, SnapshotChange, SnapshotPage
from lib.contract.states import Operation
from lib.ui.acts import LISTED_SECONDS, last_act, note_act
from lib.ui.dialogs import Answer, Question, ask
from lib.ui.format import format_count, format_moment, format_size, plural
from lib.ui.frames.inspect import inspect_snapshot
from lib.ui.gates import WhenFree, gated_button, show_intentions, show_why
from lib.ui.live import connection_gate, gate_of, last_known, live_block, newest_jobs
from lib.ui.marks import Tone, code, icon, moment
from lib.ui.notices import attempt, describe_error, notify, show_trouble, start_key
from lib.ui.session import Params, api_base, get_client, get_param, now, zone
from lib.ui.widgets import show_finding, show_heading, show_nothing, show_unknown

MAX_NAME, MAX_NOTE = 80, 500
_LIST = "snapshots"


@st.fragment(key="snapshots")
def show_snapshots() -> None:
    """Everything about saved copies, live."""
    with live_block("snapshots"):
        show_heading("Snapshots", Topic.INDEX, note="saved copies of the served generation")
        _show_form()
        show_intentions(Operation.SNAPSHOT, key="snapshot")
        try:
            page = last_known("snapshots", lambda: _list_snapshots(newest_jobs(), last_act(_LIST)))
        except ClientError as error:
            show_trouble(describe_error(error, "The snapshots cannot be listed"))
            return
        if page is None:
            show_unknown("Snapshots")
        elif not page.items:
            show_nothing(
                "There is no snapshot yet.",
                "Take one before something you are not sure of. The service takes one by itself before an import that removes entries, "
                "before an undo and before a rebuild; they are listed here too.",
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
    st.html('<span class="sy-note">Embedding workers stand still for the moment in which it is taken.</span>')


def _show_list(page: SnapshotPage) -> None:
    gate = connection_gate()
    if not gate.allowed:
        show_why(gate, key="delete_snapshot")
    meant = get_param(Params.SNAPSHOT)
    if meant and all(snapshot.snapshot_id != meant for snapshot in page.items):
        show_finding(Tone.HELD, "The snapshot of this link is not here: it was deleted, or removed by age.", symbol="link_off")
    for snapshot in page.items:
        with st.container(border=True, key=f"snapshot_{snapshot.snapshot_id}"):
            _show_snapshot(snapshot, gate)
    automatic = sum(snapshot.automatic for snapshot in page.items)
    st.html(
        f'<span class="sy-note">{plural(len(page.items), "snapshot")}, {automatic} of them automatic: of those the newest '
        f"{page.kept} are kept. Those that people took or pinned stay until somebody deletes them.</span>"
    )


def _show_snapshot(snapshot: Snapshot, gate: Gate) -> None:
    st.html(snapshot_row(snapshot, meant=snapshot.snapshot_id == get_param(Params.SNAPSHOT)))
    ident, name, off = snapshot.snapshot_id, snapshot.name, not gate.allowed
    with st.container(horizontal=True, horizontal_alignment="right", gap="small", key=f"snapshot_buttons_{ident}"):
        pin, why = "Unpin" if snapshot.pinned else "Pin", "a pinned one is never removed by age"
        if st.button(pin, key=f"pin_{ident}", icon=":material/keep:", disabled=off, help=f"{pin} {name}: {why}"):
            _pin(snapshot)
        if st.button("Edit", key=f"edit_{ident}", icon=":material/edit:", disabled=off, help=f"Change name and note of {name}"):
            _ask_change(snapshot)
        opened = st.session_state.get("snapshot_download") == ident
        words = f"Look into {name} first, then decide"
        if st.button("Restore", key=f"restore_{ident}", icon=":material/settings_backup_restore:", disabled=off, help=words):
            inspect_snapshot(ident)
        if st.button("Download", key=f"download_{ident}", icon=":material/download:", disabled=off, help=f"Download {name} as one file"):
            st.session_state["snapshot_download"] = None if opened else ident
            st.rerun()
        if st.button("Delete", key=f"delete_{ident}", icon=":material/delete:", disabled=off, help=f"Delete {name}"):
            _ask_delete(snapshot)
    if opened and gate.allowed:
        _show_download(snapshot)


def _show_download(snapshot: Snapshot) -> None:
    """What one should know first, then the link; the browser fetches it from the service, in any size."""
    try:
        link = get_client().snapshot_link(snapshot.snapshot_id, _ticket(snapshot.snapshot_id), api_base())
    except ClientError as error:
        show_trouble(describe_error(error, "The link was not made"))
        return
    st.html(
        f'<div class="sy-box sy-box-held"><p class="sy-what">{icon("warning")} Keep this file as you keep the sheet it came from</p>'
        f"<p>It holds {plural(snapshot.vectors, 'vector')}: whoever has it can search it, and tell roughly what the texts were about. "
        f"About {format_size(snapshot.bundle_bytes or snapshot.size_bytes)}; a download that breaks goes on where it stopped.</p>"
        f"{_checksum(snapshot)}"
        f'<p><a href="{escape(link)}" download>Download the complete set of “{escape(snapshot.name)}”</a></p></div>'
    )


def _checksum(snapshot: Snapshot) -> str:
    """That of the very file that is downloaded: the one in the list is of the FAISS file inside it."""
    if snapshot.bundle_sha256 is None:
        return ""
    return f"<p>SHA-256 of this file, to compare wherever it is brought: {code(snapshot.bundle_sha256)}</p>"


@st.cache_data(ttl=60, max_entries=50, show_spinner=False)
def _ticket(snapshot_id: str) -> str:
    return get_client().create_ticket("GET", snapshot_path(snapshot_id)).ticket


def _pin(snapshot: Snapshot) -> None:
    """Tier 1: done at once, taken back at once."""
    said = attempt(partial(_set_pin, snapshot, pinned=not snapshot.pinned), failing=f"“{snapshot.name}” was left as it is")
    if said is not None:
        notify(said, undo=partial(_set_pin, snapshot, pinned=snapshot.pinned))
    st.rerun()


def _set_pin(snapshot: Snapshot, *, pinned: bool) -> str:
    note_act(_LIST)  # also when it is refused: what is listed is then not what there is
    get_client().change_snapshot(snapshot.snapshot_id, SnapshotChange(pinned=pinned))
    return f"“{snapshot.name}” is {'pinned: it stays until somebody deletes it' if pinned else 'no longer pinned'}"


def _ask_change(snapshot: Snapshot) -> None:
    def inputs() -> Answer:
        name = st.text_input("Name", snapshot.name, max_chars=MAX_NAME, key="snapshot_new_name", live=True)
        note = st.text_input("Note", snapshot.note, max_chars=MAX_NOTE, key="snapshot_new_note", live=True)
        change = SnapshotChange(name=(name or "").strip() or None, note=(note or "").strip())
        return Answer(change, "" if change.name else "A snapshot needs a name.")

    ask(
        Question(
            title=f"Change snapshot “{snapshot.name}”",
            body="Name and note are what people find it by; what is saved does not change.",
            verb="Save",
            inputs=inputs,
            perform=partial(_change, snapshot.snapshot_id),
        )
    )


def _change(snapshot_id: str, change: SnapshotChange) -> str:
    note_act(_LIST)
    changed = get_client().change_snapshot(snapshot_id, change)
    return f"Snapshot “{changed.name}” saved"


def snapshot_row(snapshot: Snapshot, *, meant: bool = False) -> str:
    """One snapshot as one row of facts. ``meant``: the link that was opened speaks of this one."""
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
    pinned = f" · {icon('keep')} pinned" if snapshot.pinned else ""
    mark = f'<span class="sy-badge sy-busy sy-meant">{icon("link")}this link\'s</span> ' if meant else ""
    note = escape(snapshot.note) or '<span class="sy-muted">no note</span>'
    return (
        f'<div class="sy-worker"><span class="sy-who">{mark}<b>{escape(snapshot.name)}</b>'
        f'<br><span class="sy-note">{icon(kind[0])} {escape(kind[1])} · {link}{pinned}</span></span>'
        f'<span class="sy-doing">{note}<br><span class="sy-note">SHA-256 {code(snapshot.sha256, short=12)}</span></span>{numbers}</div>'
    )


def _ask_delete(snapshot: Snapshot) -> None:
    """Tier 3: gone for good."""
    ask(
        Question(
            title=f"Delete snapshot “{snapshot.name}”?",
            body=f"The copy of generation {snapshot.generation} with **{plural(snapshot.vectors, 'vector')}** "
            f"({format_size(snapshot.size_bytes)}), taken {format_moment(snapshot.taken_at, zone())} by {snapshot.taken_by}, "
            "is removed for good. **Nobody can bring it back.** "
            "The served index and the other snapshots are not touched.",
            type_label=f"To delete it, type its name: {snapshot.name}",
            typed=snapshot.name,
            verb="Delete snapshot",
            perform=partial(_delete, snapshot.snapshot_id, snapshot.name),
        )
    )


def _delete(snapshot_id: str, name: str, _: object) -> str:
    note_act(_LIST)
    try:
        get_client().delete_snapshot(snapshot_id, name)
    except NotFound:
        return f"Snapshot “{name}” is gone already: somebody was faster, or it was removed by age"
    return f"Snapshot “{name}” deleted"


@st.cache_data(ttl=LISTED_SECONDS, max_entries=8, show_spinner=False)
def _list_snapshots(newest: str, acted: str) -> SnapshotPage:  # noqa: ARG001  part of the key
    return get_client().list_snapshots()
