"""The lasso in a link, and what the browser says of one."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lib.contract.maps import LASSO_CORNERS, MapLasso
from lib.ui.map_lasso import draw_lasso, read_drawn, read_lasso, write_lasso

ACROSS, UP = (0.0, 10.0), (0.0, 5.0)
BEFORE: MapLasso = ((0, 0), (1, 0), (1, 1))


def drawn(trace: list[list[float]], before: MapLasso | None = None) -> MapLasso | None:
    return read_drawn({"selection": {"lasso": [{"path": trace}]}}, before, ACROSS, UP)


def circle(corners: int) -> list[list[float]]:
    return [[5 + 3 * math.cos(turn), 2.5 + 2 * math.sin(turn)] for turn in np.linspace(0, 2 * math.pi, corners)]


def test_a_lasso_reads_back_as_it_was_written():
    lasso = ((-0.512, 1.25), (3.0, 0.001), (12.5, -7.125))
    assert write_lasso(lasso) == "-0.512_1.25_3_0.001_12.5_-7.125"
    assert read_lasso(write_lasso(lasso)) == lasso
    far = "_".join(["1"] * 2 * (LASSO_CORNERS + 1))
    wrong = (None, "", "1_2_3_4", "1_2_3_4_5", "a_b_c_d_e_f", "nan_1_2_3_4_5", "1_inf_2_3_4_5", far)
    assert [read_lasso(text) for text in wrong] == [None] * len(wrong)


@pytest.mark.feature("M5")
def test_a_link_carries_the_very_line_that_was_chosen_by():
    chosen = drawn(circle(700))
    assert chosen is not None
    assert read_lasso(write_lasso(chosen)) == chosen


def test_of_a_line_drawn_by_hand_only_the_corners_that_make_its_shape_are_kept():
    edge = [[2 + step / 100, 1.0] for step in range(200)] + [[4.0, 1 + step / 100] for step in range(200)]
    assert drawn(edge) == ((2.0, 1.0), (4.0, 1.0), (4.0, 2.99))
    round_one = drawn(circle(900))
    assert round_one is not None
    assert 20 < len(round_one) < 60
    off = max(abs(math.hypot((x - 5) / 3, (y - 2.5) / 2) - 1) for x, y in round_one)
    assert off < 0.002


def test_a_scribble_without_end_is_thinned_until_a_request_may_carry_it():
    noise = np.random.default_rng(1).uniform((0, 0), (10, 5), (2_000, 2)).tolist()
    scribble = drawn(noise)
    assert scribble is not None
    assert len(scribble) <= LASSO_CORNERS


def test_a_chart_nobody_touched_keeps_the_lasso_it_was_given_and_a_click_takes_it_away():
    assert read_drawn({"selection": {"lasso": {}}}, BEFORE, ACROSS, UP) == BEFORE
    assert read_drawn(None, BEFORE, ACROSS, UP) == BEFORE
    for click in ([], [[3.0, 3.0]], [[3.0, 3.0], [3.5, 3.5]], [[3.0, 3.0], [3.2, 3.2], [3.4, 3.4]]):
        assert drawn(click, BEFORE) is None
    assert read_drawn({"selection": {"lasso": [{}]}}, BEFORE, ACROSS, UP) is None


def test_the_lasso_of_a_link_is_in_the_chart_from_the_first_look():
    place = {"field": "x", "type": "quantitative"}
    for first, corners in ((BEFORE, [[0, 0], [1, 0], [1, 1]]), (None, [])):
        _, config = draw_lasso(place, place, first, UP)
        assert next(signal["value"] for signal in config["signals"] if signal["name"] == "trace") == corners
