"""What more than one page can start: the sample sheet, the preview of an import, and a refresh of the index."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from pydantic import TypeAdapter

from lib.contract.imports import Plan, PreviewRequest, Source
from lib.contract.states import Operation
from lib.ui.gates import gated_button
from lib.ui.live import gate_of
from lib.ui.notices import attempt, notify, start_key
from lib.ui.pages import PAGES
from lib.ui.session import Params, get_client

SAMPLE = Path(__file__).parent / "sample" / "playbook.csv"


#: Stands for "upload the sample first" where the id of an upload is expected.
SAMPLE_UPLOAD = "sample"


def show_sample_button() -> None:
    """One click: the sample sheet takes the same road as any other, up to the choice of its columns."""
    if gated_button("Load the sample sheet", gate_of(Operation.PREVIEW), key="load_sample", icon_name="play_arrow", primary=True):
        upload_sample()


def show_sample_link() -> None:
    """The same from another page.

    A link, because ``st.switch_page`` inside a ticking fragment left the browser blank in two of ten tries (Streamlit 1.67): a tick
    that still names the page one has left is run after the new one.
    """
    gate = gate_of(Operation.PREVIEW)
    if not gate.allowed:
        gated_button("Load the sample sheet", gate, key="load_sample", icon_name="play_arrow", primary=True)
        return
    with st.container(key="call_sample"):
        link = {Params.UPLOAD: SAMPLE_UPLOAD}
        st.page_link(PAGES["Import"].file, label="Load the sample sheet", icon=":material/play_arrow:", query_params=link)


def upload_sample() -> None:
    """Upload the sample and go on where its columns are chosen; back to the first step when that fails."""
    upload = attempt(lambda: get_client().upload_file(SAMPLE.name, SAMPLE.read_bytes()), failing="The sample sheet was not loaded")
    st.query_params.from_dict({Params.UPLOAD: upload.upload_id} if upload else {})
    st.rerun()


def start_refresh() -> None:
    """Take into the index what changed: nothing is lost by it, so it is not asked about."""
    job_id = attempt(lambda: get_client().start_refresh(start_key("refresh")), failing="The refresh was not started")
    if job_id is not None:
        notify("Index refresh started", link=f"/?{Params.JOB}={job_id}")
    st.rerun()


def show_preview_again(plan: Plan, label: str) -> None:
    """The same file, columns and mode, compared with the table as it is now."""
    if gated_button(label, gate_of(Operation.PREVIEW), key="preview_again", icon_name="refresh", primary=True):
        source = TypeAdapter[Source](Source).validate_python(plan.source)  # read as it was read then
        start_preview(PreviewRequest(source=source, mapping=plan.mapping, mode=plan.mode))


def start_preview(request: PreviewRequest) -> None:
    """Ask for a plan and go where it is shown."""
    plan_id = attempt(lambda: get_client().preview_import(request), failing="The preview was not started")
    if plan_id is not None:
        st.query_params.from_dict({Params.PLAN: plan_id})
    st.rerun()
