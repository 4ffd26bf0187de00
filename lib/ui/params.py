"""What a link carries that this console does not understand, from another version or mistyped: it is said, and left aside."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from html import escape

import streamlit as st

from lib.contract.queue import Window
from lib.contract.states import FailureCause
from lib.ui.frames import export_rows, map_rows, plan_rows
from lib.ui.frames.export_form import A_FILE, FORMAT_WORDS
from lib.ui.frames.export_scope import STATE_WORDS
from lib.ui.frames.export_sheet import GOOGLE_SHEET
from lib.ui.frames.items import AGES, STATES
from lib.ui.frames.jobs import PERIODS
from lib.ui.marks import JOB_MARKS, OPERATION_WORDS, Tone, box, icon
from lib.ui.session import Keys, Params, get_param

#: Every name a link may carry.
KNOWN = frozenset(value for name, value in vars(Params).items() if name.isupper())
#: name → the values it may have, for names that mean the same on every page. Any other value is some id or some words.
CHOICES: dict[str, frozenset[str]] = {
    Params.WINDOW: frozenset(Window),
    Params.CAUSE: frozenset(cause.value.replace("_", " ") for cause in FailureCause) | frozenset(FailureCause),
    Params.OPERATION: frozenset(OPERATION_WORDS.values()),
}
#: The same for names that mean something else on each page. What a tab may be is said by its page.
CHOICES_ON: Mapping[str, dict[str, frozenset[str]]] = {
    "Home": {Params.STATE: frozenset(mark.word for mark in JOB_MARKS.values()), Params.PERIOD: frozenset(PERIODS)},
    "Import": {Params.CHANGE: frozenset({plan_rows.LEFT_OUT, *plan_rows.FILTERS, *map(str.lower, plan_rows.FILTERS)})},
    "Export": {
        Params.CHANGE: frozenset(export_rows.FILTERS),
        Params.TARGET: frozenset({A_FILE, GOOGLE_SHEET}),
        Params.FORMAT: frozenset(words for words, _ in FORMAT_WORDS.values()),
        Params.STATE: frozenset(STATE_WORDS.values()),
    },
    "Index": {Params.KIND: frozenset(map_rows.KINDS)},
    "Queue": {Params.ROWS: frozenset(STATES), Params.AGE: frozenset(AGES)},
}


def find_strange(page: str, params: Iterable[tuple[str, str]]) -> list[str]:
    """Those that mean nothing on that page, as they stand in the link."""
    choices = CHOICES | CHOICES_ON.get(page, {})
    return [f"{name}={value}" for name, value in params if name not in KNOWN or (name in choices and value not in choices[name])]


def show_strange(page: str) -> None:
    """Say what of the link was left aside, until it is dismissed or the page is left."""
    if strange := find_strange(page, st.query_params.items()):
        _leave_aside(page, strange)
        for name in {each.split("=", maxsplit=1)[0] for each in strange} - KNOWN:
            del st.query_params[name]
    shown_on, left_aside = st.session_state.get(Keys.STRANGE, ("", []))
    if shown_on != page:
        st.session_state[Keys.STRANGE] = (page, left_aside := [])
    if not left_aside:
        return
    with st.container(horizontal=True, vertical_alignment="center", key="strange"):
        what = f"{icon('link_off')} Part of this link was not understood"
        words = ", ".join(f"<span class='sy-code'>{escape(each[:80])}</span>" for each in left_aside)
        st.html(box(Tone.HELD, what, f"{words}: left aside. The page shows what it shows without."), width="content")
        st.button("Dismiss", type="tertiary", key="dismiss_strange", icon=":material/close:", on_click=_forget)


def leave_aside_tab(names: Collection[str]) -> None:
    """When the link names a part that the page does not have: say so with the rest, and show the first."""
    said = get_param(Params.TAB)
    if said is not None and said not in names:
        page, _ = st.session_state.get(Keys.STRANGE, ("", []))
        _leave_aside(page, [f"{Params.TAB}={said}"])
        del st.query_params[Params.TAB]
        st.rerun()


def _leave_aside(page: str, strange: list[str]) -> None:
    """Beside what was said on that page before: a second run finds only what the first could not take off the link."""
    shown_on, before = st.session_state.get(Keys.STRANGE, ("", []))
    st.session_state[Keys.STRANGE] = (page, list(dict.fromkeys([*(before if shown_on == page else []), *strange])))


def _forget() -> None:
    st.session_state.pop(Keys.STRANGE, None)
