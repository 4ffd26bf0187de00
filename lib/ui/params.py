"""What a link carries that this console does not understand, from another version or mistyped: it is said, and left aside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape

import streamlit as st

from lib.contract.queue import Window
from lib.contract.states import FailureCause
from lib.ui.marks import OPERATION_WORDS, Tone, box, icon
from lib.ui.session import Keys, Params

#: Every name a link may carry.
KNOWN = frozenset(value for name, value in vars(Params).items() if name.isupper())
#: name → the values it may have, for names that mean the same on every page. Any other value is some id or some words.
CHOICES: Mapping[str, frozenset[str]] = {
    Params.WINDOW: frozenset(Window),
    Params.CAUSE: frozenset(cause.value.replace("_", " ") for cause in FailureCause) | frozenset(FailureCause),
    Params.OPERATION: frozenset(OPERATION_WORDS.values()),
}


def find_strange(params: Iterable[tuple[str, str]]) -> list[str]:
    """Those that mean nothing here, as they stand in the link."""
    return [f"{name}={value}" for name, value in params if name not in KNOWN or (name in CHOICES and value not in CHOICES[name])]


def show_strange(page: str) -> None:
    """Say what of the link was left aside, until it is dismissed or the page is left."""
    if strange := find_strange(st.query_params.items()):
        st.session_state[Keys.STRANGE] = (page, strange)
        for name in {each.split("=", maxsplit=1)[0] for each in strange} - KNOWN:
            del st.query_params[name]
    shown_on, left_aside = st.session_state.get(Keys.STRANGE, ("", []))
    if shown_on != page:
        st.session_state.pop(Keys.STRANGE, None)
        return
    with st.container(horizontal=True, vertical_alignment="center", key="strange"):
        what = f"{icon('link_off')} Part of this link was not understood"
        words = ", ".join(f"<span class='sy-code'>{escape(each[:80])}</span>" for each in left_aside)
        st.html(box(Tone.HELD, what, f"{words}: left aside. The page shows what it shows without."), width="content")
        st.button("Dismiss", type="tertiary", key="dismiss_strange", icon=":material/close:", on_click=_forget)


def _forget() -> None:
    st.session_state.pop(Keys.STRANGE, None)
