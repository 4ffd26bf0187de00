"""The points of the map in the console's memory: choosing some of them, shading them, writing them down."""

from __future__ import annotations

import csv
import io
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lib.contract.formulas import disarm
from lib.contract.map_parts import choose_points, find_outlier_cosine
from lib.contract.maps import FIELD_COLUMN, NEAR_DUPLICATE_COSINE, IndexMap, MapPart, MapRegion

#: Values of a field that have a colour of their own; the rest are one.
SHADES = 8
OTHERS, EMPTY = "all others", "empty"
REGION, STATE, SOURCE, CHANGED, NEAREST = "Region", "State", "Source", "Changed", "Nearest other"
TWINS, AROUND, ALONE = f"nearly the same ({NEAR_DUPLICATE_COSINE:.2f} or more)", "some likeness", "alone"
#: What most points are; grey, so that the others stand out.
QUIET = frozenset({OTHERS, EMPTY, AROUND})
#: Days, newest first, and what rows changed within them are called.
_AGES = ((1, "within a day"), (7, "within a week"), (31, "within a month"), (365, "within a year"))
_OLDER = "longer ago"


def shadings(laid_out: IndexMap) -> list[str]:
    """What the points may be coloured by."""
    return [REGION, *laid_out.fields, STATE, SOURCE, CHANGED, NEAREST]


def region_name(region: MapRegion) -> str:
    """Its words, or its number when it has none."""
    return ", ".join(region.words) or f"region {region.region}"


def shade(points: pa.Table, laid_out: IndexMap, by: str, now: datetime) -> tuple[pa.Array, list[str]]:
    """A label for each point, and the labels in the order of the legend."""
    if by == CHANGED:
        return _by_age(points, now)
    if by == NEAREST:
        return _by_nearest(points)
    return _most_frequent(_labels(points, laid_out, by))


def _labels(points: pa.Table, laid_out: IndexMap, by: str) -> pa.Array:
    if by == REGION:
        names = {region.region: region_name(region) for region in laid_out.regions}
        return pa.array([names.get(region, OTHERS) for region in points.column("region").to_pylist()])
    column = {STATE: "state", SOURCE: "source"}.get(by, FIELD_COLUMN + by)
    values = points.column(column).combine_chunks().cast(pa.string())
    return pc.if_else(pc.equal(pc.fill_null(values, ""), ""), EMPTY, values)


def _most_frequent(labels: pa.Array) -> tuple[pa.Array, list[str]]:
    counted = sorted(pc.value_counts(labels).to_pylist(), key=lambda each: (-each["counts"], each["values"]))
    names = [each["values"] for each in counted]
    if len(names) <= SHADES + 1:
        return labels, names
    named = names[:SHADES]
    return pc.if_else(pc.is_in(labels, pa.array(named)), labels, OTHERS), [*named, OTHERS]


def _by_age(points: pa.Table, now: datetime) -> tuple[pa.Array, list[str]]:
    days = [(now - at).total_seconds() / 86_400 for at in points.column("changed_at").to_pylist()]
    labels = [next((name for limit, name in _AGES if day <= limit), _OLDER) for day in days]
    there = set(labels)
    return pa.array(labels), [name for name in (*(name for _, name in _AGES), _OLDER) if name in there]


def _by_nearest(points: pa.Table) -> tuple[pa.Array, list[str]]:
    cosines = pc.fill_null(points.column("nearest_cosine").combine_chunks(), -1.0)
    labels = pc.if_else(
        pc.greater_equal(cosines, NEAR_DUPLICATE_COSINE), TWINS, pc.if_else(pc.less_equal(cosines, _alone(points)), ALONE, AROUND)
    )
    return labels, [TWINS, AROUND, ALONE]


def _alone(points: pa.Table) -> float:
    """The likeness to its nearest other that only the outliers of the whole map do not exceed."""
    return find_outlier_cosine(_numbers(points, "nearest_cosine"))


def _numbers(points: pa.Table, name: str) -> NDArray[np.float64]:
    """A column as the rule of the parts reads it: a row that is alone on the map is like no other."""
    numbers: NDArray[np.float64] = np.nan_to_num(points.column(name).to_numpy().astype(np.float64), nan=-1.0)
    return numbers


def choose(points: pa.Table, part: MapPart) -> pa.Table:
    """The points of that part; all of them when it narrows nothing."""
    if part == MapPart():
        return points
    x, y, region, cosine = (_numbers(points, name) for name in ("x", "y", "region", "nearest_cosine"))
    return points.filter(pa.array(choose_points(part, x=x, y=y, region=region, cosine=cosine)))


def to_csv(points: pa.Table, laid_out: IndexMap) -> bytes:
    """Key, fields, region and nearest other of each row; what a spreadsheet would run as a formula has an apostrophe before it."""
    names = {region.region: region_name(region) for region in laid_out.regions}
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(["key", "text begins", *laid_out.fields, "region", "nearest key", "nearest cosine", "x", "y"])
    for row in points.to_pylist():
        fields = [row[FIELD_COLUMN + name] or "" for name in laid_out.fields]
        near = "" if row["nearest_cosine"] is None else f"{row['nearest_cosine']:.4f}"
        cells = [row["key"], row["words"], *fields, names.get(row["region"], ""), row["nearest_key"] or ""]
        writer.writerow([*map(disarm, cells), near, f"{row['x']:.4f}", f"{row['y']:.4f}"])
    return file.getvalue().encode("utf-8-sig")
