"""The rows of the queue one by one: every filter in the URL, and what can be done with those that match."""

from __future__ import annotations

from datetime import datetime
from html import escape

import pyarrow as pa
import streamlit as st

from lib.client.errors import ClientError
from lib.contract.events import Topic
from lib.contract.queue import CAUSES, Item, ItemFilter, ItemPage, ItemSelection, QueueReading
from lib.contract.states import ItemState, Operation
from lib.ui.format import format_clock, format_count, plural
from lib.ui.frames.worker_log import show_worker_log
from lib.ui.gates import gated_button
from lib.ui.live import connection_gate, gate_of, last_known, latest_queue, latest_workers, live_block, newest_jobs
from lib.ui.marks import Tone, box, code, fold
from lib.ui.notices import describe_error, show_trouble
from lib.ui.requeue import acted, ask_discard, put_back, put_first, retry
from lib.ui.session import Params, get_client, now, zone
from lib.ui.strange import leave_aside
from lib.ui.widgets import show_heading, show_nothing, show_paging, show_unknown

PAGE_ROWS = 200
#: A list people read and choose from should not move oftener than they can follow.
ROWS_SECONDS = 5.0
ALL = "All"
#: The filter's words are also its value in the URL.
STATES: dict[str, ItemState | None] = {
    "Failed": ItemState.FAILED,
    "Waiting": ItemState.PENDING,
    "In work": ItemState.LEASED,
    "Discarded": ItemState.DISCARDED,
    ALL: None,
}
AGES = {"over a minute": 60, "over 10 minutes": 600, "over an hour": 3600, "over a day": 86_400}
_CAUSE_WORDS = {cause.value.replace("_", " "): cause for cause in CAUSES}


@st.fragment(key="items")
def show_items() -> None:
    """A page of rows. It stands still under the pointer: newer rows are announced, and come when they are asked for."""
    with live_block("items", least_seconds=ROWS_SECONDS):
        show_heading("Rows", Topic.QUEUE)
        wanted = _choose_filter()
        cursors: list[str | None] = st.session_state.setdefault(f"item_cursors_{wanted}", [None])
        reading = latest_queue()
        try:
            page = last_known(f"items_{wanted}_{cursors[-1]}", lambda: _fetch(wanted, cursors[-1], reading))
        except ClientError as error:
            show_trouble(describe_error(error, "The rows cannot be listed"))
            return
        if page is None:
            show_unknown("The rows of the queue")
        elif not page.items:
            _show_none(wanted)
        else:
            _show_page(page, wanted, cursors)


def _choose_filter() -> ItemFilter:
    state = st.segmented_control("Rows", list(STATES), default="Failed", required=True, key=Params.ROWS, bind="query-params")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        cause = _choose("Cause", list(_CAUSE_WORDS), Params.CAUSE, "All causes")
        imports = _known_imports()
        imported = _choose("Import", list(imports), Params.IMPORT, "All imports")
        workers = latest_workers()
        if workers:
            leave_aside(Params.WORKER, [each.worker_id for each in workers.workers])
        worker = _choose("Worker", [each.worker_id for each in workers.workers] if workers else [], Params.WORKER, "All workers")
        age = _choose("Age", list(AGES), Params.AGE, "Any age")
        text = st.text_input("Contains", key=Params.TEXT, bind="query-params", placeholder="key or text", max_chars=200, width=180)
    return ItemFilter(
        state=STATES.get(state or "Failed"),
        cause=_CAUSE_WORDS[cause] if cause else None,
        import_job_id=imports.get(imported) if imported else None,
        worker_id=worker or None,
        older_than_seconds=AGES[age] if age else None,
        text=(text or "").strip() or None,
    )


def _known_imports() -> dict[str, str]:
    """None while nobody answers; a link may then mean any."""
    if not connection_gate().allowed:
        return {}
    imports = _list_imports(newest_jobs())
    leave_aside(Params.IMPORT, imports)
    return imports


def _choose(label: str, options: list[str], key: str, everything: str) -> str | None:
    return st.selectbox(label, options, index=None, placeholder=everything, key=key, bind="query-params", width=180)


