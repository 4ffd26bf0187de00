"""Queue: what waits, how fast it goes, and what failed."""

from __future__ import annotations

from functools import partial
from html import escape

import streamlit as st

from lib.client.errors import ClientError
from lib.contract.events import Topic
from lib.contract.queue import QueueHistory, QueueReading, Window
from lib.contract.shift import ShiftEntry
from lib.ui.charts import WINDOW_WORDS, show_backlog_chart, show_failed_chart, show_throughput_chart
from lib.ui.eta import describe_time_left
from lib.ui.format import format_clock, format_count, format_duration, format_moment, format_rate
from lib.ui.live import last_known, latest_queue, live_block
from lib.ui.marks import Column, Tile, Tone, moment, table, tiles
from lib.ui.notices import describe_error, show_trouble
from lib.ui.session import Params, get_client, now, zone
from lib.ui.widgets import show_heading, show_nothing, show_unknown

#: Samples come every few seconds, and a chart of them costs more than all else: drawing it oftener would show nothing new.
HISTORY_SECONDS = 10.0
#: The newest samples that the table alternative lists.
TABLE_ROWS = 20


@st.fragment(key="queue")
def show_queue() -> None:
    """The numbers of now."""
    with live_block("queue"):
        show_heading("Now", Topic.QUEUE)
        reading = latest_queue()
        if reading is None:
            show_unknown("The queue")
        else:
            st.html(tiles(queue_tiles(reading)))


def queue_tiles(reading: QueueReading) -> list[Tile]:
    """The queue's numbers, in the order a row travels."""
    left = describe_time_left(reading)
    left = f"time left: {left}" if reading.backlog and reading.eta_low_seconds is not None else left
    return [
        Tile(label="Pending", value=format_count(reading.pending), note="wait for a worker"),
        Tile(label="In work", value=format_count(reading.leased), note="held by a worker"),
        Tile(
            label="Failed",
            value=format_count(reading.failed),
            note="need a person" if reading.failed else "none",
            tone=Tone.BAD if reading.failed else None,
        ),
        *_discarded(reading),
        Tile(label="Embedded", value=format_count(reading.embedded), note=f"of {format_count(reading.entries)} entries"),
        Tile(label="Lag", value=format_duration(reading.lag_seconds), note="age of the oldest pending row"),
        Tile(label="Arriving", value=format_rate(reading.arrival_per_second), note="mean of the last minute"),
        Tile(label="Embedding", value=format_rate(reading.completion_per_second), note=left),
    ]


def _discarded(reading: QueueReading) -> list[Tile]:
    """What people gave up on; a tile only when there is any."""
    note = "given up on by people"
    return [Tile(label="Discarded", value=format_count(reading.discarded), note=note, tone=Tone.HELD)] if reading.discarded else []


@st.fragment(key="queue_history")
def show_queue_history() -> None:
    """Backlog and throughput over a window that the URL remembers."""
    with live_block("queue_history", least_seconds=HISTORY_SECONDS):
        with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
            st.html('<div class="sy-head"><h2>Over time</h2></div>', width="content")
            chosen = st.segmented_control(
                "Window",
                [window.value for window in Window],
                default=Window.M15.value,
                required=True,
                key=Params.WINDOW,
                bind="query-params",
                label_visibility="collapsed",
            )
        window = Window(chosen or Window.M15)
        try:
            history = last_known(f"history_{window}", partial(_get_history, window))
        except ClientError as error:
            show_trouble(describe_error(error, "The history cannot be drawn"))
            return
        if history is None:
            show_unknown("The history")
            return
        _show_charts(history)


def _show_charts(history: QueueHistory) -> None:
    if not history.points:
        show_nothing("No samples in this window.", "The service takes one every few seconds while it runs; they appear here by themselves.")
        return
    left, right = st.columns(2, gap="medium")
    with left:
        st.html('<div class="sy-name-line">Backlog <span class="sy-note">rows waiting or in work</span></div>')
        show_backlog_chart(history)
    with right:
        st.html('<div class="sy-name-line">Throughput <span class="sy-note">rows per second</span></div>')
        show_throughput_chart(history)
    st.html('<div class="sy-name-line">Failed <span class="sy-note">rows that need a person</span></div>')
    show_failed_chart(history)
    stride = -(-len(history.points) // TABLE_ROWS)
    every = format_duration(stride * history.step_seconds)
    with st.expander(f"The same as a table: the last {WINDOW_WORDS[history.window]}, a sample every {every}"):
        told = [_sample_row(history, number) for number in range(0, len(history.points), stride)]
        st.html(table(_SAMPLE_COLUMNS, told, caption="Samples, newest first"))
        if history.annotations:
            annotations = [_annotation_row(entry) for entry in reversed(history.annotations)]
            st.html(table(_ANNOTATION_COLUMNS, annotations, caption="What people did and wrote meanwhile, newest first"))


_SAMPLE_COLUMNS = (
    Column(title="At"),
    Column(title="Pending", number=True),
    Column(title="In work", number=True),
    Column(title="Failed", number=True),
    Column(title="Arriving", number=True),
    Column(title="Embedding", number=True),
    Column(title="", wide=True),
)


def _sample_row(history: QueueHistory, number: int) -> tuple[str, ...]:
    point = history.points[-1 - number]
    counts = (format_count(count) for count in (point.pending, point.leased, point.failed))
    told_by = format_clock if history.window in {Window.M15, Window.H1} else format_moment  # a clock alone names no day
    return (told_by(point.at, zone()), *counts, format_rate(point.arrival_per_second), format_rate(point.completion_per_second), "")


_ANNOTATION_COLUMNS = (Column(title="At"), Column(title="Who"), Column(title="What", wide=True))


def _annotation_row(entry: ShiftEntry) -> tuple[str, ...]:
    return (moment(entry.at, now=now(), zone=zone()), escape(entry.actor), escape(entry.text))


@st.cache_data(ttl=5, max_entries=8, show_spinner=False)
def _get_history(window: Window) -> QueueHistory:
    return get_client().get_queue_history(window)
