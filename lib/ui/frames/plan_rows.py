"""The rows of a plan: filtered by change, rule and text; left out and taken back; and its bad rows as a file."""

from __future__ import annotations

from functools import partial
from html import escape

import streamlit as st

from lib.client.plans import bad_rows_path
from lib.contract.imports import Plan
from lib.contract.plans import RULES, RowFilter, TickRequest
from lib.contract.states import Change, PlanState, RowRule
from lib.ui.format import plural
from lib.ui.frames.plan_fields import show_field_ticks
from lib.ui.gates import gated_button
from lib.ui.live import connection_gate, is_offline
from lib.ui.marks import CHANGE_MARKS, icon
from lib.ui.notices import attempt, notify
from lib.ui.plans import LISTED, count_change, count_unticked, name_row, plan_table
from lib.ui.session import Params, api_base, get_client, get_param
from lib.ui.widgets import show_nothing, show_paging

PLAN_ROWS = 50
#: The filters' words are also their values in the URL, so they hold no counts.
ALL_ROWS, LEFT_OUT, ALL_RULES = "All", "Left out", "All rules"
FILTERS: dict[str, Change | None] = {ALL_ROWS: None} | {CHANGE_MARKS[each].word.capitalize(): each for each in LISTED}
_RULES: dict[str, RowRule] = {words: rule for rule, words in RULES.items()}


def chosen_rows() -> RowFilter:
    """What the URL asks to see; what it asks wrongly narrows nothing."""
    shown = str(st.session_state.get(Params.CHANGE) or get_param(Params.CHANGE) or ALL_ROWS).capitalize()
    rule = st.session_state.get(Params.RULE) or get_param(Params.RULE)
    text = st.session_state.get(Params.FIND) or get_param(Params.FIND)
    return RowFilter(
        change=FILTERS.get(shown),
        rule=_RULES.get(str(rule)),
        text=str(text)[:200] if text else None,
        ticked=False if shown == LEFT_OUT else None,
    )


def show_rows(plan: Plan, wanted: RowFilter, cursors: list[str | None]) -> None:
    """One page of the rows that are asked for, and what can be done with them."""
    options = [*FILTERS, LEFT_OUT]
    left, right = st.columns([3, 2], gap="medium", vertical_alignment="bottom")
    with left:
        st.segmented_control("Show rows", options, default=ALL_ROWS, required=True, key=Params.CHANGE, bind="query-params")
    with right:
        st.text_input("Key or text contains", key=Params.FIND, bind="query-params", max_chars=200, icon=":material/search:")
    if plan.counts.invalid:
        _show_bad_rows(plan)
    if not plan.rows:
        _show_none(wanted)
        return
    if plan.state is PlanState.READY:
        _show_ticks(plan, wanted)
    st.html(plan_table(plan.rows))
    total = plan.matching if plan.matching is not None else count_change(plan.counts, None)
    first = (len(cursors) - 1) * PLAN_ROWS + 1
    words = f"Rows {first:,}–{first + len(plan.rows) - 1:,} of {total:,}"
    show_paging(cursors, plan.next_cursor, key="rows", back="Previous rows", on="Next rows", words=words)


def _show_none(wanted: RowFilter) -> None:
    if wanted == RowFilter():
        show_nothing("This plan would change nothing.", "Every row of the sheet is in the table already, as it is.")
    else:
        show_nothing("No row of this plan matches the filter.", "Choose another filter, or empty the search, to see the other rows.")


# Bad rows


def _show_bad_rows(plan: Plan) -> None:
    """How many rows break which rule, a filter by it, and all of them as a file."""
    counts = {RULES[each.rule]: each.rows for each in plan.rules}
    st.html(f'<span class="sy-note">{escape(" · ".join(f"{words}: {rows:,}" for words, rows in counts.items()))}</span>')
    with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute", key="bad_rows"):
        label = f"{plural(plan.counts.invalid, 'row breaks', 'rows break')} a rule"
        st.selectbox(label, [ALL_RULES, *RULES.values()], key=Params.RULE, bind="query-params", width=420)
        if not is_offline():
            link = get_client().bad_rows_link(plan.plan_id, _ticket(plan.plan_id), api_base())
            words = f"{icon('download')} Download the bad rows (CSV)"
            hint = "Row number, cells, what is wrong and how to mend it; safe to open in a spreadsheet"
            st.html(f'<a href="{escape(link)}" download title="{hint}">{words}</a>', width="content")


@st.cache_data(ttl=600, max_entries=50, show_spinner=False)
def _ticket(plan_id: str) -> str:
    return get_client().create_ticket("GET", bad_rows_path(plan_id)).ticket


# Leaving out


def _show_ticks(plan: Plan, wanted: RowFilter) -> None:
    """Which rows of this page are left out, and the same for all that match."""
    rows = {row.position: row for row in plan.rows if row.change is not Change.INVALID}
    if not rows:
        return
    out = [position for position, row in rows.items() if not row.ticked]
    with st.container(horizontal=True, vertical_alignment="bottom", key="ticks"):
        chosen = st.multiselect(
            "Leave out (these rows stay as they are in the table)",
            list(rows),
            default=out,
            format_func=lambda position: name_row(rows[position]),
            key=f"ticks_{plan.plan_id[:8]}_{plan.ticks_revision}_{plan.rows[0].position}",
            placeholder="Choose rows of this page",
        )
        _show_all_buttons(plan, wanted)
    show_field_ticks(plan)
    changed = set(chosen) ^ set(out)
    if changed:
        take_back = changed <= set(out)
        positions = sorted(changed & set(out)) if take_back else sorted(changed - set(out))
        _tick(plan, TickRequest(ticked=take_back, positions=positions, ticks_revision=plan.ticks_revision))


def _show_all_buttons(plan: Plan, wanted: RowFilter) -> None:
    everything = wanted == RowFilter()
    if wanted.ticked is None and wanted.change is not Change.INVALID:
        which = "all" if everything else f"all {plan.matching:,} that match"
        if gated_button(f"Leave out {which}", connection_gate(), key="untick_all", icon_name="remove_done"):
            _tick_matching(plan, wanted, ticked=False)
    if count_unticked(plan):
        which = f"{count_unticked(plan):,}" if everything or wanted.ticked is False else "those that match"
        if gated_button(f"Take back {which}", connection_gate(), key="tick_all", icon_name="done_all"):
            _tick_matching(plan, wanted, ticked=True)


def _tick_matching(plan: Plan, wanted: RowFilter, *, ticked: bool) -> None:
    _tick(plan, TickRequest(ticked=ticked, matching=wanted, ticks_revision=plan.ticks_revision))


def _tick(plan: Plan, request: TickRequest) -> None:
    after = attempt(lambda: get_client().tick_rows(plan.plan_id, request), failing="The rows were left as they were in the plan")
    if after is not None:
        difference = abs(count_unticked(after) - count_unticked(plan))
        verb = "taken back into" if request.ticked else "left out of"
        notify(f"{plural(difference, 'row')} {verb} the plan", undo=partial(_take_back, plan.plan_id, request, after.ticks_revision))
    st.rerun()


def _take_back(plan_id: str, request: TickRequest, revision: int) -> str:
    opposite = request.model_copy(update={"ticked": not request.ticked, "ticks_revision": revision})
    get_client().tick_rows(plan_id, opposite)
    return "The rows are in the plan as they were before"
