"""What people did: filtered, paged, and as a file."""

from __future__ import annotations

from functools import partial
from html import escape
from urllib.parse import urlencode

import streamlit as st

from lib.client.errors import ClientError
from lib.contract.audit import AuditPage
from lib.ui.audits import audit_table
from lib.ui.format import format_count
from lib.ui.live import is_offline, last_known, live_block
from lib.ui.notices import describe_error, show_trouble
from lib.ui.session import Params, api_base, get_client
from lib.ui.widgets import show_heading, show_nothing, show_paging, show_unknown

AUDIT_ROWS = 50
#: The API path of the file; what a ticket for it is made for.
AUDIT_FILE = "/api/audit/file"


def show_audit() -> None:
    """The filter stands outside the live block, so that typing is never disturbed."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="audit_filter"):
        chosen = st.text_input(
            "Only on this job, worker or setting",
            key=Params.OBJECT,
            bind="query-params",
            placeholder="its whole id, e.g. embedding-1 or index.refresh; empty: everything",
            max_chars=200,
            width=460,
        )
    _show_list((chosen or "").strip() or None)


# Its own timer, so that the link stays fresh (tickets live briefly) also while live updates are off.
@st.fragment(key="audit", run_every=60)
def _show_list(object_id: str | None) -> None:
    with live_block("audit"):
        show_heading("What people did", note="newest first, refusals included")
        cursors: list[str | None] = st.session_state.setdefault(f"audit_cursors_{object_id}", [None])
        try:
            page = last_known(f"audit_{object_id}_{cursors[-1]}", partial(_list_audit, cursors[-1], object_id))
            st.html(download_link(None if is_offline() else _ticket()))
        except ClientError as error:
            show_trouble(describe_error(error, "The audit list cannot be read"))
            return
        if page is None:
            show_unknown("What people did")
        elif not page.items and object_id:
            show_nothing("No action matches.", "Nobody has done anything to this, or the id is not whole. Clear the filter to see all.")
        elif not page.items:
            show_nothing("Nobody has done anything yet.", "Every action is listed here with who, what, before and after.")
        else:
            st.html(audit_table(page.items, caption="Actions, newest first"))
            first = (len(cursors) - 1) * AUDIT_ROWS + 1
            words = f"Actions {first:,}–{first + len(page.items) - 1:,} of {format_count(page.total)}"
            show_paging(cursors, page.next_cursor, key="audit", back="Newer", on="Older", words=words)


def download_link(ticket: str | None) -> str:
    """Everything as a file, straight from the API; without a ticket, why not."""
    if ticket is None:
        return '<span class="sy-why">Download as CSV: not while the service does not answer.</span>'
    link = f"{api_base()}{AUDIT_FILE}?{urlencode({'ticket': ticket})}"
    return (
        f'<a href="{escape(link)}" download class="sy-link">Download as CSV</a> '
        '<span class="sy-note">all that is kept (90 days), safe to open in a spreadsheet</span>'
    )


@st.cache_data(ttl=3, max_entries=50, show_spinner=False)
def _list_audit(cursor: str | None, object_id: str | None) -> AuditPage:
    return get_client().list_audit(AUDIT_ROWS, cursor, object_id)


@st.cache_data(ttl=60, max_entries=4, show_spinner=False)
def _ticket() -> str:
    return get_client().create_ticket("GET", AUDIT_FILE).ticket
