"""The menu: pages in their groups with what is going on behind each, the way to anything, and how often the page looks."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

import streamlit as st

from lib.contract.states import JobState, Operation, WorkerRole
from lib.ui.capacity import find_workers, is_capacity
from lib.ui.dialogs import open_view
from lib.ui.format import format_short_count
from lib.ui.live import choose_interval, find_operation, latest_index, latest_queue, latest_workers
from lib.ui.marks import icon
from lib.ui.pages import PAGES, Page
from lib.ui.session import MY_ZONE, ZONES, Keys, browser_zone, environment_label


def show_sidebar_head() -> None:
    """What stands above the menu and never changes."""
    env = escape(environment_label())
    st.html(f'<div class="sy-brand">{icon("hub")} Switchyard <span class="sy-env" title="Environment: {env}">{env}</span></div>')
    st.button("Go to… :gray-badge[/]", icon=":material/search:", width="stretch", key="open_places", on_click=open_view, args=("places",))


def show_sidebar_foot() -> None:
    """What stands below it: how often the page looks, in which zone it tells times, and the shortcuts."""
    choose_interval()
    st.segmented_control(
        "Times in", ZONES, default=MY_ZONE, required=True, key=Keys.ZONE, persist_state="session", width="stretch", help=_zone_words()
    )
    st.button(
        "Keyboard shortcuts",
        icon=":material/keyboard:",
        type="tertiary",
        key="open_shortcuts",
        on_click=open_view,
        args=("shortcuts",),
    )


def _zone_words() -> str:
    return f"Your browser is in {browser_zone()}. This holds for every time on every page, charts included."


def show_menu() -> None:
    """The pages, each with its live count."""
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
    """What the menu says beside a page: a number or a word as a badge; nothing when there is nothing to say."""
    counts: dict[str, Callable[[], str]] = {
        "Import": lambda: _running_word(Operation.IMPORT, Operation.PREVIEW),
        "Export": lambda: _running_word(Operation.EXPORT),
        "Workers": _worker_count,
        "Queue": _queue_count,
        "Index": lambda: _running_word(Operation.REBUILD, Operation.REFRESH) or _index_count(),
    }
    return counts[name]() if name in counts else ""


def _running_word(*operations: Operation) -> str:
    jobs = [reading.running for operation in operations if (reading := find_operation(operation)) and reading.running]
    if not jobs:
        return ""
    return ":blue-badge[running]" if any(job.state is JobState.RUNNING for job in jobs) else ":gray-badge[queued]"


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
