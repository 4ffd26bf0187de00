"""Export: which entries and which columns, whatever they are written to. What was chosen is in the URL."""

from __future__ import annotations

from datetime import UTC, date, datetime
from datetime import time as clock
from functools import partial
from html import escape

import streamlit as st

from lib.client.errors import ClientError
from lib.contract.exports import ExportFilter, ExportScope
from lib.contract.states import EntryState
from lib.ui.live import last_known
from lib.ui.marks import icon
from lib.ui.notices import describe_error, show_trouble
from lib.ui.session import Params, get_client, zone
from lib.ui.strange import leave_aside

STATE_WORDS: dict[EntryState, str] = {
    EntryState.EMBEDDED: "embedded",
    EntryState.WAITING: "waiting to be embedded",
    EntryState.FAILED: "failed",
    EntryState.DISCARDED: "discarded",
}


def choose_entries(scope: ExportScope | None) -> ExportFilter:
    """Each choice narrows it further; none of them means everything."""
    text = st.text_input(
        "Only entries whose key or text contains",
        key=Params.CONTAINS,
        bind="query-params",
        placeholder="empty: all entries",
        max_chars=200,
    )
    with st.container(horizontal=True, vertical_alignment="bottom", key="export_filters"):
        words = {word: state for state, word in STATE_WORDS.items()}
        state = st.selectbox(
            "Only those that are", list(words), index=None, placeholder="in any state", key=Params.STATE, bind="query-params", width=200
        )
        if scope:
            leave_aside(Params.FIELD, scope.fields)
        since = st.date_input("Only those changed since", value=None, key=Params.SINCE, bind="query-params", width=200)
        name = st.selectbox(
            "Only those whose field",
            scope.fields if scope else [],
            index=None,
            placeholder="has any value",
            key=Params.FIELD,
            bind="query-params",
            width=200,
        )
        value = st.text_input("is exactly", key=Params.VALUE, bind="query-params", max_chars=200, width=200) if name else ""
    if name and not value:
        hint = f"Type which value “{escape(name)}” must have: until then this narrows nothing."
        st.html(f'<span class="sy-why">{icon("edit")} <span>{hint}</span></span>')
    return ExportFilter(
        text=(text or "").strip() or None,
        fields={name: value} if name and value else {},
        state=words.get(state or ""),
        updated_since=_beginning_of(since),
    )


def _beginning_of(day: date | None) -> datetime | None:
    """Midnight where the person sits."""
    return datetime.combine(day, clock.min, tzinfo=zone()).astimezone(UTC) if isinstance(day, date) else None


def choose_columns(scope: ExportScope | None) -> list[str] | None:
    """None means all of them."""
    names = [*scope.text, *scope.fields] if scope else []
    if scope:
        leave_aside(Params.COLUMNS, names)
    chosen = st.multiselect(
        "Only these columns, beside the key",
        names,
        key=Params.COLUMNS,
        bind="query-params",
        placeholder="empty: all columns",
    )
    return chosen or None


def read_scope(wanted: ExportFilter) -> ExportScope | None:
    """What the filter matches; None while nobody knows."""
    try:
        return last_known(f"scope_{wanted!r}", partial(_fetch_scope, wanted.model_dump_json()))
    except ClientError as error:
        show_trouble(describe_error(error, "The entries cannot be counted"))
        return None


@st.cache_data(ttl=5, max_entries=50, show_spinner=False)
def _fetch_scope(wanted: str) -> ExportScope:
    return get_client().get_export_scope(ExportFilter.model_validate_json(wanted))
