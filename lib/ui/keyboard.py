"""Shortcuts: one table that the listener and the help dialog both read. No single key changes anything but what is on the screen."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path

import streamlit as st

from lib.ui.dialogs import close_view, open_view
from lib.ui.focus import focus_on
from lib.ui.pages import PAGES
from lib.ui.session import Keys

GO_TO, HELP, REFRESH = "/", "?", "r"


@dataclass(frozen=True)
class Shortcut:
    """``keys`` are pressed one after the other; ``page`` is where they lead, for those that lead somewhere."""

    keys: str
    words: str
    page: str = ""


SHORTCUTS: tuple[Shortcut, ...] = (
    *(Shortcut(f"g {page.letter}", f"Go to {page.name}", page.name) for page in PAGES.values()),
    Shortcut(GO_TO, "Go to a page, job, row, failure, setting or action"),
    Shortcut(REFRESH, "Refresh what the page shows"),
    Shortcut(HELP, "Show this list"),
)


def _component(name: str) -> st.components.v2.types.ComponentRenderer:
    return st.components.v2.component(f"switchyard_{name}", js=(Path(__file__).parent / "assets" / f"{name}.js").read_text("utf-8"))


_keyboard = _component("keyboard")
_LISTENERS = {name: _component(name) for name in ("stillness", "easing", "scheme", "links", "toasts")}


def listen() -> None:
    """Hear the shortcuts and do what they say; every page calls this once, outside every live block."""
    with st.container(key="listeners"):
        for name, listener in _LISTENERS.items():
            listener(key=name)
        heard = SHORTCUTS if are_on() else ()
        pages = {shortcut.keys: list(PAGES).index(shortcut.page) for shortcut in heard if shortcut.page}
        keys = [shortcut.keys for shortcut in heard if not shortcut.page]
        pressed = _keyboard(key="keyboard", data={"shortcuts": keys, "pages": pages}, on_pressed_change=lambda: None).pressed
    if pressed == GO_TO:
        open_view("places")
    elif pressed == HELP:
        open_view("shortcuts")
    # "r" has refreshed the page by being heard.


def are_on() -> bool:
    """Whether single keys mean something: whoever speaks to the computer, or leans on it, may switch them off."""
    return bool(st.session_state.get(Keys.SHORTCUTS, True))


def show_shortcuts() -> None:
    """The help dialog."""
    st.dialog("Keyboard shortcuts", on_dismiss=close_view)(_show_list)()


def _show_list() -> None:
    rows = "".join(f"<dt>{_caps(shortcut.keys)}</dt><dd>{escape(shortcut.words)}</dd>" for shortcut in SHORTCUTS)
    st.html(f'<dl class="sy-keys">{rows}<dt>{_caps("Esc")}</dt><dd>Close a dialog</dd></dl>')
    st.html('<span class="sy-note">They wait while you type. None of them starts, stops, changes or deletes anything.</span>')
    wanted = st.toggle("Shortcuts are on", value=are_on(), key="shortcuts_toggle")
    if wanted != are_on():
        st.session_state[Keys.SHORTCUTS] = wanted
        st.rerun()  # the listener stands outside this dialog
    if st.button("Close", key="shortcuts_close"):
        close_view()
        st.rerun()
    focus_on("shortcuts_close", dialog="shortcuts")


def _caps(keys: str) -> str:
    return " ".join(f"<kbd>{escape(key)}</kbd>" for key in keys.split(" "))
