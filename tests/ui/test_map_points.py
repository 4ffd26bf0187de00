"""Choosing, shading and writing down the points of the map."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from lib.ui.map_points import (
    ALONE,
    CHANGED,
    EMPTY,
    NEAREST,
    OTHERS,
    REGION,
    SHADES,
    SOURCE,
    STATE,
    TWINS,
    Box,
    choose,
    shade,
    shadings,
    to_csv,
)
from tests.pages.fake_maps import EACH, REGIONS, laid_out, points

NOW = datetime.now(UTC)


@pytest.mark.feature("M5")
def test_the_rows_of_a_box_are_those_whose_points_are_inside_edges_included():
    table = points()
    assert len(choose(table, box=None, region=None, kind=None)) == REGIONS * EACH
    inside = choose(table, box=Box(10.0, 10.5, 0.0, 1.0), region=None, kind=None)
    assert inside.column("x").to_pylist() == [x for x in table.column("x").to_pylist() if 10.0 <= x <= 10.5]
    assert len(choose(table, box=Box(10.0, 10.5, 0.0, 1.0), region=2, kind=None)) == 0
    assert choose(table, box=None, region=1, kind=TWINS).column("key").to_pylist() == ["KB-100", "KB-101"]
    assert set(choose(table, box=None, region=None, kind=ALONE).column("key").to_pylist()) == {"KB-039", "KB-139", "KB-239"}


def test_a_box_reads_back_as_it_was_written_whatever_corner_came_first():
    box = Box(-0.5, 1.25, 0.0, 2.0)
    assert Box.parse(str(box)) == box
    assert Box.parse("1.25,-0.5,2,0") == box
    assert [Box.parse(text) for text in (None, "", "1,2,3", "a,b,c,d", "1,2,3,4,5")] == [None] * 5


@pytest.mark.feature("M5")
@pytest.mark.parametrize("by", [REGION, "owner", STATE, SOURCE, CHANGED, NEAREST])
def test_every_point_has_a_shade_that_the_legend_names(by):
    assert by in shadings(laid_out())
    labels, legend = shade(points(), laid_out(), by, NOW)
    assert len(labels) == REGIONS * EACH
    assert set(labels.to_pylist()) <= set(legend)
    assert len(legend) <= SHADES + 1


def test_an_empty_field_is_called_empty_and_rare_values_share_one_colour():
    labels, legend = shade(points(), laid_out(), "owner", NOW)
    assert set(labels.to_pylist()) == set(legend) == {"Maria", EMPTY}
    many = points().set_column(11, "field:owner", pa.array([f"owner {number % 40}" for number in range(REGIONS * EACH)]))
    labels, legend = shade(many, laid_out(), "owner", NOW)
    assert legend[-1] == OTHERS
    assert labels.to_pylist().count(OTHERS) == REGIONS * EACH - 3 * SHADES


@pytest.mark.feature("E5")
def test_the_rows_are_written_down_whole_and_no_cell_runs_as_a_formula():
    lines = list(csv.DictReader(io.StringIO(to_csv(points(), laid_out()).decode("utf-8-sig"))))
    assert len(lines) == REGIONS * EACH
    assert lines[0]["text begins"] == "'=SUM(A1)"
    assert (lines[1]["key"], lines[1]["owner"], lines[1]["region"]) == ("KB-001", "Maria", "log, in")
