"""Sheet, table and index side by side on Home, and what the last check found between them."""

from __future__ import annotations

from html import escape

import streamlit as st

from lib.contract.events import Topic
from lib.contract.index import IndexReading, LastCheck
from lib.ui.findings import Readings
from lib.ui.format import format_count, plural
from lib.ui.marks import Tile, Tone, moment, tiles
from lib.ui.notices import show_link
from lib.ui.session import Params, zone
from lib.ui.widgets import show_heading

HEALTH = f"/Index?{Params.TAB}=Health"


def show_drift(readings: Readings) -> None:
    """Always there: three numbers, how many rows disagree, and how old each of them is."""
    show_heading("Do sheet, table and index agree?", Topic.INDEX)
    st.html(tiles(drift_tiles(readings)))
    check = readings.index.last_check if readings.index else None
    show_link(HEALTH, "Show the rows that disagree" if check and check.disagree else "Open the check")


def drift_tiles(readings: Readings) -> list[Tile]:
    """The table and the index as they are now, the sheet as it was last read, and the last count of what disagrees."""
    index, queue = readings.index, readings.queue
    check = index.last_check if index else None
    waiting = f"{plural(queue.backlog, 'row')} wait" if queue and queue.backlog else "none waits"
    return [
        Tile(label="Sheet", value=format_count(check.sheet_records if check else None), note=_sheet(check, readings)),
        Tile(label="Table", value=format_count(queue.entries if queue else None), note=waiting if queue else "not known now"),
        Tile(label="Index", value=format_count(_vectors(index)), note=_index(index)),
        Tile(
            label="Disagree",
            value=format_count(check.disagree if check else None),
            note=_checked(index, check, readings),
            tone=Tone.BAD if check and check.disagree else None,
        ),
    ]


def _vectors(index: IndexReading | None) -> int | None:
    return index.vectors if index and index.generation is not None else None


def _index(index: IndexReading | None) -> str:
    if index is None:
        return "not known now"
    if index.generation is None:
        return "there is no index yet"
    return f"{plural(index.unindexed, 'change')} to take up" if index.unindexed else f"generation {index.generation}"


def _sheet(check: LastCheck | None, readings: Readings) -> str:
    if check is None or check.sheet_read_at is None:
        return "no sheet was read at the last check" if check else "counted by a check"
    differ = f"{plural(check.sheet_differences, 'row')} differ" if check.sheet_differences else "applied"
    return f"“{escape(check.sheet_name or '')}”, read {moment(check.sheet_read_at, now=readings.now, zone=zone())}, {differ}"


def _checked(index: IndexReading | None, check: LastCheck | None, readings: Readings) -> str:
    if check is None:
        return "nothing was checked yet" if index else "not known now"
    of = f", generation {check.generation}" if index and check.generation != index.generation and check.generation is not None else ""
    return f"checked {moment(check.checked_at, now=readings.now, zone=zone())}{of}"
