"""What the charts are fed, and that they are only written once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lib.contract.queue import QueueHistory, Window
from lib.ui import charts
from tests.pages import canned, shifts


def test_a_gap_between_samples_stays_a_gap():
    rows = charts.backlog_rows(canned.history(Window.M15))
    assert sum(row["value"] is None for row in rows) == 3  # the two ends of the window, and the gap


def test_without_samples_there_is_only_the_empty_window():
    history = QueueHistory(window=Window.H1, step_seconds=36, points=[], taken_at=canned.now())
    rows = charts.backlog_rows(history)
    assert [row["value"] for row in rows] == [None, None]
    assert rows[1]["at"] - rows[0]["at"] == timedelta(hours=1)


def test_throughput_has_two_lines_of_equal_length():
    rows = charts.throughput_rows(canned.history(Window.H1))
    names = [row["series"] for row in rows]
    assert names.count(charts.ARRIVALS) == names.count(charts.COMPLETIONS)


def test_an_unknown_rate_is_not_drawn_as_zero():
    history = canned.history(Window.M15)
    unknown = history.points[0].model_copy(update={"arrival_per_second": None})
    rows = charts.throughput_rows(history.model_copy(update={"points": [unknown]}))
    assert [row["value"] for row in rows if row["series"] == charts.ARRIVALS] == [None, None, None]


@pytest.mark.parametrize("window", list(Window))
def test_a_specification_is_built_once_and_holds_no_rows(window):
    for build in (charts._backlog_spec, charts._throughput_spec):
        assert build(window, utc=False) is build(window, utc=False)
        assert not {"data", "datasets", "$schema"} & set(build(window, utc=False))


@pytest.mark.feature("Q2", "M14")
def test_what_people_did_is_drawn_across_every_chart_of_its_window_and_breaks_no_line():
    history = canned.history(Window.M15).model_copy(update={"annotations": shifts.shift().entries})
    for rows in (charts.backlog_rows(history), charts.throughput_rows(history), charts.failed_rows(history)):
        notes = [row["note"] for row in rows if row.get("note")]
        assert notes == ["The <b>disk</b> is new (Maria)", "Paused 2 workers: disk is being replaced (Maria)"], "the import was before"
    filters = [layer.get("transform", [{}])[0].get("filter") for layer in charts._throughput_spec(Window.M15, utc=False)["layer"]]
    assert filters == [None, "!isValid(datum.note)", "isValid(datum.note)"]


def test_every_window_has_its_span_and_its_words():
    assert set(charts.WINDOW_SPANS) == set(charts.WINDOW_WORDS) == set(Window)


@pytest.mark.parametrize(("utc", "scale", "told"), [(False, "time", "timeFormat("), (True, "utc", "utcFormat(")])
def test_axis_and_tooltips_tell_their_times_in_one_zone(utc, scale, told):
    for build in (charts._backlog_spec, charts._throughput_spec):
        _, *layers = build(Window.H1, utc=utc)["layer"]
        assert {layer["encoding"]["x"]["scale"]["type"] for layer in layers} == {scale}
        assert all(layer["transform"][1]["calculate"].startswith(told) for layer in layers)
        assert {layer["encoding"]["tooltip"][0]["title"] for layer in layers} == {"At (UTC)" if utc else "At"}
