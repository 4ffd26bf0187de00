"""The rows of an export's plan: filtered by change, page by page; filter and page are in the URL."""

from __future__ import annotations

import streamlit as st

from lib.contract.export_plans import CellChange, ExportPlan
from lib.ui.export_plans import Decisions, export_table
from lib.ui.format import format_count
from lib.ui.live import last_known
from lib.ui.session import Params, get_client, get_param
from lib.ui.widgets import show_heading, show_nothing, show_paging

PAGE_ROWS = 50
#: The filter's words are also its values in the URL.
FILTERS: dict[str, CellChange | None] = {
    "All": None,
    "Add": CellChange.ADD,
    "Change": CellChange.CHANGE,
    "Clear": CellChange.CLEAR,
    "Conflict": CellChange.CONFLICT,
    "Stays theirs": CellChange.KEEP,
}

Cursors = list[str | None]


def chosen_change() -> CellChange | None:
    """What the URL asks to see; what it asks wrongly narrows nothing."""
    return FILTERS.get(str(st.session_state.get(Params.CHANGE) or get_param(Params.CHANGE)))


def pages_of(plan_id: str, change: CellChange | None) -> Cursors:
    """The trail of pages, the present one last. A link may begin further down."""
    trails: dict[CellChange | None, Cursors] = st.session_state.setdefault(f"export_pages_{plan_id}", {})
    if not trails and (after := get_param(Params.AFTER)):
        trails[change] = [None, after]
    return trails.setdefault(change, [None])


def read_plan(plan_id: str, change: CellChange | None, cursor: str | None, limit: int = PAGE_ROWS) -> ExportPlan | None:
    """The plan with one page of its rows."""
    name = f"export_plan_{plan_id}_{change}_{cursor}_{limit}"
    return last_known(name, lambda: get_client().get_export_plan(plan_id, change, limit, cursor))


def show_export_rows(plan: ExportPlan, change: CellChange | None, cursors: Cursors, decided: Decisions) -> None:
    """One page of the rows that are asked for."""
    _say_page(cursors)
    if not plan.counts.rows:
        return
    show_heading("Every difference, cell by cell", note=f"{plan.counts.rows:,} rows")
    st.segmented_control("Show rows", list(FILTERS), default="All", required=True, key=Params.CHANGE, bind="query-params")
    if not plan.rows:
        show_nothing("No row of this plan matches the filter.", "Choose another filter to see the other rows.")
    else:
        st.html(export_table(plan.rows, decided))
    first, total = (len(cursors) - 1) * PAGE_ROWS + 1, plan.counts.rows if change is None else plan.matching
    words = f"Rows {first:,}–{first + len(plan.rows) - 1:,} of {format_count(total)}" if plan.rows else ""
    show_paging(cursors, plan.next_cursor, key="export_rows", back="Previous rows", on="Next rows", words=words)


def _say_page(cursors: Cursors) -> None:
    """The URL names the page that is shown."""
    if cursors[-1] is not None:
        st.query_params[Params.AFTER] = cursors[-1]
    elif Params.AFTER in st.query_params:
        del st.query_params[Params.AFTER]
