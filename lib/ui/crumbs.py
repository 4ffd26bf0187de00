"""Where one is: the page, and which of its things is open. The page's own link closes the thing."""

from __future__ import annotations

from html import escape

import streamlit as st

from lib.ui.marks import icon
from lib.ui.pages import PAGES, Page
from lib.ui.session import Params, get_param

#: parameter → (the page it belongs to; empty for whichever page shows it, what it names)
_THINGS = {
    Params.JOB: ("", "Job"),
    Params.PLAN: ("Import", "Plan"),
    Params.UPLOAD: ("Import", "Columns of an upload"),
    Params.SNAPSHOT: ("Index", "Snapshot"),
    Params.REHEARSAL: ("Index", "Rehearsal"),
    Params.INSPECTION: ("Index", "Inspection"),
}


def open_thing(page: Page) -> str:
    """What the address has open on this page, in words; empty when it is the page itself."""
    for param, (owner, word) in _THINGS.items():
        value = get_param(param)
        if value and owner in {"", page.name}:
            return word if param == Params.UPLOAD else f"{word} {value[:8]}"
    return ""


def show_crumbs(page: Page) -> None:
    """``Import › Plan 1a2b3c4d``; nothing on the page itself."""
    thing = open_thing(page)
    if thing:
        with st.container(horizontal=True, vertical_alignment="center", gap=None, key="crumbs"):
            st.page_link(PAGES[page.name].file, label=page.name, icon=page.icon)
            st.html(f'<span class="sy-crumb" aria-current="page">{icon("chevron_right")}{escape(thing)}</span>', width="content")
