"""Which points are inside a line drawn by hand: held against the outline a browser would fill, worked out the slow way."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError

from lib.contract.map_parts import choose_points
from lib.contract.maps import LASSO_CORNERS, MapLasso, MapPart

SQUARE: MapLasso = ((0, 0), (4, 0), (4, 4), (0, 4))


def inside(lasso: MapLasso, *places: tuple[float, float]) -> list[bool]:
    x, y = (np.array([place[axis] for place in places]) for axis in range(2))
    chosen: NDArray[np.bool_] = choose_points(MapPart(lasso=lasso), x=x, y=y, region=np.zeros(len(x)), cosine=np.zeros(len(x)))
    return chosen.tolist()


def turns_around(lasso: MapLasso, x: float, y: float) -> int:
    """By angles: how often a person who walks along the line turns around, seen from there."""
    corners = np.array([*lasso, lasso[0]], float) - (x, y)
    angles = np.unwrap(np.arctan2(corners[:, 1], corners[:, 0]))
    return round((angles[-1] - angles[0]) / (2 * np.pi))


@pytest.mark.feature("M5")
def test_a_hollow_of_the_lasso_is_outside_and_either_direction_of_drawing_means_the_same():
    horseshoe: MapLasso = ((0, 0), (6, 0), (6, 6), (4, 6), (4, 2), (2, 2), (2, 6), (0, 6))
    places = ((1, 5), (3, 5), (5, 5), (3, 1), (7, 1), (-1, 3))
    assert inside(horseshoe, *places) == [True, False, True, True, False, False]
    assert inside(tuple(reversed(horseshoe)), *places) == inside(horseshoe, *places)


@pytest.mark.feature("M5")
def test_what_a_hand_encircles_twice_when_it_closes_the_line_is_inside_still():
    assert inside((*SQUARE, (0, 0), (4, 0), (4, 4), (0, 4)), (2, 2), (5, 2)) == [True, False]


@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), min_size=3, max_size=20),
    st.lists(st.tuples(st.integers(-1, 12), st.integers(-1, 12)), min_size=1, max_size=20),
)
def test_inside_is_what_the_line_winds_around_however_wildly_it_is_drawn(corners: list[tuple[int, int]], places: list[tuple[int, int]]):
    lasso = tuple((float(x), float(y)) for x, y in corners)
    beside_the_grid = [(x + 0.31, y + 0.43) for x, y in places]  # on the line itself either answer is right
    off_the_line = [place for place in beside_the_grid if not on_the_line(lasso, *place)]
    assert inside(lasso, *off_the_line) == [turns_around(lasso, *place) != 0 for place in off_the_line]


def on_the_line(lasso: MapLasso, x: float, y: float) -> bool:
    ends = zip(lasso, (*lasso[1:], lasso[0]), strict=True)
    return any(abs((bx - ax) * (y - ay) - (x - ax) * (by - ay)) < 1e-9 for (ax, ay), (bx, by) in ends)


@pytest.mark.parametrize("wrong", [(), SQUARE[:2], ((0, 0), (1, 1), (float("nan"), 0)), ((0.0, 0.0),) * (LASSO_CORNERS + 1)])
def test_a_lasso_without_an_inside_or_without_end_is_refused(wrong: MapLasso):
    with pytest.raises(ValidationError):
        MapPart(lasso=wrong)
