"""Where the focus stands when a dialog opens: on the answer that does no harm, or in the box one came to fill."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

_component = st.components.v2.component("switchyard_focus", js=(Path(__file__).parent / "assets" / "focus.js").read_text("utf-8"))


def focus_on(key: str, *, dialog: str) -> None:
    """Give the focus to the button or box called ``key``, once for each ``dialog``: who presses Enter without reading does no harm."""
    with st.container(key="focus"):
        _component(key="dialog_focus", data={"target": f"st-key-{key}", "dialog": dialog})
