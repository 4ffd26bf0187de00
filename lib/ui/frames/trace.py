"""Where is my row? One row's road from its sheet to the index and out again."""

from __future__ import annotations

from html import escape
from urllib.parse import quote

import streamlit as st

from lib.client.errors import ClientError
from lib.contract.trace import EntryTrace, Station, TraceEvent, TraceMatches
from lib.ui.eta import describe_turn
from lib.ui.format import shorten
from lib.ui.frames.worker_log import show_worker_log
from lib.ui.live import last_known, live_block
from lib.ui.marks import Column, Mark, Tone, badge, fold, icon, moment, table
from lib.ui.notices import describe_error, show_trouble
from lib.ui.session import Params, get_client, get_param, now, zone
from lib.ui.widgets import show_heading, show_nothing, show_unknown

STATION_WORDS: dict[Station, tuple[str, str]] = {
    Station.SOURCE: ("Sheet", "table_view"),
    Station.TABLE: ("Table", "database"),
    Station.QUEUE: ("Queue", "inbox"),
    Station.VECTOR: ("Vector", "scatter_plot"),
    Station.INDEX: ("Index", "search"),
    Station.EXPORT: ("Export", "file_export"),
}
#: So many of the last attempts that failed come with the worker's log.
LOGS = 3
_COLUMNS = (Column(title="When"), Column(title="Where"), Column(title="What", wide=True), Column(title="Who"), Column(title=""))


@st.fragment(key="trace")
def show_trace() -> None:
    """Find a row by key or phrase, and follow it."""
    asked = bool(st.session_state.get(Params.WHERE) or get_param(Params.ROW))
    with live_block("trace", least_seconds=5.0, moves=asked):
        show_heading("Where is my row?")
        query = st.text_input(
            "Find a row",
            key=Params.WHERE,
            bind="query-params",
            placeholder="its key, how the key begins, or a phrase of its text",
            max_chars=500,
        )
        try:
            entry_id = _choose_row((query or "").strip())
            traced = last_known(f"trace_{entry_id}", lambda: get_client().trace_entry(entry_id)) if entry_id is not None else None
        except ClientError as error:
            show_trouble(describe_error(error, "The row cannot be followed"))
            return
        if traced is not None:
            _show_traced(traced)
        elif entry_id is not None:
            show_unknown("This row")
        elif not query:
            show_nothing(
                "Any row, from its sheet to the index.",
                "Which import brought it, every attempt to embed it, since when it is searchable, and the exports it went into.",
            )


def _choose_row(query: str) -> int | None:
    """The row that is meant: the only one found, the one chosen of several, or the one of the link."""
    chosen = get_param(Params.ROW)
    linked = int(chosen) if chosen and chosen.isascii() and chosen.isdigit() and len(chosen) < 19 else None
    if not query:
        return linked
    matches = last_known(f"find_{query}", lambda: _find(query))
    if matches is None:
        show_unknown("Whether there is such a row")
        return None
    if not matches.items:
        show_nothing("No row matches.", "Neither a key nor a text of the table says this; nor was a row with this key removed lately.")
        return None
    if len(matches.items) == 1:
        return matches.items[0].entry_id
    _show_matches(matches)
    return linked if linked in {match.entry_id for match in matches.items} else None


def _show_matches(matches: TraceMatches) -> None:
    more = " There are more: say it more exactly." if matches.more else ""
    st.html(f'<span class="sy-note">{len(matches.items)} rows match.{more} Which one?</span>')
    for match in matches.items:
        label = f"**{match.key}** {shorten(match.text, 90)}".replace("[", "\\[").replace("$", "\\$")
        st.button(label, key=f"trace_{match.entry_id}", type="tertiary", on_click=_follow, args=(match.entry_id,))


def _follow(entry_id: int) -> None:
    st.query_params[Params.ROW] = str(entry_id)


def _show_traced(traced: EntryTrace) -> None:
    since = f" Since {moment(traced.searchable_since, now=now(), zone=zone())}." if traced.searchable_since else ""
    turn = f"<p>{escape(describe_turn(traced.turn))}</p>" if traced.turn else ""
    st.html(
        f'<div class="sy-box"><p class="sy-what">{icon("route")} {escape(traced.key)}: {escape(traced.where)}{since}</p>'
        f"{turn}<p>{escape(shorten(traced.text, 240))}</p></div>"
    )
    st.html(table(_COLUMNS, [_line(event) for event in traced.events], caption=f"What happened to {traced.key}, oldest first"))
    failed = [event for event in traced.events if event.cause and event.actor and event.at]
    for event in failed[-LOGS:]:
        show_worker_log(event.actor or "", event.at or traced.taken_at)


def _line(event: TraceEvent) -> tuple[str, ...]:
    word, symbol = STATION_WORDS[event.station]
    raw = fold(f'<pre class="sy-log" tabindex="0">{escape(event.raw_error)}</pre>') if event.raw_error else ""
    gap = f"{badge(Mark(Tone.HELD, 'question_mark', 'gap'))} " if event.gap else ""
    link = f'<a href="/?{Params.JOB}={quote(event.job_id)}" target="_self">job</a>' if event.job_id else ""
    return (
        moment(event.at, now=now(), zone=zone()),
        f"{icon(symbol)} {word}",
        f"{gap}{escape(event.text)}{raw}",
        escape(event.actor or "—"),
        link,
    )


@st.cache_data(ttl=10, max_entries=50, show_spinner=False)
def _find(query: str) -> TraceMatches:
    return get_client().find_rows(query)
