"""Go to: one box that finds pages, actions, settings, failures, jobs, plans, snapshots and rows, by keyboard alone."""

from __future__ import annotations

from html import escape

import streamlit as st

from lib.client.errors import ClientError
from lib.contract.places import MIN_LETTERS, PlacePage
from lib.ui.destinations import Destination, destination_of, find_destinations
from lib.ui.dialogs import close_view
from lib.ui.focus import focus_on
from lib.ui.format import plural
from lib.ui.live import is_offline
from lib.ui.pages import PAGES, find_page
from lib.ui.session import get_client

#: Lines shown at once: more would have to be scrolled, and one more letter is quicker.
LINES = 10
#: Of these at most so many pages, actions and settings while the service has found something too.
OWN_LINES = 5
_BOX = "goto_text"


def show_places() -> None:
    """The dialog."""
    st.dialog("Go to", width="medium", on_dismiss=close_view)(_show_box)()


def _show_box() -> None:
    text = st.text_input(
        "Page, action, setting, job, row or failure",
        key=_BOX,
        live=True,
        autocomplete="off",
        max_chars=200,
        placeholder="e.g. queue, export, a row’s key, the beginning of a job’s id",
    )
    wanted = (text or "").strip()
    places, trouble = _ask(wanted)
    own = find_destinations(wanted)
    found = [*own[: OWN_LINES if places and wanted else LINES], *map(destination_of, places.items if places else [])][:LINES]
    with st.container(key="goto_places", gap=None):
        for destination in found:
            _show_line(destination)
    _show_answer(wanted, found, trouble)
    focus_on(_BOX, dialog="places")


def _ask(text: str) -> tuple[PlacePage | None, str]:
    """What the service finds, and why it found nothing if it could not look."""
    if len(text) < MIN_LETTERS:
        return None, ""
    if is_offline():
        return None, "The service does not answer: jobs and rows cannot be looked for."
    try:
        return _find_places(text), ""
    except ClientError as error:
        return None, f"Jobs and rows could not be looked for: {error}"


@st.cache_data(ttl=5, max_entries=200, show_spinner=False)
def _find_places(text: str) -> PlacePage:
    return get_client().find_places(text, LINES)


def _show_line(destination: Destination) -> None:
    """A link, so that the browser itself goes there: ``st.switch_page`` may leave it blank (see ``late_ticks``)."""
    found = find_page(destination.link)
    if found is None:
        return
    page, params = found
    # Escaped for markdown: a key may hold anything.
    title, detail = (_plain(words) for words in (destination.title, destination.detail))
    label = f"{title} :gray[{destination.kind}{' · ' if detail else ''}{detail}]"
    st.page_link(PAGES[page.name].file, label=label, icon=f":material/{destination.icon}:", query_params=params or None, width="stretch")


def _plain(words: str) -> str:
    """Words that markdown leaves as they are."""
    return "".join(f"\\{letter}" if letter in r"\`*_{}[]()#+-.!|<>~$:" else letter for letter in words)


def _show_answer(text: str, found: list[Destination], trouble: str) -> None:
    said = trouble or (plural(len(found), "place") if found else "Nothing is called so. Fewer letters find more.")
    hint = "↓ ↑ to choose, Enter to go, Esc to close" if found else ""
    st.html(f'<div class="sy-answer sy-note" role="status" data-to="{escape(text)}"><span>{escape(said)}</span><span>{hint}</span></div>')