@st.cache_data(ttl=30, max_entries=8, show_spinner=False)
def _list_imports(turn: str) -> dict[str, str]:  # noqa: ARG001  part of the key
    """Words for each of the last imports → its job id."""
    jobs = get_client().list_jobs(Operation.IMPORT, limit=20).items
    return {f"{(job.result or {}).get('source_name', 'import')} · {job.job_id[:8]}": job.job_id for job in jobs}


def _fetch(wanted: ItemFilter, cursor: str | None, reading: QueueReading | None) -> ItemPage:
    """The page as it was when it was asked for; an empty one is asked for again, for there is nothing it could move."""
    kept: dict[str, tuple[ItemPage, str]] = st.session_state.setdefault("item_pages", {})
    key, turn = f"{wanted}{cursor}", acted()
    found = kept.get(key)
    if found is None or found[1] != turn or (not found[0].items and _count(wanted, reading) != 0):
        st.session_state["item_pages"] = {key: (get_client().list_items(wanted, PAGE_ROWS, cursor), turn)}
        st.session_state["item_counts"] = _count(wanted, reading)
    page: ItemPage = st.session_state["item_pages"][key][0]
    return page


def _count(wanted: ItemFilter, reading: QueueReading | None) -> int | None:
    """How many rows are in the state asked for, by the live feed."""
    if reading is None:
        return None
    counts = {ItemState.PENDING: reading.pending, ItemState.LEASED: reading.leased, ItemState.FAILED: reading.failed}
    counts[ItemState.DISCARDED] = reading.discarded
    return counts[wanted.state] if wanted.state else sum(counts.values())


def _show_none(wanted: ItemFilter) -> None:
    if wanted.narrows:
        show_nothing("No row matches.", "Clear a filter to see more.")
    elif wanted.state is ItemState.FAILED:
        show_nothing("No failed row.", "Nothing needs a person. Choose Waiting or All to see the other rows.")
    else:
        show_nothing("No row here.", "Embedded rows leave the queue; find them below by their key.")


def _show_page(page: ItemPage, wanted: ItemFilter, cursors: list[str | None]) -> None:
    _show_news(page, wanted)
    chosen = _show_table(page.items)
    if len(chosen) == 1:
        _show_one(next(item for item in page.items if item.entry_id == chosen[0]))
    total = f"more than {page.total - 1:,}" if page.total_is_least else format_count(page.total)
    _show_actions(page, wanted, chosen, total)
    first = (len(cursors) - 1) * PAGE_ROWS + 1
    words = f"Rows {first:,}–{first + len(page.items) - 1:,} of {total}, newest first, as of {format_clock(page.taken_at, zone())}"
    show_paging(cursors, page.next_cursor, key="items", back="Newer rows", on="Older rows", words=words)


def _show_news(page: ItemPage, wanted: ItemFilter) -> None:
    if _count(wanted, latest_queue()) != st.session_state.get("item_counts"):
        with st.container(horizontal=True, vertical_alignment="center", key="items_news"):
            st.html(f'<span class="sy-note">The queue has moved since {format_clock(page.taken_at, zone())}.</span>', width="content")
            st.button("Show the present rows", key="items_refresh", icon=":material/refresh:", on_click=_read_anew)


def _read_anew() -> None:
    st.session_state.pop("item_pages", None)


def _show_actions(page: ItemPage, wanted: ItemFilter, chosen: list[int], total: str) -> None:
    if wanted.state not in {ItemState.FAILED, ItemState.PENDING, ItemState.DISCARDED}:
        st.html('<span class="sy-note">Choose Failed, Waiting or Discarded to act on rows.</span>')
        return
    few, count = ItemSelection(entry_ids=chosen), plural(len(chosen), "row")
    every, all_of_them = ItemSelection(**wanted.model_dump()), f"all {total}"
    gate = gate_of(Operation.REQUEUE)
    with st.container(horizontal=True, vertical_alignment="center", key="item_buttons"):
        if wanted.state is ItemState.PENDING:
            if chosen and gated_button(f"Embed {count} first", gate, key="first_chosen", icon_name="move_up", primary=True):
                put_first(few)
            if gated_button(f"Embed {all_of_them} first", gate, key="first_all", icon_name="move_up"):
                put_first(every)
            if any(item.priority for item in page.items) and gated_button(f"{all_of_them.capitalize()} back in line", gate, key="back_all"):
                put_back(every)
            return
        if chosen and gated_button(f"Retry {count}", gate, key="retry_chosen", icon_name="replay", primary=True):
            retry(few)
        if chosen and wanted.state is ItemState.FAILED and gated_button(f"Discard {count}", gate, key="discard_chosen", icon_name="delete"):
            ask_discard(few, count, chosen)
        if gated_button(f"Retry {all_of_them}", gate, key="retry_all", icon_name="replay"):
            retry(every)
        if wanted.state is ItemState.FAILED and gated_button(f"Discard {all_of_them}", gate, key="discard_all", icon_name="delete_sweep"):
            ids = [item.entry_id for item in page.items]
            ask_discard(every, f"{total} rows" if page.total != 1 else "1 row", ids if len(ids) == page.total else [])


