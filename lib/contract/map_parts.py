"""Which points of a map a part of it has. The console shows them and the service acts on them, by this one rule."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from lib.contract.maps import NEAR_DUPLICATE_COSINE, OUTLIER_RATIO, MapLasso, MapPart

#: A column of numbers that compares element by element; the contract does not say whose.
Column = Any


def choose_points(part: MapPart, *, x: Column, y: Column, region: Column, cosine: Column) -> Column:
    """One truth value for each point. ``cosine``: the likeness to its nearest other, -1 where there is none."""
    chosen = x == x  # noqa: PLR0124 - every point, whatever kind of column it is
    if part.lasso is not None:
        chosen = chosen & _is_inside(part.lasso, x, y)
    if part.region is not None:
        chosen = chosen & (region == part.region)
    if part.kind == "near_duplicates":
        chosen = chosen & (cosine >= NEAR_DUPLICATE_COSINE)
    if part.kind == "outliers":
        chosen = chosen & (cosine <= find_outlier_cosine(cosine[chosen]))
    return chosen


def _is_inside(lasso: MapLasso, x: Column, y: Column) -> Column:
    """Counts how often the line winds around each point, as a browser does to fill it: what it encircles twice is inside still."""
    turns = 0 * x
    for (from_x, from_y), (to_x, to_y) in pairwise((*lasso, lasso[0])):
        left_of_it = (to_x - from_x) * (y - from_y) > (x - from_x) * (to_y - from_y)
        rises_past, falls_past = (from_y <= y) & (y < to_y), (to_y <= y) & (y < from_y)
        turns = turns + 1 * (rises_past & left_of_it) - 1 * (falls_past & ~left_of_it)
    return turns != 0


def find_outlier_cosine(cosine: Column) -> float:
    """The likeness to its nearest other that only the outliers among these points do not exceed."""
    ordered = sorted(cosine.tolist())
    return float(ordered[int(OUTLIER_RATIO * (len(ordered) - 1))]) if ordered else -1.0
