"""Export: how many entries, which of them, and the files that came of it."""

from __future__ import annotations

from html import escape

import streamlit as st

from lib.client.api import export_path
from lib.client.errors import ClientError
from lib.contract.events import Topic
from lib.contract.exports import Export, ExportFilter, ExportPage, ExportRequest, FileTarget
from lib.contract.operations import Gate
from lib.contract.states import Operation
from lib.ui.format import format_count, format_moment, format_size, format_until, plural
from lib.ui.gates import WhenFree, gated_button, show_intentions
from lib.ui.live import find_operation, gate_of, is_offline, last_known, latest_jobs, latest_queue, live_block
from lib.ui.marks import Column, Tile, moment, table, tiles
from lib.ui.notices import attempt, describe_error, notify, show_trouble, start_key
from lib.ui.session import Params, api_base, get_client, now, zone
from lib.ui.widgets import show_active_job, show_heading, show_nothing, show_unknown


def show_export_form() -> None:
    """Which entries, how they are written, and the button; outside every live block, so that typing is never disturbed."""
    show_heading("What to write", Topic.QUEUE)
    with st.container(border=True, key="export_form"):
        left, right = st.columns([2, 1], gap="medium", vertical_alignment="bottom")
        with left:
            text = st.text_input(
                "Only entries whose key or text contains",
                key=Params.CONTAINS,
                bind="query-params",
                placeholder="empty: all entries",
                max_chars=200,
            )
            safe = st.checkbox(
                "Disarm cells that a spreadsheet would run as a formula",
                value=True,
                key="spreadsheet_safe",
                help="Cells that begin with = + - @ get a leading apostrophe; the import takes it away again.",
            )
        with right:
            matching = _count((text or "").strip() or None)
            st.html(tiles([Tile(label="To write", value=format_count(matching), note="entries" if not text else "entries that match")]))
        _show_start((text or "").strip() or None, matching, safe=safe)


@st.fragment(key="export_start")
def _show_start(text: str | None, matching: int | None, *, safe: bool) -> None:
    with live_block("export_start"):
        jobs = latest_jobs()
        running = [job for job in jobs.active if job.operation is Operation.EXPORT] if jobs else []
        for job in running:
            show_active_job(job, key="exporting")
        gate = gate_of(Operation.EXPORT)
        if gate.allowed and matching == 0:
            gate = Gate(allowed=False, reason_text="No entry matches: there is nothing to write.")
        request = ExportRequest(target=FileTarget(spreadsheet_safe=safe), filter=ExportFilter(text=text))
        when_free = WhenFree(Operation.EXPORT, request)
        if gated_button("Export to CSV", gate, key="start_export", icon_name="download", primary=True, when_free=when_free):
            job_id = attempt(lambda: get_client().start_export(request, start_key("export")), failing="The export was not started")
            if job_id is not None:
                notify("Export started; its file appears below.", link=f"/?{Params.JOB}={job_id}")
            st.rerun()
        show_intentions(Operation.EXPORT, key="export")


def _count(text: str | None) -> int | None:
    if text is None:
        queue = latest_queue()
        return queue.entries if queue else None
    try:
        return last_known(f"matching_{text}", lambda: _count_matching(text))
    except ClientError as error:
        show_trouble(describe_error(error, "The entries cannot be counted"))
        return None


@st.cache_data(ttl=5, max_entries=50, show_spinner=False)
def _count_matching(text: str) -> int:
    return get_client().list_entries(text, limit=1).total


# Its own timer, so that links stay fresh (tickets live briefly) also while live updates are off.
@st.fragment(key="export_files", run_every=60)
def show_export_files() -> None:
    """The files that can still be downloaded."""
    with live_block("export_files"):
        show_heading("Files", Topic.JOBS)
        try:
            page = last_known("exports", lambda: _list_exports(_last_export()))
            rows = [_row(export, _link(export)) for export in page.items] if page else []
        except ClientError as error:
            show_trouble(describe_error(error, "The export files cannot be listed"))
            return
        if page is None:
            show_unknown("Export files")
        elif not rows:
            show_nothing("No export file is kept.", "Each export makes its own file; it can be downloaded here until it is removed by age.")
        else:
            st.html(table(_COLUMNS, rows, caption="Export files, newest first"))


_COLUMNS = (
    Column(title="File"),
    Column(title="Rows", number=True),
    Column(title="Size", number=True),
    Column(title="Made"),
    Column(title="Removed"),
    Column(title="SHA-256", wide=True),
    Column(title="Download"),
)


def _row(export: Export, link: str | None) -> tuple[str, ...]:
    at = now()
    download = (
        f'<a href="{escape(link)}" download="{escape(export.name)}">Download</a>' if link else '<span class="sy-why">service offline</span>'
    )
    return (
        f"<b>{escape(export.name)}</b>",
        format_count(export.rows),
        format_size(export.size_bytes),
        moment(export.created_at, now=at, zone=zone()),
        f'<span title="{format_moment(export.expires_at, zone())}">{format_until(export.expires_at, at)}</span>',
        f'<span class="sy-code sy-wrap">{escape(export.sha256)}</span>',
        download,
    )


def _link(export: Export) -> str | None:
    """The address a browser downloads the file from; None while nothing could answer it."""
    if is_offline():
        return None
    return get_client().export_link(export.export_id, _ticket(export.export_id), api_base())


@st.cache_data(ttl=60, max_entries=200, show_spinner=False)
def _ticket(export_id: str) -> str:
    return get_client().create_ticket("GET", export_path(export_id)).ticket


@st.cache_data(ttl=30, max_entries=4, show_spinner=False)
def _list_exports(last: str) -> ExportPage:  # noqa: ARG001  part of the key
    return get_client().list_exports()


def _last_export() -> str:
    """Changes when an export ends, so that the list is read anew exactly then."""
    reading = find_operation(Operation.EXPORT)
    return f"{reading.last.job_id}{reading.last.state}" if reading and reading.last else plural(0, "export")
