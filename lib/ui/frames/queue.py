"""Queue: what waits, how fast it goes, and what failed."""

from __future__ import annotations

from functools import partial

import pyarrow as pa
import streamlit as st

from lib.client.errors import ClientError
from lib.contract.events import Topic
from lib.contract.queue import CAUSES, Failure, FailurePage, FailureReport, ItemSelection, QueueHistory, QueueReading, Window
from lib.contract.states import FailureCause
from lib.ui.charts import WINDOW_WORDS, show_backlog_chart, show_throughput_chart
from lib.ui.dialogs import Question, ask
from lib.ui.format import format_clock, format_count, format_duration, format_rate, plural
from lib.ui.gates import gated_button
from lib.ui.live import connection_gate, last_known, latest_queue, live_block
from lib.ui.marks import Column, Tile, Tone, table, tiles
from lib.ui.notices import Notice, attempt, describe_error, notify, show_trouble
from lib.ui.session import Params, get_client, get_param, zone
from lib.ui.widgets import show_heading, show_nothing, show_unknown

#: Failures shown at once; a retry of "all" covers the rest too.
FAILURE_ROWS = 200
#: Samples come every few seconds, and a chart of them costs more than all else: drawing it oftener would show nothing new.
HISTORY_SECONDS = 10.0
#: A list people read and choose from should not move oftener than they can follow.
FAILURES_SECONDS = 5.0
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
    left = format_duration(reading.eta_seconds) if reading.backlog else "nothing waits"
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
        Tile(label="Embedding", value=format_rate(reading.completion_per_second), note=f"time left: {left}"),
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
    with st.expander(f"The same as a table: the newest samples of the last {WINDOW_WORDS[history.window]}"):
        st.html(
            table(
                _SAMPLE_COLUMNS,
                [_sample_row(history, number) for number in range(min(TABLE_ROWS, len(history.points)))],
                caption="Samples, newest first",
            )
        )


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
    return (format_clock(point.at, zone()), *counts, format_rate(point.arrival_per_second), format_rate(point.completion_per_second), "")


@st.cache_data(ttl=5, max_entries=8, show_spinner=False)
def _get_history(window: Window) -> QueueHistory:
    return get_client().get_queue_history(window)


@st.fragment(key="failures")
def show_failures() -> None:
    """What could not be embedded, why, and the two things one can do about it."""
    with live_block("failures", least_seconds=FAILURES_SECONDS):
        show_heading("Failed rows", Topic.QUEUE)
        reading = latest_queue()
        cause = _choose_cause(reading)
        try:
            page = last_known(
                f"failures_{cause}",
                lambda: _list_failures(cause, reading.failed if reading else 0, st.session_state.get("failures_acted", 0)),
            )
        except ClientError as error:
            show_trouble(describe_error(error, "The failures cannot be listed"))
            return
        if page is None:
            show_unknown("Failed rows")
        elif not page.items and cause:
            show_nothing("No failed row matches.", "None failed for this cause. Clear the filter to see all.")
        elif not page.items:
            show_nothing("No row has failed.", "A row that cannot be embedded is listed here with the cause in plain words and what to do.")
        else:
            _show_failures(page, cause)


def _choose_cause(reading: QueueReading | None) -> FailureCause | None:
    if not (reading and reading.failed) and not get_param(Params.CAUSE):
        return None
    words = {cause.value.replace("_", " "): cause for cause in CAUSES}
    chosen = st.selectbox("Cause", list(words), index=None, placeholder="All causes", key=Params.CAUSE, bind="query-params", width=320)
    return words[chosen] if chosen else None


def _show_failures(page: FailurePage, cause: FailureCause | None) -> None:
    chosen = _show_table(page.items)
    shown = (
        f"{len(page.items):,} of {page.total:,} shown, newest first"
        if len(page.items) < page.total
        else f"{plural(page.total, 'row')}, newest first"
    )
    gate = connection_gate()
    with st.container(horizontal=True, vertical_alignment="center", key="failure_buttons"):
        if chosen:
            one, count = ItemSelection(entry_ids=chosen), plural(len(chosen), "row")
            if gated_button(f"Retry {count}", gate, key="retry_chosen", icon_name="replay", primary=True):
                _retry(one)
            if gated_button(f"Discard {count}", gate, key="discard_chosen", icon_name="delete"):
                _ask_discard(one, count, chosen)
        every = ItemSelection(cause=cause)
        which = f"all {page.total:,}" + (" of this cause" if cause else "")
        if gated_button(f"Retry {which}", gate, key="retry_all", icon_name="replay"):
            _retry(every)
        if gated_button(f"Discard {which}", gate, key="discard_all", icon_name="delete_sweep"):
            shown_ids = [failure.entry_id for failure in page.items]
            _ask_discard(every, plural(page.total, "row"), shown_ids if len(shown_ids) == page.total else [])
        st.html(f'<span class="sy-note">{shown}. Select rows to act on some of them.</span>', width="content")


