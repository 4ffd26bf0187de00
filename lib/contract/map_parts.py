"""Which points of a map a part of it has. The console shows them and the service acts on them, by this one rule."""

from __future__ import annotations

from typing import Any

from lib.contract.maps import NEAR_DUPLICATE_COSINE, OUTLIER_RATIO, MapPart

#: A column of numbers that compares element by element; the contract does not say whose.
Column = Any


def choose_points(part: MapPart, *, x: Column, y: Column, region: Column, cosine: Column) -> Column:
    """One truth value for each point. ``cosine``: the likeness to its nearest other, -1 where there is none."""
    chosen = x == x  # noqa: PLR0124 - every point, whatever kind of column it is
    if (box := part.box) is not None:
        chosen = chosen & (x >= box.left) & (x <= box.right) & (y >= box.low) & (y <= box.high)
    if part.region is not None:
        chosen = chosen & (region == part.region)
    if part.kind == "near_duplicates":
        chosen = chosen & (cosine >= NEAR_DUPLICATE_COSINE)
    if part.kind == "outliers":
        chosen = chosen & (cosine <= find_outlier_cosine(cosine[chosen]))
    return chosen


def find_outlier_cosine(cosine: Column) -> float:
    """The likeness to its nearest other that only the outliers among these points do not exceed."""
    ordered = sorted(cosine.tolist())
    return float(ordered[int(OUTLIER_RATIO * (len(ordered) - 1))]) if ordered else -1.0
