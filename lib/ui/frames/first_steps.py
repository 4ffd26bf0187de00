"""The first steps of a new installation; each ticks itself, by looking."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

import streamlit as st

from lib.contract.states import Operation, WorkerRole
from lib.ui.capacity import find_workers, is_capacity
from lib.ui.findings import Readings
from lib.ui.live import find_operation
from lib.ui.marks import Mark, Tone, badge
from lib.ui.pages import PAGES
from lib.ui.starts import show_sample_link
from lib.ui.widgets import show_heading

#: What a new installation still needs → how we know it is done.
FIRST_STEPS: tuple[tuple[str, str, Callable[[Readings], bool]], ...] = (
    (
        "The service answers",
        "It starts with the console.",
        lambda all_: all_.queue is not None,
    ),
    (
        "Workers are running",
        "They start with the console.",
        lambda all_: any(map(is_capacity, find_workers(all_.workers, WorkerRole.EMBEDDING))),
    ),
    (
        "A sheet is in the table",
        "Load the sample below, or your own on the Import page.",
        lambda all_: bool(all_.queue and all_.queue.entries),
    ),
    ("Its rows are embedded", "Happens by itself; the Queue page shows it.", lambda all_: bool(all_.queue and all_.queue.embedded)),
    (
        "The index answers",
        "Happens by itself; then try a search on the Index page.",
        lambda all_: bool(all_.index and all_.index.generation),
    ),
    (
        "The table was exported once",
        "Optional, and worth a try: a file that a sheet can open.",
        lambda _: (reading := find_operation(Operation.EXPORT)) is not None and reading.last is not None,
    ),
)


def is_first_run(readings: Readings) -> bool:
    """Whether the road has never been walked to its end."""
    return readings.queue is not None and (
        readings.queue.entries == 0 or (readings.index is not None and readings.index.generation is None)
    )


def show_first_steps(readings: Readings) -> None:
    """The list, and what to begin with."""
    done = [is_done(readings) for _, _, is_done in FIRST_STEPS]
    show_heading("First steps", note=f"{sum(done)} of {len(done)} done; each ticks itself")
    with st.container(border=True, key="first_steps"):
        lines = (_line(title, sentence, is_done=ticked) for (title, sentence, _), ticked in zip(FIRST_STEPS, done, strict=True))
        st.html(f'<ol class="sy-list">{"".join(lines)}</ol>')
        if readings.queue is not None and readings.queue.entries == 0:
            _show_sample()


def _line(title: str, sentence: str, *, is_done: bool) -> str:
    mark = Mark(Tone.DONE, "check_circle", "done") if is_done else Mark(Tone.IDLE, "radio_button_unchecked", "to do")
    return f'<li>{badge(mark)} <span><b>{escape(title)}</b> <span class="sy-note">{escape(sentence)}</span></span></li>'


def _show_sample() -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        show_sample_link()
        st.page_link(PAGES["Import"].file, label="Import my own sheet", icon=PAGES["Import"].icon)
    st.html(
        '<span class="sy-note">A support team’s playbook of about 150 entries. Nothing leaves this machine, no credentials are needed, '
        "and you see the plan before anything is written.</span>"
    )
