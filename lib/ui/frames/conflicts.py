"""Conflicts of an export to a sheet: both sides beside each other, and a choice for all of them or for single rows."""

from __future__ import annotations

from html import escape

import streamlit as st

from lib.client.errors import ClientError
from lib.contract.export_plans import CellChange, ExportPlan, ExportPlanRow
from lib.contract.exports import Side
from lib.ui.export_plans import Decisions, conflict_table
from lib.ui.format import format_count, plural, shorten
from lib.ui.frames.export_rows import read_plan
from lib.ui.notices import describe_error, show_trouble
from lib.ui.session import Keys, Params, get_param
from lib.ui.widgets import show_heading, show_paging

#: Rows with a choice each, on one page.
CONFLICT_ROWS = 10
KEEP_WORDS: dict[Side, str] = {Side.THEIRS: "Keep what the sheet has", Side.OURS: "Write what the table has"}
_SIDES = {words: side for side, words in KEEP_WORDS.items()}

_Rows = dict[str, tuple[Side, int]]


def read_decisions(plan: ExportPlan) -> Decisions:
    """What was decided so far; theirs stay unless somebody says otherwise."""
    words = st.session_state.get(Params.KEEP) or get_param(Params.KEEP)
    return Decisions(_SIDES.get(str(words), Side.THEIRS), _decided(plan.plan_id))


def _decided(plan_id: str) -> _Rows:
    decisions: dict[str, _Rows] = st.session_state.setdefault(Keys.DECISIONS, {})
    return decisions.setdefault(plan_id, {})


def show_conflicts(plan: ExportPlan) -> None:
    """Nothing when there are none."""
    if not plan.counts.conflict:
        return
    with st.container(border=True, key="conflicts"):
        show_heading("Conflicts", note=f"{plural(plan.counts.conflict, 'cell')} edited in the table and in the sheet")
        st.radio(
            "Where both sides changed a cell",
            list(_SIDES),
            key=Params.KEEP,
            bind="query-params",
            horizontal=True,
            on_change=lambda: _decided(plan.plan_id).clear(),
        )
        decided = read_decisions(plan)
        cursors: list[str | None] = st.session_state.setdefault(f"conflict_pages_{plan.plan_id}", [None])
        try:
            page = read_plan(plan.plan_id, CellChange.CONFLICT, cursors[-1], CONFLICT_ROWS)
        except ClientError as error:
            show_trouble(describe_error(error, "The conflicts cannot be listed"))
            return
        for place, row in enumerate(page.rows if page else ()):
            _show_conflict(plan.plan_id, row, decided, f"{len(cursors)}_{place}")
        if page and (page.next_cursor or len(cursors) > 1):
            first = (len(cursors) - 1) * CONFLICT_ROWS + 1
            words = f"Rows with a conflict {first:,}–{first + len(page.rows) - 1:,} of {format_count(page.matching)}"
            show_paging(cursors, page.next_cursor, key="conflicts", back="Previous conflicts", on="Next conflicts", words=words)


def _show_conflict(plan_id: str, row: ExportPlanRow, decided: Decisions, place: str) -> None:
    key = f"decide_{plan_id[:8]}_{decided.keep}_{place}"
    where = "deleted in the sheet" if row.row is None else f"row {row.row:,}"
    name = f"{shorten(row.key, 60)} · {where}"
    with st.container(key=f"conflict_{place}"):
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            st.html(f"<b>{escape(name)}</b>", width="content")
            st.segmented_control(
                f"Decide {name}",
                list(_SIDES),
                default=KEEP_WORDS[decided.side_of(row.key)],
                required=True,
                key=key,
                label_visibility="collapsed",
                on_change=_decide,
                args=(plan_id, row, decided.keep, key),
            )
        st.html(conflict_table(row))


def _decide(plan_id: str, row: ExportPlanRow, keep: Side, key: str) -> None:
    """Only what differs from the choice for all is kept as a row's own."""
    side, rows = _SIDES[st.session_state[key]], _decided(plan_id)
    rows.pop(row.key, None)
    if side is not keep:
        rows[row.key] = (side, sum(cell.change is CellChange.CONFLICT for cell in row.cells))
