"""The frame around every page. ``open_page("Queue")`` is the one line a page starts with."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

import streamlit as st

from lib.client.errors import ClientError
from lib.contract.events import Topic
from lib.contract.identity import IdentityReading
from lib.contract.states import Operation, WorkerRole
from lib.ui.dialogs import show_question
from lib.ui.findings import Readings, find_findings, find_workers, is_capacity
from lib.ui.format import UNKNOWN, format_age, format_clock, format_moment, format_short_count
from lib.ui.live import (
    WATCHDOG_SECONDS,
    choose_interval,
    find_operation,
    interval_ms,
    is_connecting,
    is_offline,
    last_known,
    latest_index,
    latest_jobs,
    latest_queue,
    latest_settings,
    latest_workers,
)
from lib.ui.marks import Mark, Tone, badge, box, fold, icon
from lib.ui.notices import show_notice
from lib.ui.pages import PAGES, Page
from lib.ui.session import Params, environment_label, get_client, get_hub, now, zone
from lib.ui.style import STALE_STYLE, build_style


def open_page(name: str) -> None:
    """Draw the frame of the page called ``name`` (a key of ``PAGES``): everything but its content."""
    page = PAGES[name]
    st.set_page_config(page_title=f"{page.name} · Switchyard", page_icon="🔀", layout="wide", initial_sidebar_state="expanded")
    st.html(build_style())
    with st.sidebar:
        _show_sidebar()
        choose_interval()
    st.html(f'<div class="sy-title"><h1>{escape(page.name)}</h1><span class="sy-lead">{escape(page.lead)}</span></div>')
    _show_banners(name)
    show_notice()
    # The container outside the fragment needs one write in the full run (measured in notes/streamlit.md).
    st.bottom.empty()
    _show_state_bar()
    show_question()


def read_all() -> Readings:
    """Everything the hub remembers, at once."""
    return Readings(
        queue=latest_queue(), workers=latest_workers(), jobs=latest_jobs(), index=latest_index(), settings=latest_settings(), now=now()
    )


@st.fragment(run_every=WATCHDOG_SECONDS)
def _show_sidebar() -> None:
    env = escape(environment_label())
    st.html(f'<div class="sy-brand">{icon("hub")} Switchyard <span class="sy-env" title="Environment: {env}">{env}</span></div>')
    with st.container(gap=None, key="nav"):
        group = ""
        for page in PAGES.values():
            if page.group != group:
                group = page.group
                st.html(f'<div class="sy-group">{escape(group)}</div>')
            st.page_link(page.file, label=_label(page), icon=page.icon, width="stretch")


def _label(page: Page) -> str:
    count = _live_count(page.name)
    return f"{page.name} {count}" if count else page.name


def _live_count(name: str) -> str:
    """What the sidebar says beside a page: a number or a word as a badge; nothing when there is nothing to say."""
    counts: dict[str, Callable[[], str]] = {
        "Import": lambda: _running_word(Operation.IMPORT, Operation.PREVIEW),
        "Export": lambda: _running_word(Operation.EXPORT),
        "Workers": _worker_count,
        "Queue": _queue_count,
        "Index": lambda: _running_word(Operation.REBUILD, Operation.REFRESH) or _index_count(),
    }
    return counts[name]() if name in counts else ""


def _running_word(*operations: Operation) -> str:
    running = any(reading.running for operation in operations if (reading := find_operation(operation)))
    return ":blue-badge[running]" if running else ""


def _queue_count() -> str:
    queue = latest_queue()
    if queue and queue.failed:
        return f":red-badge[{format_short_count(queue.failed)} failed]"
    return f":blue-badge[{format_short_count(queue.backlog)}]" if queue and queue.backlog else ""


def _index_count() -> str:
    index = latest_index()
    return f":orange-badge[{format_short_count(index.unindexed)} behind]" if index and index.unindexed else ""


def _worker_count() -> str:
    reading = latest_workers()
    workers = [worker for role in WorkerRole for worker in find_workers(reading, role)]
    ready = sum(is_capacity(worker) for worker in workers)
    if reading is None:
        return ""
    return f":gray-badge[{ready}]" if ready == len(workers) and ready else f":orange-badge[{ready} of {len(workers)}]"


@st.fragment(run_every=WATCHDOG_SECONDS)
def _show_banners(name: str) -> None:
    """One banner per root cause, on the pages it affects; the outage comes first because it hides the rest."""
    connection, at = get_hub().connection, now()
    if is_offline():
        since = f"{format_clock(connection.since, zone())} ({format_age(connection.since, at)})"
        why = escape(str(connection.reason or ""))
        said = f"Since {since}. What you see is the last that was known; actions are off until it is back. It is tried again by itself."
        st.html(STALE_STYLE + box(Tone.BAD, f"{icon('cloud_off')} The service does not answer", said, fold(why), role="alert"))
        return
    held = [finding for finding in find_findings(read_all()) if name in finding.pages and finding.icon in {"pause_circle", "power_off"}]
    for finding in held if name != "Workers" else []:
        with st.container(horizontal=True, vertical_alignment="center", key=f"banner_{finding.icon}_{finding.what[:3]}"):
            st.html(box(finding.tone, f"{icon(finding.icon)} {escape(finding.what)}", escape(f"{finding.evidence} {finding.impact}")))
            st.page_link(PAGES["Workers"].file, label="Go to Workers", icon=PAGES["Workers"].icon)


@st.fragment(run_every=WATCHDOG_SECONDS)
def _show_state_bar() -> None:
    """The line at the foot of every page; its timer also brings the page back after a restart of the server."""
    with st.bottom:
        st.html(state_bar())


def state_bar() -> str:
    """Environment, feed, service, last sync, refresh, identity."""
    connection, at = get_hub().connection, now()
    feed = (
        Mark(Tone.IDLE, "sync", "connecting")
        if is_connecting()
        else {
            "live": Mark(Tone.DONE, "sensors", "live"),
            "polling": Mark(Tone.HELD, "sync", "polling"),
            "offline": Mark(Tone.BAD, "cloud_off", "offline"),
        }.get(str(connection.state), Mark(Tone.IDLE, "help", str(connection.state)))
    )
    since = f"{feed.word} since {format_moment(connection.since, zone())}"
    synced = max((moment for topic in Topic if (moment := get_hub().as_of(topic))), default=None)
    service = "does not answer" if is_offline() else "answers" if synced else "not heard yet"
    refresh = f"every {interval_ms() / 1000:g} s" if interval_ms() else "off"
    return (
        f'<div class="sy-bar" role="contentinfo" aria-label="State of the console">{badge(feed, title=since)}'
        f"<span>Service <b>{service}</b></span>"
        f'<span title="{format_moment(synced, zone())}">Last sync <b>{format_age(synced, at)}</b></span>'
        f"<span>Refresh <b>{refresh}</b></span>"
        f'<span class="sy-right">Environment <b>{escape(environment_label())}</b></span>'
        f"<span>{icon('person')} {who_line(read_identity())}</span></div>"
    )


def read_identity() -> IdentityReading | None:
    """Who the service takes us for; None while it has not said."""
    try:
        return last_known("identity", _get_identity)
    except ClientError:
        return None


def who_line(identity: IdentityReading | None) -> str:
    """The name the audit will carry, and what it may do."""
    return f"<b>{escape(identity.actor)}</b> · {identity.role}" if identity else f"<b>{UNKNOWN}</b>"


@st.cache_data(ttl=60, show_spinner=False)
def _get_identity() -> IdentityReading:
    return get_client().get_identity()


def open_tab(*names: str) -> str:
    """Which part of the page is open; the URL remembers it, and only the open part is drawn."""
    chosen = st.segmented_control(
        "Part of the page", names, default=names[0], required=True, key=Params.TAB, bind="query-params", label_visibility="collapsed"
    )
    return chosen or names[0]
