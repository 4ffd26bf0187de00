"""Look into a file: upload a FAISS file or a snapshot's set of one's own, and have it read safely. Nothing is changed by that."""

from __future__ import annotations

import re

import streamlit as st

from lib.contract.inspections import InspectRequest, SnapshotSource, UploadedSource
from lib.contract.operations import Gate
from lib.contract.states import Operation
from lib.ui.focus import want_report
from lib.ui.gates import gated_button, show_intentions
from lib.ui.live import gate_of, latest_jobs, live_block, read_setting
from lib.ui.marks import icon
from lib.ui.notices import attempt, start_key
from lib.ui.session import Params, get_client, go_to
from lib.ui.uploader import INDEX_FILES, clear_uploader, show_uploader
from lib.ui.widgets import show_active_job, show_heading

_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_DEFAULT_MIB = 4096
_UPLOADED = "inspect_upload"


def show_inspect() -> None:
    """The place to drop a file, and the button that has it read."""
    show_heading("Look into a file", note="a FAISS file or a snapshot of your own")
    st.html(
        '<span class="sy-note">It is taken into quarantine and read in a process of its own: you see what is inside, can search it, and '
        "compare it with what is served. <b>Nothing is changed by looking.</b></span>"
    )
    if upload_id := show_uploader(_limit_bytes(), INDEX_FILES):
        st.session_state[_UPLOADED] = upload_id
    sha256 = st.text_input("SHA-256 of the file, if you know it", key="inspect_sha256", placeholder="optional: 64 characters") or ""
    _show_start(st.session_state.get(_UPLOADED), sha256.strip())


@st.fragment(key="inspect_start")
def _show_start(upload_id: str | None, sha256: str) -> None:
    with live_block("inspect_start"):
        jobs = latest_jobs()
        for job in jobs.active if jobs else []:
            if job.operation is Operation.INSPECT:
                show_active_job(job, key="inspecting")
        gate = gate_of(Operation.INSPECT)
        if gate.allowed and upload_id is None:
            gate = Gate(allowed=False, reason_text="No file has arrived yet: choose one above.")
        elif gate.allowed and sha256 and not _SHA256.fullmatch(sha256):
            gate = Gate(allowed=False, reason_text="A SHA-256 has 64 characters, 0–9 and a–f; leave the field empty if you do not know it.")
        if gated_button("Look inside", gate, key="start_inspection", icon_name="search", primary=True) and upload_id:
            begin(InspectRequest(source=UploadedSource(upload_id=upload_id, sha256=sha256.lower() or None)))
        elif upload_id is not None:
            st.html(f'<span class="sy-note">{icon("check_circle")} The file has arrived in quarantine.</span>')
        show_intentions(Operation.INSPECT, key="inspect")


def inspect_snapshot(snapshot_id: str) -> None:
    """The same for a snapshot of this service: nothing is served that was not inspected."""
    begin(InspectRequest(source=SnapshotSource(snapshot_id=snapshot_id)))


def begin(request: InspectRequest) -> None:
    """Have it read, and go where the report will be."""
    job_id = attempt(lambda: get_client().start_inspection(request, start_key("inspect")), failing="It was not looked into")
    if job_id is not None:
        if st.session_state.pop(_UPLOADED, None):
            clear_uploader()
        want_report(job_id)
        go_to(**{Params.INSPECTION: job_id})
    st.rerun()


def _limit_bytes() -> int:
    return int(read_setting("index.max_snapshot_mib") or _DEFAULT_MIB) << 20
