"""Single columns of changed rows, left out of a plan and taken back."""

from __future__ import annotations

from collections import defaultdict
from functools import partial

import streamlit as st

from lib.contract.imports import Plan
from lib.contract.plans import TickRequest
from lib.contract.states import Change
from lib.ui.format import plural
from lib.ui.notices import attempt, notify
from lib.ui.plans import name_row
from lib.ui.session import get_client

#: One cell of the plan: the row's position, and the column.
Cell = tuple[int, str]


def show_field_ticks(plan: Plan) -> None:
    """Which columns of this page's changed rows stay as they are while the rest of their row is taken over."""
    rows = {row.position: row for row in plan.rows if row.change is Change.CHANGED and row.ticked}
    cells = [(position, each.column) for position, row in rows.items() for each in row.differences]
    if not cells:
        return
    out = [(position, column) for position, column in cells if column in rows[position].left_out]
    chosen = st.multiselect(
        "Single columns that stay as they are (the rest of their row is taken over)",
        cells,
        default=out,
        format_func=lambda cell: f"{name_row(rows[cell[0]])} · {cell[1]}",
        key=f"columns_{plan.plan_id[:8]}_{plan.ticks_revision}_{plan.rows[0].position}",
        placeholder="Choose columns of changed rows of this page",
    )
    if changed := {*chosen} ^ {*out}:
        _tick(plan, changed, ticked=changed <= {*out})


def _tick(plan: Plan, cells: set[Cell], *, ticked: bool) -> None:
    """A column at a time, each on top of the one before."""
    send = partial(_send, plan.plan_id, cells, ticked=ticked, revision=plan.ticks_revision)
    after = attempt(send, failing="The columns were left as they were in the plan")
    if after is not None:
        verb = "taken back into" if ticked else "left out of"
        words = f"{plural(len(cells), 'column')} {verb} the plan"
        notify(words, undo=partial(_take_back, plan.plan_id, cells, not ticked, after.ticks_revision))
    st.rerun()


def _send(plan_id: str, cells: set[Cell], *, ticked: bool, revision: int) -> Plan:
    positions: defaultdict[str, list[int]] = defaultdict(list)
    for position, column in sorted(cells):
        positions[column].append(position)
    for column, rows in positions.items():
        request = TickRequest(ticked=ticked, positions=rows, columns=[column], ticks_revision=revision)
        plan = get_client().tick_rows(plan_id, request)
        revision = plan.ticks_revision
    return plan


def _take_back(plan_id: str, cells: set[Cell], ticked: bool, revision: int) -> str:
    _send(plan_id, cells, ticked=ticked, revision=revision)
    return "The columns are in the plan as they were before"
