"""How the index has done from generation to generation. One dot is one generation."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import altair as alt
import pyarrow as pa
import streamlit as st

HEIGHT = 180

#: (generation, value); None breaks the line
Point = tuple[int, float | None]
_SCHEMA = pa.schema([("generation", pa.int64()), ("value", pa.float64())])


def show_trend(points: Sequence[Point], *, key: str, value: str, form: str, words: str, top: float | None = None) -> None:
    """A line over generations. ``form``: how Vega writes a value; ``words``: what it says, for those who do not see it."""
    rows = [{"generation": generation, "value": number} for generation, number in sorted(points)]
    st.vega_lite_chart(pa.Table.from_pylist(rows, schema=_SCHEMA), _spec(value, form, top), key=key, height=HEIGHT, alt=words)


@cache
def _spec(value: str, form: str, top: float | None) -> dict[str, Any]:
    scale = alt.Scale(zero=True, nice=top is None, domainMax=top) if top is not None else alt.Scale(zero=True, nice=True)
    chart = (
        alt.Chart()
        .mark_line(strokeWidth=1.75, point=alt.OverlayMarkDef(size=36))
        .encode(
            x=alt.X("generation:O", title="Generation", axis=alt.Axis(grid=False, labelAngle=0, labelOverlap=True)),
            y=alt.Y("value:Q", title=None, scale=scale, axis=alt.Axis(tickCount=3, format=form)),
            tooltip=[alt.Tooltip("generation:O", title="Generation"), alt.Tooltip("value:Q", title=value, format=form)],
        )
    )
    spec: dict[str, Any] = alt.layer(chart, data=alt.NamedData("rows")).to_dict()
    for name in ("data", "datasets", "$schema", "config"):
        spec.pop(name, None)
    return spec
