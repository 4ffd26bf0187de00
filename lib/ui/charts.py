"""The charts of the queue. Altair writes each specification once; every redraw only sends rows, as Arrow."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import altair as alt
import pyarrow as pa
import streamlit as st

from lib.contract.queue import QueueHistory, QueuePoint, Window
from lib.ui.format import format_count, format_rate
from lib.ui.session import is_utc

BACKLOG = "Waiting or in work"
ARRIVALS = "Arriving"
COMPLETIONS = "Embedded"
FAILED = "Failed"

WINDOW_SPANS: dict[Window, timedelta] = {
    Window.M15: timedelta(minutes=15),
    Window.H1: timedelta(hours=1),
    Window.H24: timedelta(hours=24),
    Window.D7: timedelta(days=7),
}
WINDOW_WORDS: dict[Window, str] = {Window.M15: "15 minutes", Window.H1: "hour", Window.H24: "24 hours", Window.D7: "7 days"}

#: A sample that comes later than this many steps after the one before leaves a gap.
GAP_STEPS = 2.5
HEIGHT = 210
FAILED_HEIGHT = 130

Row = dict[str, Any]


def show_backlog_chart(history: QueueHistory) -> None:
    """How many rows wait or are in work, over the window."""
    points = history.points
    words = f"{format_count(points[-1].pending + points[-1].leased)} rows now" if points else "no samples"
    _show(
        backlog_rows(history),
        _backlog_spec(history.window, utc=is_utc()),
        "chart_backlog",
        f"Backlog over the last {WINDOW_WORDS[history.window]}: {words}.",
    )


def show_throughput_chart(history: QueueHistory) -> None:
    """Rows arriving and rows embedded per second, over the window."""
    last = history.points[-1] if history.points else None
    words = f"arriving {format_rate(last.arrival_per_second)}, embedded {format_rate(last.completion_per_second)}" if last else "no samples"
    alt_text = f"Throughput over the last {WINDOW_WORDS[history.window]}: {words}."
    _show(throughput_rows(history), _throughput_spec(history.window, utc=is_utc()), "chart_throughput", alt_text)


def show_failed_chart(history: QueueHistory) -> None:
    """How many rows have failed and wait for a person, over the window."""
    words = f"{format_count(history.points[-1].failed)} rows now" if history.points else "no samples"
    alt_text = f"Failed rows over the last {WINDOW_WORDS[history.window]}: {words}."
    _show(failed_rows(history), _backlog_spec(history.window, utc=is_utc()), "chart_failed", alt_text, height=FAILED_HEIGHT)


def failed_rows(history: QueueHistory) -> list[Row]:
    """One row per sample, and an empty one wherever nothing was sampled."""
    rows = [{"at": at, "series": FAILED, "value": None if point is None else float(point.failed)} for at, point in _with_gaps(history)]
    return rows + annotation_rows(history)


def annotation_rows(history: QueueHistory) -> list[Row]:
    """One row for each thing people did or wrote: drawn as a line across, told by its tooltip."""
    first = history.taken_at - WINDOW_SPANS[history.window]
    told = [(entry.at, f"{entry.text} ({entry.actor})") for entry in history.annotations if entry.at >= first]
    return [{"at": at, "series": "", "value": None, "note": note} for at, note in told]


def backlog_rows(history: QueueHistory) -> list[Row]:
    """One row per sample, and an empty one wherever nothing was sampled."""
    return [
        {"at": at, "series": BACKLOG, "value": None if point is None else float(point.pending + point.leased)}
        for at, point in _with_gaps(history)
    ] + annotation_rows(history)


def throughput_rows(history: QueueHistory) -> list[Row]:
    """Two rows per sample, one for each line."""
    return [
        {"at": at, "series": series, "value": None if point is None else rate(point)}
        for series, rate in ((ARRIVALS, _arrivals), (COMPLETIONS, _completions))
        for at, point in _with_gaps(history)
    ] + annotation_rows(history)


def _arrivals(point: QueuePoint) -> float | None:
    return point.arrival_per_second


def _completions(point: QueuePoint) -> float | None:
    return point.completion_per_second


def _with_gaps(history: QueueHistory) -> Iterator[tuple[datetime, QueuePoint | None]]:
    """The samples, broken where one is missing; the two ends of the window stand even when nothing was sampled there."""
    yield history.taken_at - WINDOW_SPANS[history.window], None
    before: datetime | None = None
    for point in history.points:
        if before is not None and (point.at - before).total_seconds() > GAP_STEPS * history.step_seconds:
            yield before + timedelta(seconds=history.step_seconds), None
        yield point.at, point
        before = point.at
    yield history.taken_at, None


_SCHEMA = pa.schema([("at", pa.timestamp("ms", tz="UTC")), ("series", pa.string()), ("value", pa.float64()), ("note", pa.string())])


def _show(rows: list[Row], spec: dict[str, Any], key: str, words: str, *, height: int = HEIGHT) -> None:
    st.vega_lite_chart(pa.Table.from_pylist(rows, schema=_SCHEMA), spec, key=key, height=height, alt=words)


@cache
def _backlog_spec(window: Window, *, utc: bool) -> dict[str, Any]:
    area = alt.Chart().mark_area(line={"strokeWidth": 1.75}, fillOpacity=0.16, interpolate="step-after", invalid=GAPS)
    encoded = area.encode(x=_x(window, utc=utc), y=_y(step=1), color=alt.Color("series:N", legend=None), tooltip=_tooltip(utc=utc))
    return _as_spec(encoded, window, utc=utc)


@cache
def _throughput_spec(window: Window, *, utc: bool) -> dict[str, Any]:
    series = [ARRIVALS, COMPLETIONS]
    color = alt.Color("series:N", title=None, sort=series, legend=alt.Legend(orient="top", symbolType="stroke"))
    dash = alt.StrokeDash("series:N", sort=series, scale=alt.Scale(domain=series, range=[[5, 3], [1, 0]]), title=None)
    line = alt.Chart().mark_line(strokeWidth=1.75, interpolate="monotone", invalid=GAPS)
    encoded = line.encode(x=_x(window, utc=utc), y=_y(), color=color, strokeDash=dash, tooltip=_tooltip(utc=utc))
    return _as_spec(encoded, window, utc=utc)


#: A missing value breaks the line, and the two ends of the window stay on the axis.
GAPS: Any = "break-paths-show-path-domains"

#: Vega writes a time in a tooltip in the browser's zone, whatever the axis says, so the words are made beforehand.
_TOLD = "Format(datum.at, '%Y-%m-%d %H:%M:%S')"


def _tooltip(*, utc: bool) -> list[alt.Tooltip]:
    return [_told_at(utc=utc), alt.Tooltip("series:N", title="What"), alt.Tooltip("value:Q", title="Value", format=",.4~g")]


def _told_at(*, utc: bool) -> alt.Tooltip:
    return alt.Tooltip("told:N", title="At (UTC)" if utc else "At")


def _x(window: Window, *, utc: bool) -> alt.X:
    clock = "%a %d" if window is Window.D7 else "%H:%M"
    scale = alt.Scale(type="utc") if utc else alt.Scale(type="time")
    return alt.X("at:T", scale=scale, axis=alt.Axis(format=clock, title=None, grid=False, tickCount=6, labelOverlap=True))


def _y(*, step: float = 0) -> alt.Y:
    """``step``: the least distance of two ticks; rows have no tenths."""
    axis = alt.Axis(tickCount=4, tickMinStep=step, format="~s")
    return alt.Y("value:Q", title=None, stack=None, axis=axis, scale=alt.Scale(zero=True, nice=True))


def _as_spec(chart: alt.Chart, window: Window, *, utc: bool) -> dict[str, Any]:
    """The dict Streamlit takes: its own theme and our rows replace what Altair would add."""
    # An unseen rule at 1 gives the axis a height when every value is 0.
    floor = alt.Chart().mark_rule(opacity=0, aria=False).encode(y=alt.YDatum(1))
    told = ("utc" if utc else "time") + _TOLD
    samples = chart.transform_filter("!isValid(datum.note)").transform_calculate(told=told)
    notes = (
        alt.Chart()
        .transform_filter("isValid(datum.note)")
        .transform_calculate(told=told)
        .mark_rule(strokeDash=[2, 3], strokeWidth=2, opacity=0.75, color="#b45309", aria=False)
    )
    notes = notes.encode(x=_x(window, utc=utc), tooltip=[_told_at(utc=utc), alt.Tooltip("note:N", title="What")])
    spec: dict[str, Any] = alt.layer(floor, samples, notes, data=alt.NamedData("rows")).to_dict()
    for name in ("data", "datasets", "$schema", "config"):
        spec.pop(name, None)
    return spec
