"""What was left aside of the link that was opened: kept until it is dismissed or its page is left, and said at the head of the page."""

from __future__ import annotations

from collections.abc import Collection

import streamlit as st

from lib.ui.session import Keys


def strange_on(page: str) -> list[str]:
    """What was left aside on that page, each as it stood in the link; coming to another page forgets it."""
    shown_on, left_aside = st.session_state.get(Keys.STRANGE, ("", []))
    if shown_on != page:
        st.session_state[Keys.STRANGE] = (page, left_aside := [])
    return list(left_aside)


def note_strange(page: str, strange: list[str]) -> None:
    """Beside what was said on that page before: a second run finds only what the first could not take off the link."""
    st.session_state[Keys.STRANGE] = (page, list(dict.fromkeys([*strange_on(page), *strange])))


def leave_aside(name: str, known: Collection[str]) -> None:
    """For choices that only the service knows, as soon as it has said them: what the link has of others is taken off it and said.

    Called before the widget of that name; once that stands, the parameter is Streamlit's, and can hold nothing it does not offer.
    """
    if name in st.session_state:
        return
    said = st.query_params.get_all(name)
    if strange := [value for value in said if value and value not in known]:
        page, _ = st.session_state.get(Keys.STRANGE, ("", []))
        note_strange(page, [f"{name}={value}" for value in strange])
        st.query_params[name] = [value for value in said if value in known]
        st.rerun()