def _show_table(failures: list[Failure]) -> list[int]:
    """The table; the entry ids that are selected. Streamlit keeps positions, so ids are mapped back after every change."""
    ids = [failure.entry_id for failure in failures]
    state = st.session_state
    places = {entry_id: place for place, entry_id in enumerate(ids)}
    state["failure_ids"] = [entry_id for entry_id in state.get("failure_ids", []) if entry_id in places]
    state["failure_table"] = {"selection": {"rows": [places[entry_id] for entry_id in state["failure_ids"]], "columns": [], "cells": []}}
    state["failure_view"] = ids
    st.dataframe(
        pa.Table.from_pylist([_failure_row(failure) for failure in failures]),
        key="failure_table",
        on_select=_note_selection,
        selection_mode="multi-row",
        hide_index=True,
        height=min(420, 38 + 35 * len(failures)),
        column_config={
            "Row": st.column_config.TextColumn(width="small"),
            "Cause": st.column_config.TextColumn(width=300),
            "What to do": st.column_config.TextColumn(width=330),
            "Attempts": st.column_config.TextColumn(width="small"),
            "Failed": st.column_config.DatetimeColumn(format="distance", width=110),
            "Raw error": st.column_config.TextColumn(width="large"),
        },
        alt="Rows that could not be embedded, newest first",
    )
    chosen: list[int] = state["failure_ids"]
    return chosen


def _note_selection() -> None:
    view = st.session_state.get("failure_view", [])
    rows = st.session_state["failure_table"]["selection"]["rows"]
    st.session_state["failure_ids"] = [view[place] for place in rows if place < len(view)]


def _failure_row(failure: Failure) -> dict[str, object]:
    return {
        "Row": failure.key,
        "Cause": failure.explanation,
        "What to do": failure.action,
        "Attempts": f"{failure.attempts} of {failure.max_attempts}",
        "Failed": failure.failed_at,
        "Worker": failure.worker_id or "—",
        "Raw error": failure.raw_error,
    }


def _retry(selection: ItemSelection) -> None:
    """Safe to repeat and reversible by nature, so it is not asked about."""
    report = attempt(lambda: get_client().retry_failures(selection), failing="Nothing was retried")
    if report is not None:
        _forget_selection()
        notify(_words("Back in the queue", report))
    st.rerun()


def _ask_discard(selection: ItemSelection, count: str, ids: list[int]) -> None:
    """Tier 2. ``ids`` are the rows meant, when all of them are known: discarded rows come back only by name."""
    ask(
        Question(
            title=f"Discard {count}?",
            body=f"Switchyard gives up on **{count}**: they leave this list and stay in the table, but no search finds them.",
            reversible=("“Undo” puts them back into the queue. " if ids else "")
            + "They also come back when their text changes in the sheet and is imported again.",
            verb=f"Discard {count}",
            perform=partial(_discard, selection, ids),
        )
    )


def _discard(selection: ItemSelection, ids: list[int], _: object) -> Notice:
    report = get_client().discard_failures(selection)
    _forget_selection()
    return Notice(_words("Discarded", report), undo=partial(_undiscard, ids) if ids else None)


def _undiscard(ids: list[int]) -> str:
    report = get_client().retry_failures(ItemSelection(entry_ids=ids))
    _forget_selection()
    return _words("Back in the queue", report)


def _forget_selection() -> None:
    st.session_state["failure_ids"] = []
    st.session_state["failures_acted"] = st.session_state.get("failures_acted", 0) + 1


def _words(verb: str, report: FailureReport) -> str:
    skipped = f"; {report.skipped:,} skipped, no longer failed" if report.skipped else ""
    return f"{verb}: {plural(report.done, 'row')}{skipped}"


@st.cache_data(ttl=5, max_entries=20, show_spinner=False)
def _list_failures(cause: FailureCause | None, failed: int, acted: int) -> FailurePage:  # noqa: ARG001  part of the key
    return get_client().list_failures(cause, limit=FAILURE_ROWS)
