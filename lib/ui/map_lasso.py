"""The line a person draws around some points of the map: in the browser, in a link, and on its way between them.

Vega-Lite draws boxes only. What it is made of draws lines: signals follow the pointer, and while a button is held a sheet of glass lies
over the points, whose one row carries the line; the selection of that row brings it here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from lib.contract.maps import LASSO_CORNERS, MapLasso

LASSO = "lasso"
#: The two ends of an axis.
Extent = tuple[float, float]
_TRACE, _DRAWING = "trace", "drawing"
#: A corner at least every so much of the height, and so many of them at most, while it is being drawn.
_STEP_RATIO = 0.006
_TRACE_CORNERS = 2_000
#: A corner that lies this near to the line between its neighbours tells nothing: about a pixel.
_STRAIGHT_RATIO = 0.002
_GREY = "#64748b"
_LASSO: TypeAdapter[MapLasso] = TypeAdapter(MapLasso)


def write_lasso(lasso: MapLasso) -> str:
    """As a link carries it."""
    return "_".join(f"{place:g}" for corner in lasso for place in corner)


def read_lasso(text: str | None) -> MapLasso | None:
    """As a link carries it; None for anything else."""
    try:
        places = [float(place) for place in (text or "").split("_")]
        return _LASSO.validate_python(tuple(zip(places[::2], places[1::2], strict=True)))
    except ValueError:
        return None


def read_drawn(event: Any, before: MapLasso | None, across: Extent, up: Extent) -> MapLasso | None:
    """The line of a chart's selection. ``before``: the one it was given, and has as long as nobody has touched the chart."""
    drawn = event["selection"].get(LASSO) if event else None
    if not drawn:
        return before
    try:
        trace = np.asarray(drawn[0].get("path", []), np.float64).reshape(-1, 2)
        return _LASSO.validate_python(tuple(map(tuple, _keep_corners(trace, across, up).round(3).tolist())))
    except ValueError:
        return None  # a click: the line is taken away


def _keep_corners(trace: NDArray[np.float64], across: Extent, up: Extent) -> NDArray[np.float64]:
    """The corners that make its shape, so that a link can carry it."""
    flat = (trace - (across[0], up[0])) / (across[1] - across[0], up[1] - up[0])
    kept = _bends(flat, _STRAIGHT_RATIO)
    return trace[kept[:: -(-len(kept) // LASSO_CORNERS) or 1]]  # of a scribble only one corner in so many


def _bends(line: NDArray[np.float64], straight: float) -> list[int]:
    """Ramer, Douglas and Peucker's: the ends, and between them whatever is farther than that from the line between what is kept."""
    kept, open_ends = {0, len(line) - 1} if len(line) else set(), [(0, len(line) - 1)]
    while open_ends:
        start, end = open_ends.pop()
        if end - start < 2:
            continue
        along, apart = line[end] - line[start], line[start + 1 : end] - line[start]
        length = float(np.hypot(*along))
        away = np.abs(along[0] * apart[:, 1] - along[1] * apart[:, 0]) / length if length else np.hypot(apart[:, 0], apart[:, 1])
        if away.max() > straight:
            middle = start + 1 + int(away.argmax())
            kept.add(middle)
            open_ends += [(start, middle), (middle, end)]
    return sorted(kept)


def draw_lasso(x: dict[str, Any], y: dict[str, Any], first: MapLasso | None, up: Extent) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Layers to lie above the points, and the configuration they need. ``x``, ``y``: how points are placed; ``first``: drawn already."""
    axes = {"x": x | {"field": "x"}, "y": y | {"field": "y"}}
    line = {
        "data": {"sequence": {"start": 0, "stop": _TRACE_CORNERS, "as": "corner"}},
        "transform": [
            {"filter": f"datum.corner < length({_TRACE})"},
            {"calculate": f"{_TRACE}[datum.corner][0]", "as": "x"},
            {"calculate": f"{_TRACE}[datum.corner][1]", "as": "y"},
        ],
        "mark": {"type": "line", "interpolate": "linear-closed", "filled": True, "fill": _GREY, "fillOpacity": 0.14}
        | {"stroke": _GREY, "strokeWidth": 2, "strokeDash": [5, 3]},
        "encoding": axes | {"order": {"field": "corner"}},
    }
    glass = {
        "data": {"values": [{}]},
        "transform": [{"calculate": _TRACE, "as": "path"}],
        "params": [{"name": LASSO, "select": _SELECT}],
        "mark": {"type": "rect", "opacity": 0, "x": 0, "y": 0} | {side: {"expr": f"{_DRAWING} ? {size} : 0"} for side, size in _SIDES},
    }
    return [line, glass], {"signals": _signals(first, _STEP_RATIO * (up[1] - up[0])), "view": {"cursor": "crosshair"}}


_SIDES = (("x2", "width"), ("y2", "height"))
_SELECT = {
    "type": "point",
    "fields": ["path"],
    "on": "[pointerdown, window:pointerup] > pointermove, pointerup",
    "toggle": False,
    "clear": False,
}


def _signals(first: MapLasso | None, step: float) -> list[dict[str, Any]]:
    """Whether a line is being drawn, and its corners so far, in the points' own numbers: they stay true when the window changes."""
    down, up = {"source": "view", "type": "pointerdown"}, {"source": "window", "type": "pointerup"}
    move = {"source": "view", "type": "pointermove", "between": [down, up]}
    inside = "inrange(x(), [0, width]) && inrange(y(), [0, height])"
    here = "invert('x', x()), invert('y', y())"
    goes_on = f"{_DRAWING} && {inside} && length({_TRACE}) < {_TRACE_CORNERS}"
    return [
        {"name": _DRAWING, "value": False, "on": [{"events": down, "update": inside}, {"events": up, "update": "false"}]},
        {
            "name": _TRACE,
            "value": [list(corner) for corner in first or ()],
            "on": [
                {"events": down, "update": f"{inside} ? [[{here}]] : {_TRACE}"},
                {"events": move, "update": f"{goes_on} ? lassoAppend({_TRACE}, {here}, {step:.5f}) : {_TRACE}"},
            ],
        },
    ]
