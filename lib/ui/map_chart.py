"""The map as a chart: a canvas, for no browser draws fifty thousand SVG elements at once."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import altair as alt
import pyarrow as pa
import pyarrow.compute as pc
import streamlit as st

from lib.contract.maps import MapLasso
from lib.ui.map_lasso import LASSO, Extent, draw_lasso, read_drawn
from lib.ui.map_points import QUIET

HEIGHT = 560
#: Up to so many points each is a disc one can point at; more of them are dust.
_FEW = 3_000
#: Characters of a row that each of many points carries to the browser; all of them would keep the first look waiting.
_MANY_WORDS = 28
#: Told apart with any kind of colour vision, on light and dark alike; the last is for what is not to catch the eye.
_COLOURS = ("#3b82f6", "#ef6c00", "#10a37f", "#c026d3", "#eab308", "#64b5f6", "#e11d48", "#65a30d")
_REST = "#94a3b8"
#: What pointing at one of few says; one of many says one text, for each part of it is worked out for every point beforehand.
_FEW_TOLD = [alt.Tooltip("key:N", title="Key"), alt.Tooltip("words:N", title="Begins"), alt.Tooltip("shade:N", title="Colour")]


def show_chart(points: pa.Table, labels: pa.Array, legend: list[str], *, lasso: MapLasso | None, words: str, key: str) -> MapLasso | None:
    """Draw it; the line around a part of it. ``lasso``: the line as it is known; the same comes back until a person draws another."""
    across, up = _extent(points.column("x")), _extent(points.column("y"))
    if key not in st.session_state:
        st.session_state[f"{key}_first"] = lasso  # another one in the specification would draw the chart anew
    few = len(points) <= _FEW
    spec = _spec(tuple(legend), few, across, up, st.session_state[f"{key}_first"])
    rows = choose_columns(points, labels)
    event = st.vega_lite_chart(rows, spec, key=key, height=HEIGHT, on_select="rerun", selection_mode=LASSO, alt=words)
    return read_drawn(event, lasso, across, up)


def choose_columns(points: pa.Table, labels: pa.Array) -> pa.Table:
    """What the browser is sent. Of many points each has one text: every further column costs it a look at all of them."""
    shade = labels.dictionary_encode()
    if len(points) <= _FEW:
        return points.select(["key", "x", "y", "words"]).append_column("shade", shade)
    said = pc.binary_join_element_wise(points.column("key"), pc.utf8_slice_codeunits(points.column("words"), 0, _MANY_WORDS), ": ")
    return points.select(["x", "y"]).append_column("said", said).append_column("shade", shade)


def _extent(places: pa.ChunkedArray) -> Extent:
    """The two ends of an axis. Said in the specification: rows come after it, and a line drawn on an axis without ends is lost."""
    ends = pc.min_max(places).as_py()
    margin = max(0.02 * (ends["max"] - ends["min"]), 0.01)
    return round(ends["min"] - margin, 3), round(ends["max"] + margin, 3)


@lru_cache(maxsize=32)
def _spec(legend: tuple[str, ...], few: bool, across: Extent, up: Extent, first: MapLasso | None) -> dict[str, Any]:
    colours = [_REST if label in QUIET else _COLOURS[place % len(_COLOURS)] for place, label in enumerate(legend)]
    shade = alt.Color(
        "shade:N",
        title=None,
        scale=alt.Scale(domain=list(legend), range=colours),
        legend=alt.Legend(orient="top", columns=3, symbolOpacity=1, symbolSize=90, labelLimit=260),
    )
    axis = alt.Axis(labels=False, ticks=False, title=None, grid=False, domain=False)
    # Of many a square is drawn sooner than a disc, and nobody can tell them apart.
    marks = alt.Chart().mark_circle(size=46, opacity=0.85) if few else alt.Chart().mark_square(size=9, opacity=0.55)
    chart = marks.encode(
        x=alt.X("x:Q", axis=axis, scale=alt.Scale(domain=across, nice=False)),
        y=alt.Y("y:Q", axis=axis, scale=alt.Scale(domain=up, nice=False)),
        color=shade,
        tooltip=_FEW_TOLD if few else alt.Tooltip("said:N"),
    )
    drawn: dict[str, Any] = chart.properties(data=alt.NamedData("rows")).to_dict()
    shown = {name: drawn[name] for name in ("mark", "encoding")}
    layers, config = draw_lasso(shown["encoding"]["x"], shown["encoding"]["y"], first, up)
    return {"layer": [shown, *layers], "config": config, "usermeta": {"embedOptions": {"renderer": "canvas"}}}
