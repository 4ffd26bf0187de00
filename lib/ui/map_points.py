"""The points of the map in the console's memory: choosing some of them, shading them, writing them down."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from lib.contract.formulas import disarm
from lib.contract.maps import FIELD_COLUMN, NEAR_DUPLICATE_COSINE, IndexMap, MapRegion

#: Values of a field that have a colour of their own; the rest are one.
SHADES = 8
OTHERS, EMPTY = "all others", "empty"
REGION, STATE, SOURCE, CHANGED, NEAREST = "Region", "State", "Source", "Changed", "Nearest other"
#: The share of the points that stand most alone.
OUTLIER_RATIO = 0.01
TWINS, AROUND, ALONE = f"nearly the same ({NEAR_DUPLICATE_COSINE:.2f} or more)", "some likeness", "alone"
#: Days, newest first, and what rows changed within them are called.
_AGES = ((1, "within a day"), (7, "within a week"), (31, "within a month"), (365, "within a year"))
_OLDER = "longer ago"


@dataclass(frozen=True)
class Box:
    """A part of the plane, its edges included."""

    left: float
    right: float
    low: float
    high: float

    def __str__(self) -> str:
        return ",".join(f"{edge:.4f}" for edge in (self.left, self.right, self.low, self.high))

    @classmethod
    def parse(cls, text: str | None) -> Box | None:
        """As a link carries it; None for anything else."""
        try:
            left, right, low, high = (float(part) for part in (text or "").split(","))
        except ValueError:
            return None
        return cls(min(left, right), max(left, right), min(low, high), max(low, high))


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
    """The likeness to its nearest other that only the outliers do not exceed."""
    return float(pc.quantile(points.column("nearest_cosine"), OUTLIER_RATIO, interpolation="lower")[0].as_py() or -1.0)


def choose(points: pa.Table, *, box: Box | None, region: int | None, kind: str | None) -> pa.Table:
    """The points that are all of this: inside the box, of the region, near-duplicates (TWINS) or outliers (ALONE) of the whole map."""
    chosen = pa.scalar(True)
    if box is not None:
        x, y = points.column("x"), points.column("y")
        for edge in (
            pc.greater_equal(x, box.left),
            pc.less_equal(x, box.right),
            pc.greater_equal(y, box.low),
            pc.less_equal(y, box.high),
        ):
            chosen = pc.and_(chosen, edge)
    if region is not None:
        chosen = pc.and_(chosen, pc.equal(points.column("region"), region))
    cosines = pc.fill_null(points.column("nearest_cosine"), -1.0)
    if kind == TWINS:
        chosen = pc.and_(chosen, pc.greater_equal(cosines, NEAR_DUPLICATE_COSINE))
    if kind == ALONE:
        chosen = pc.and_(chosen, pc.less_equal(cosines, _alone(points)))
    return points if isinstance(chosen, pa.Scalar) else points.filter(chosen)


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
