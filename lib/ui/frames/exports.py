"""Export: the files that came of it, each with its link, its checksum and when it goes."""

from __future__ import annotations

from html import escape

import streamlit as st

from lib.client.api import export_path
from lib.client.errors import ClientError
from lib.contract.events import Topic
from lib.contract.exports import Export, ExportPage
from lib.contract.states import Operation
from lib.ui.format import format_count, format_moment, format_size, format_until, plural
from lib.ui.live import find_operation, is_offline, last_known, live_block
from lib.ui.marks import Column, moment, table
from lib.ui.notices import describe_error, show_trouble
from lib.ui.session import api_base, get_client, now, zone
from lib.ui.widgets import show_heading, show_nothing, show_unknown


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
