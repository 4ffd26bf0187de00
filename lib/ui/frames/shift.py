"""The shift log: what people wrote and did lately, newest first, and a line to write more."""

from __future__ import annotations

from functools import partial
from html import escape

import streamlit as st

from lib.contract.events import Topic
from lib.contract.shift import MAX_NOTE, ShiftEntry
from lib.contract.states import ShiftKind
from lib.ui.gates import gated_button
from lib.ui.live import connection_gate, latest_shift, live_block
from lib.ui.marks import SHIFT_MARKS, icon, moment
from lib.ui.notices import attempt, notify
from lib.ui.session import Params, get_client, now, zone
from lib.ui.widgets import show_heading, show_nothing, show_unknown

SHOWN = 8


@st.fragment(key="shift")
def show_shift() -> None:
    """The log and the line; the same on every page that shows it."""
    with live_block("shift"):
        show_heading("Shift log", Topic.SHIFT, note="pinned to the charts, too")
        reading = latest_shift()
        _show_line()
        if reading is None:
            show_unknown("The shift log")
        elif not reading.entries:
            show_nothing("Nothing was noted.", "Pauses with their reasons, imports and notes of the last 7 days stand here.")
        else:
            st.html(f'<ul class="sy-shift">{"".join(map(shift_line, reading.entries[:SHOWN]))}</ul>')
            _show_delete(reading.entries)


def shift_line(entry: ShiftEntry) -> str:
    """One entry: what, who, when, and the job it is about."""
    mark = SHIFT_MARKS[entry.kind]
    link = f' <a href="/?{Params.JOB}={entry.job_id}" target="_self">job</a>' if entry.job_id else ""
    who = f"{escape(entry.actor)} · {moment(entry.at, now=now(), zone=zone())}"
    return (
        f'<li>{icon(mark.icon)} <span class="sy-note">{mark.word}</span> {escape(entry.text)}{link} <span class="sy-note">{who}</span></li>'
    )


def _show_line() -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", key="note_line"):
        key = f"note_{st.session_state.get('notes', 0)}"
        text = st.text_input("Note", max_chars=MAX_NOTE, key=key, placeholder="what whoever comes next should know")
        if gated_button("Write it down", connection_gate(), key="add_note", icon_name="edit_note") and text.strip():
            _write(text)


def _write(text: str) -> None:
    """Tier 1: it can be taken back."""
    entry = attempt(lambda: get_client().add_note(text.strip()), failing="The note was not written")
    if entry is not None:
        st.session_state["notes"] = st.session_state.get("notes", 0) + 1
        notify("Noted, for everybody to see", undo=partial(_take_back, entry.entry_id))
    st.rerun()


def _take_back(entry_id: int) -> str:
    get_client().delete_note(entry_id)
    return "The note is gone; the audit keeps it"


def _show_delete(entries: list[ShiftEntry]) -> None:
    """The newest note can be taken back by whoever finds it wrong."""
    note = next((entry for entry in entries[:SHOWN] if entry.kind is ShiftKind.NOTE), None)
    if note and gated_button("Take the newest note back", connection_gate(), key="delete_note", icon_name="undo"):
        if said := attempt(lambda: _take_back(note.entry_id), failing="The note is still there"):
            notify(said)
        st.rerun()
