"""Where the focus stands when a dialog opens: on the answer that does no harm, or in the box one came to fill.

And where one is brought when a report opens at the top of a page on which one had scrolled down.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st

_WANTED = "report_wanted"
_component = st.components.v2.component("switchyard_focus", js=(Path(__file__).parent / "assets" / "focus.js").read_text("utf-8"))


def focus_on(key: str, *, dialog: str) -> None:
    """Give the focus to the button or box called ``key``, once for each ``dialog``: who presses Enter without reading does no harm."""
    with st.container(key="focus"):
        _component(key="dialog_focus", data={"target": f"st-key-{key}", "dialog": dialog})


def want_report(ident: str) -> None:
    """Somebody opened this report from further down the page: the run that draws it brings them there."""
    st.session_state[_WANTED] = ident


def bring_to_report(ident: str, key: str) -> None:
    """Scroll to the button called ``key`` and give it the focus, when the report beside it was just asked for."""
    if st.session_state.get(_WANTED) == ident:
        with st.container(key="focus_report"):
            _component(key="report_focus", data={"target": f"st-key-{key}", "dialog": ident, "scroll": True})