def _show_table(items: list[Item]) -> list[int]:
    """The table; the entry ids that are selected. Streamlit keeps positions, so ids are mapped back after every change."""
    ids, state = [item.entry_id for item in items], st.session_state
    places = {entry_id: place for place, entry_id in enumerate(ids)}
    state["item_ids"] = [entry_id for entry_id in state.get("item_ids", []) if entry_id in places]
    state["item_table"] = {"selection": {"rows": [places[entry_id] for entry_id in state["item_ids"]], "columns": [], "cells": []}}
    state["item_view"] = ids
    st.dataframe(
        _as_table(items),
        key="item_table",
        on_select=_note_selection,
        selection_mode="multi-row",
        hide_index=True,
        height=min(420, 38 + 35 * len(items)),
        column_config={
            "Row": st.column_config.TextColumn(width=130),
            "State": st.column_config.TextColumn(width=90),
            "What": st.column_config.TextColumn(width=330),
            "Attempts": st.column_config.TextColumn(width="small"),
            "Next try": st.column_config.TextColumn(width="small"),
            "Since": st.column_config.DatetimeColumn(format="distance", width=110),
            "Text": st.column_config.TextColumn(width="large"),
        },
        alt="Rows of the queue, newest first",
    )
    chosen: list[int] = state["item_ids"]
    return chosen


def _as_table(items: list[Item]) -> pa.Table:
    """The cells: made anew for another page of rows, or when the next try of one has come; not with every tick."""
    at = now()
    waits = [_waits(item, at) for item in items]
    seen = waits, zone()
    kept: tuple[list[Item], object, pa.Table] | None = st.session_state.get("item_cells")
    if kept is None or kept[0] is not items or kept[1] != seen:
        kept = items, seen, pa.Table.from_pylist([_cells(item, waits=each) for item, each in zip(items, waits, strict=True)])
        st.session_state["item_cells"] = kept
    return kept[2]


def _waits(item: Item, at: datetime) -> bool:
    return item.next_try_at is not None and item.next_try_at > at


def _note_selection() -> None:
    view, rows = st.session_state.get("item_view", []), st.session_state["item_table"]["selection"]["rows"]
    st.session_state["item_ids"] = [view[place] for place in rows if place < len(view)]


def _cells(item: Item, *, waits: bool) -> dict[str, object]:
    words = next(words for words, state in STATES.items() if state is item.state)
    return {
        "Row": item.key,
        "State": f"{words} · first" if item.priority and item.state is ItemState.PENDING else words,
        "What": CAUSES[item.cause][0] if item.cause else "—",
        "Attempts": f"{item.attempts} of {item.max_attempts}",
        "Next try": format_clock(item.next_try_at, zone()) if waits else "—",
        "Since": item.failed_at if item.state in {ItemState.FAILED, ItemState.DISCARDED} else item.enqueued_at,
        "Worker": item.worker_id or "—",
        "Text": item.text,
    }


def _show_one(item: Item) -> None:
    """The raw error of one row behind a fold, and the way to its whole trail."""
    explanation, action = CAUSES[item.cause] if item.cause else ("Nothing is known against this row.", "")
    raw = fold(f'<pre class="sy-log" tabindex="0">{escape(item.raw_error)}</pre>') if item.raw_error else ""
    st.html(box(Tone.BAD if item.cause else Tone.IDLE, code(item.key), escape(explanation), escape(action), raw))
    if item.worker_id and item.failed_at:
        show_worker_log(item.worker_id, item.failed_at)
    if st.button("Every attempt, and where this row is", key="trace_one", icon=":material/route:"):
        st.query_params[Params.ROW] = str(item.entry_id)
        st.rerun()  # it is shown further down the page
