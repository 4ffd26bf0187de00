"""What a link carries that this console does not understand, from another version or mistyped: it is said, and left aside."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from html import escape

import streamlit as st

from lib.contract.plans import RULES
from lib.contract.queue import Window
from lib.contract.states import FailureCause
from lib.ui.frames import export_rows, map_rows, plan_rows, search
from lib.ui.frames.conflicts import KEEP_WORDS
from lib.ui.frames.export_form import A_FILE, FORMAT_WORDS
from lib.ui.frames.export_scope import STATE_WORDS
from lib.ui.frames.export_sheet import GOOGLE_SHEET
from lib.ui.frames.items import AGES, STATES
from lib.ui.frames.jobs import PERIODS
from lib.ui.map_lasso import read_lasso
from lib.ui.marks import JOB_MARKS, OPERATION_WORDS, Tone, box, icon
from lib.ui.session import Keys, Params
from lib.ui.strange import note_strange, strange_on

#: Every name a link may carry.
KNOWN = frozenset(value for name, value in vars(Params).items() if name.isupper())
#: name → the values it may have, for names that mean the same on every page. Any other value is some id or some words.
CHOICES: dict[str, frozenset[str]] = {
    Params.WINDOW: frozenset(Window),
    Params.CAUSE: frozenset(cause.value.replace("_", " ") for cause in FailureCause) | frozenset(FailureCause),
    Params.OPERATION: frozenset(OPERATION_WORDS.values()),
}
#: The same for names that mean something else on each page. What a tab may be is said by its page, and what only the service knows
#: (imports, workers, fields, columns) by the frame that offers it.
CHOICES_ON: Mapping[str, dict[str, frozenset[str]]] = {
    "Home": {Params.STATE: frozenset(mark.word for mark in JOB_MARKS.values()), Params.PERIOD: frozenset(PERIODS)},
    "Import": {
        Params.CHANGE: frozenset({plan_rows.LEFT_OUT, *plan_rows.FILTERS, *map(str.lower, plan_rows.FILTERS)}),
        Params.RULE: frozenset({plan_rows.ALL_RULES, *RULES.values()}),
    },
    "Export": {
        Params.CHANGE: frozenset(export_rows.FILTERS),
        Params.TARGET: frozenset({A_FILE, GOOGLE_SHEET}),
        Params.FORMAT: frozenset(words for words, _ in FORMAT_WORDS.values()),
        Params.STATE: frozenset(STATE_WORDS.values()),
        Params.KEEP: frozenset(KEEP_WORDS.values()),
    },
    "Index": {Params.KIND: frozenset(map_rows.KINDS), Params.RESULTS: frozenset(map(str, search.RESULTS))},
    "Queue": {Params.ROWS: frozenset(STATES), Params.AGE: frozenset(AGES)},
}


def _is_day(value: str) -> bool:
    try:
        return bool(date.fromisoformat(value))
    except ValueError:
        return False


#: page → name → whether a value can be meant, where the values are too many to list.
FORMS_ON: Mapping[str, dict[str, Callable[[str], bool]]] = {
    "Export": {Params.SINCE: _is_day},
    "Index": {Params.LASSO: lambda value: read_lasso(value) is not None},
    "Queue": {Params.ROW: lambda value: value.isascii() and value.isdigit()},
}


def find_strange(page: str, params: Iterable[tuple[str, str]]) -> list[str]:
    """Those that mean nothing on that page, as they stand in the link."""
    choices, forms = CHOICES | CHOICES_ON.get(page, {}), FORMS_ON.get(page, {})
    return [
        f"{name}={value}"
        for name, value in params
        if name not in KNOWN or (name in choices and value not in choices[name]) or (value and name in forms and not forms[name](value))
    ]


def show_strange(page: str) -> None:
    """Say what of the link was left aside, until it is dismissed or the page is left."""
    if strange := find_strange(page, st.query_params.items()):
        note_strange(page, strange)
        # What has a widget already is Streamlit's to take off.
        for name in {each.split("=", maxsplit=1)[0] for each in strange} - set(map(str, st.session_state)):
            del st.query_params[name]
    if not (left_aside := strange_on(page)):
        return
    with st.container(horizontal=True, vertical_alignment="center", key="strange"):
        what = f"{icon('link_off')} Part of this link was not understood"
        words = ", ".join(f"<span class='sy-code'>{escape(each[:80])}</span>" for each in left_aside)
        st.html(box(Tone.HELD, what, f"{words}: left aside. The page shows what it shows without."), width="content")
        st.button("Dismiss", type="tertiary", key="dismiss_strange", icon=":material/close:", on_click=_forget)


def _forget() -> None:
    st.session_state.pop(Keys.STRANGE, None)
