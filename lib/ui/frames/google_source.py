"""Import from a Google sheet: paste its address, choose the tab, go on like with a file. All of it is in the URL."""

from __future__ import annotations

from functools import partial
from html import escape

import streamlit as st

from lib.client.errors import ClientError
from lib.contract.imports import SheetColumns, SheetSource, SheetTabs
from lib.contract.states import CredentialKind
from lib.ui.format import plural
from lib.ui.frames.mapping import show_choices, show_sample_rows
from lib.ui.live import last_known, latest_settings
from lib.ui.notices import describe_error, show_link, show_trouble
from lib.ui.session import Params, get_client, get_param, go_to
from lib.ui.widgets import show_heading, show_unknown

ACCESS = "/Settings?tab=Access"


def show_google_choice() -> None:
    """The field for an address; below it, what people have to do before the sheet can be read."""
    with st.container(border=True, key="choose_google"):
        show_heading("A Google sheet")
        address = st.text_input(
            "Address or id of the sheet", key="google_address", placeholder="https://docs.google.com/spreadsheets/d/…", autocomplete="off"
        ).strip()
        if st.button("Open the sheet", icon=":material/table_view:", key="open_google") and address:
            go_to(spreadsheet=address[:500])
            st.rerun()
        show_account("Cells are taken exactly as they are shown. Share the sheet with this e-mail first:")


def google_account() -> str | None:
    """The e-mail of the stored key; None while there is none."""
    reading = latest_settings()
    stored = next((each for each in reading.credentials if each.kind is CredentialKind.GOOGLE), None) if reading else None
    return stored.account if stored else None


def show_account(words: str) -> None:
    """With whom a sheet has to be shared, after ``words`` of what for; else where a key is stored."""
    if account := google_account():
        st.html(f'<span class="sy-note">{escape(words)}</span>')
        st.code(account, language=None)
    elif latest_settings():
        st.html('<span class="sy-note">No Google key is stored yet. It is needed once, for all sheets.</span>')
        show_link(ACCESS, "Store a Google key")


def show_google_sheet() -> None:
    """The sheet of the URL: its tab, the first rows of it, and what each column is."""
    address = get_param(Params.SPREADSHEET) or ""
    try:
        tabs = last_known(f"tabs_{address}", partial(list_tabs, address))
    except ClientError as error:
        show_sheet_trouble(error, "The sheet cannot be opened")
        return
    if tabs is None:
        show_unknown("The sheet")
        return
    tab = choose_tab(tabs, "Choose the tab to read")
    if tab is None:
        return
    try:
        columns = last_known(f"columns_{tabs.spreadsheet_id}_{tab}", partial(_get_columns, tabs.spreadsheet_id, tab))
    except ClientError as error:
        show_sheet_trouble(error, f"The tab “{tab}” cannot be read")
        return
    if columns is None:
        show_unknown("The columns of this tab")
        return
    show_sample_rows(columns)
    row = columns.read_as.header_row
    show_choices(columns, SheetSource(kind="google_sheet", spreadsheet=tabs.spreadsheet_id, tab=tab, header_row=row))


def choose_tab(tabs: SheetTabs, hint: str) -> str | None:
    """The one in the URL if there is still one of that name, else the one the address points at; never guessed among several."""
    names = [each.title for each in tabs.tabs]
    show_heading(tabs.title, note=plural(len(names), "tab"))
    said = get_param(Params.SHEET) or tabs.tab or (names[0] if len(names) == 1 else None)
    place = names.index(said) if said in names else None
    chosen = st.selectbox("Tab", names, index=place, key=f"google_tab_{tabs.spreadsheet_id[:12]}", placeholder=hint)
    if said and place is None:
        st.html(f'<span class="sy-why">There is no tab called “{escape(said)}” any more. Was it renamed?</span>')
    if chosen and chosen != get_param(Params.SHEET):
        st.query_params[Params.SHEET] = chosen
    return chosen


def show_sheet_trouble(error: ClientError, what: str) -> None:
    """Why Google did not give it, once more, and where key and sheet are checked."""
    show_trouble(describe_error(error, what))
    left, right = st.columns([1, 4])
    if left.button("Try again", icon=":material/refresh:", key="google_again", type="primary"):
        st.rerun()
    with right:
        show_link(ACCESS, "Check key and sheet in Settings")


@st.cache_data(ttl=60, max_entries=50, show_spinner="Asking Google …")
def list_tabs(address: str) -> SheetTabs:
    """Title and tabs of the sheet at this address."""
    return get_client().list_tabs(address)


@st.cache_data(ttl=60, max_entries=50, show_spinner="Asking Google …")
def _get_columns(spreadsheet_id: str, tab: str) -> SheetColumns:
    return get_client().get_tab_columns(spreadsheet_id, tab)
