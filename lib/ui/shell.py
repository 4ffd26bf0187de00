"""The frame around every page. ``open_page("Queue")`` is the one line a page starts with."""

from __future__ import annotations

from html import escape

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from lib.ui.banners import show_banners
from lib.ui.crumbs import open_thing, show_crumbs
from lib.ui.dialogs import open_view_name, show_question
from lib.ui.findings import Readings
from lib.ui.frames.moments import show_link_to_here, show_moment
from lib.ui.frames.places import show_places
from lib.ui.keyboard import listen, show_shortcuts
from lib.ui.live import (
    WATCHDOG_SECONDS,
    latest_index,
    latest_jobs,
    latest_queue,
    latest_settings,
    latest_workers,
    live_block,
    note_looked,
)
from lib.ui.notices import show_notice
from lib.ui.pages import PAGES
from lib.ui.params import show_strange
from lib.ui.session import Keys, Params, get_param, now
from lib.ui.sidebar import show_menu, show_sidebar_foot, show_sidebar_head
from lib.ui.statebar import state_bar
from lib.ui.strange import leave_aside
from lib.ui.style import build_style


def open_page(name: str) -> None:
    """Draw the frame of the page called ``name`` (a key of ``PAGES``): everything but its content."""
    page = PAGES[name]
    thing = open_thing(page)
    title = f"{thing} · {page.name}" if thing else page.name
    st.set_page_config(page_title=f"{title} · Switchyard", page_icon="🔀", layout="wide", initial_sidebar_state="expanded")
    st.html(build_style())
    listen()
    note_looked()
    with st.sidebar:
        show_sidebar_head()
        menu = st.container()
        show_sidebar_foot()
    show_crumbs(page)
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute", key="title"):
        st.html(
            f'<div class="sy-title"><h1>{escape(page.name)}</h1><span class="sy-lead">{escape(page.lead)}</span></div>', width="content"
        )
        show_link_to_here(name)
    banners = st.container(key="banners")
    show_strange(name)
    show_notice()
    if get_param(Params.AS_OF):
        _show_moment(name)
    # A container outside the fragment needs one write in the full run (measured in notes/streamlit.md).
    st.bottom.empty()
    _show_frame(name, menu, banners)
    _show_dialog()


@st.fragment(run_every=WATCHDOG_SECONDS)
def _show_frame(name: str, menu: DeltaGenerator, banners: DeltaGenerator) -> None:
    """Everything of the frame that moves, under one timer; the timer also brings the page back after a restart of the server."""
    with menu:
        show_menu()
    # A box even when it stays empty: a fragment may write outside itself only where it wrote in the full run.
    with banners, st.container():
        show_banners(name, read_all())
    with st.bottom:
        st.html(state_bar())


@st.fragment(key="moment")
def _show_moment(name: str) -> None:
    with live_block("moment"):
        show_moment(name, read_all())


def _show_dialog() -> None:
    """The one dialog that is open: a question outranks the rest."""
    view = open_view_name()
    if Keys.QUESTION in st.session_state or not view:
        show_question()
    elif view == "places":
        show_places()
    else:
        show_shortcuts()


def read_all() -> Readings:
    """Everything the hub remembers, at once."""
    return Readings(
        queue=latest_queue(), workers=latest_workers(), jobs=latest_jobs(), index=latest_index(), settings=latest_settings(), now=now()
    )


def open_tab(*names: str) -> str:
    """Which part of the page is open; the URL remembers it, and only the open part is drawn."""
    leave_aside(Params.TAB, names)
    chosen = st.segmented_control(
        "Part of the page", names, default=names[0], required=True, key=Params.TAB, bind="query-params", label_visibility="collapsed"
    )
    return chosen or names[0]
