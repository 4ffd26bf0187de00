"""Export to a Google sheet, first step: which sheet, which tab, and what is missing before it can be compared."""

from __future__ import annotations

from functools import partial

import streamlit as st

from lib.client.errors import ClientError
from lib.contract.export_plans import ExportPlan, ExportPreviewRequest
from lib.contract.exports import SheetTarget
from lib.contract.operations import Gate
from lib.contract.states import Operation
from lib.ui.frames.google_source import ACCESS, choose_tab, google_account, list_tabs, show_account, show_sheet_trouble
from lib.ui.gates import gated_button
from lib.ui.live import gate_of, last_known, latest_settings
from lib.ui.notices import attempt
from lib.ui.session import Params, get_client, go_to

#: The choice, in words that are also its value in the URL.
GOOGLE_SHEET = "A Google sheet"


def choose_sheet() -> tuple[SheetTarget | None, Gate | None]:
    """The tab to write to; else what is still missing."""
    address = st.text_input(
        "Address or id of the sheet",
        key=Params.SPREADSHEET,
        bind="query-params",
        placeholder="https://docs.google.com/spreadsheets/d/…",
        autocomplete="off",
        max_chars=500,
    )
    address = (address or "").strip()
    show_account("Only cells that differ are written; other columns and formulas stay. Share the sheet with this e-mail as Editor first:")
    if latest_settings() is not None and google_account() is None:
        return None, _off("No Google key is stored yet, so no sheet can be read.", ACCESS)
    if not address:
        return None, _off("Paste the address of the sheet first.")
    try:
        tabs = last_known(f"tabs_{address}", partial(list_tabs, address))
    except ClientError as error:
        show_sheet_trouble(error, "The sheet cannot be opened")
        return None, _off("The sheet cannot be opened.")
    if tabs is None:
        return None, _off("The tabs of the sheet are not known yet.")
    tab = choose_tab(tabs, "Choose the tab to write to")
    if tab is None:
        return None, _off("Choose the tab to write to.")
    return SheetTarget(kind="google_sheet", spreadsheet=tabs.spreadsheet_id, tab=tab), None


def _off(words: str, link: str | None = None) -> Gate:
    return Gate(allowed=False, reason_text=words, fix_link=link)


def start_comparison(request: ExportPreviewRequest) -> None:
    """Ask for a plan and go where it is shown."""
    plan_id = attempt(lambda: get_client().preview_export(request), failing="The comparison was not started")
    if plan_id is not None:
        go_to(plan=plan_id)
    st.rerun()


def show_compare_again(plan: ExportPlan, label: str = "Compare again") -> None:
    """The same sheet, entries and columns, as they are now."""
    if gated_button(label, gate_of(Operation.COMPARE), key="compare_again", icon_name="refresh", primary=True):
        start_comparison(ExportPreviewRequest(target=plan.target, filter=plan.filter, columns=plan.columns))
