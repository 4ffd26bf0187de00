"""Choosing, shading and writing down the points of the map."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from lib.contract.maps import MapLasso, MapPart
from lib.ui.map_points import (
    CHANGED,
    EMPTY,
    NEAREST,
    OTHERS,
    REGION,
    SHADES,
    SOURCE,
    STATE,
    choose,
    shade,
    shadings,
    to_csv,
)
from tests.pages.fake_maps import EACH, REGIONS, laid_out, points

NOW = datetime.now(UTC)


def box(left: float, right: float, low: float, high: float) -> MapLasso:
    return ((left, low), (right, low), (right, high), (left, high))


@pytest.mark.feature("M5")
def test_the_rows_of_a_lasso_are_those_whose_points_are_inside():
    table = points()
    lasso = box(9.99, 10.51, -0.01, 1.0)
    assert len(choose(table, MapPart())) == REGIONS * EACH
    inside = choose(table, MapPart(lasso=lasso))
    assert inside.column("x").to_pylist() == [x for x in table.column("x").to_pylist() if 10.0 <= x <= 10.5]
    assert len(choose(table, MapPart(lasso=lasso, region=2))) == 0
    assert choose(table, MapPart(region=1, kind="near_duplicates")).column("key").to_pylist() == ["KB-100", "KB-101"]


@pytest.mark.feature("M5")
def test_outliers_are_those_of_what_is_looked_at_and_not_of_the_whole_map():
    table = points()
    assert choose(table, MapPart(kind="outliers")).column("key").to_pylist() == ["KB-039", "KB-139", "KB-239"]
    assert choose(table, MapPart(region=1, kind="outliers")).column("key").to_pylist() == ["KB-139"]
    crowd = box(19.99, 20.91, -0.01, 0.91)
    assert len(choose(table, MapPart(lasso=crowd, kind="outliers"))) == 35, "all but the two that are alike: none of them is more alone"
    assert len(choose(table, MapPart(region=9, kind="outliers"))) == 0


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
