"""The Queue page as one writes it from Streamlit's tutorials: as many rows, two charts, six figures, drawn anew with every refresh.

Served by the benchmark with Streamlit's defaults; it stands in for "plain Streamlit" and is no page of the console.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import altair as alt
import pandas as pd
import streamlit as st

ROWS, POINTS = 200, 180


@st.fragment(run_every=2)
def show_queue() -> None:
    """What a tick redraws."""
    now = datetime.now()  # noqa: DTZ005  as the tutorials do
    for column, (name, value) in zip(
        st.columns(6), {"Pending": 12, "In work": 3, "Failed": ROWS, "Embedded": ROWS, "Lag": 4, "Rate": 120}.items(), strict=True
    ):
        column.metric(name, value + now.second)
    samples = pd.DataFrame(
        {"at": [now - timedelta(seconds=5 * number) for number in range(POINTS)], "value": [(number * 7) % 60 for number in range(POINTS)]}
    )
    left, right = st.columns(2)
    left.altair_chart(alt.Chart(samples).mark_area().encode(x="at:T", y="value:Q", tooltip=["at:T", "value:Q"]))
    right.altair_chart(alt.Chart(samples).mark_line().encode(x="at:T", y="value:Q", tooltip=["at:T", "value:Q"]))
    st.dataframe(
        pd.DataFrame(
            {
                "Row": [f"ACC-{number:03}" for number in range(ROWS)],
                "Cause": ["The text is longer than the model takes."] * ROWS,
                "What to do": ["Shorten it in the sheet and import again."] * ROWS,
                "Attempts": ["3 of 3"] * ROWS,
                "Failed": [now - timedelta(minutes=number) for number in range(ROWS)],
                "Raw error": ["ValueError: 9,000 tokens"] * ROWS,
            }
        )
    )


st.set_page_config(layout="wide")
show_queue()
