"""A search to try the index; what it should have found becomes a golden question with one click."""

from __future__ import annotations

from html import escape

import streamlit as st

from lib.client.errors import ClientError
from lib.contract.golden import GoldenQuestion, GoldenRequest
from lib.contract.index import SearchHit, SearchResult
from lib.ui.format import format_duration, format_score, plural
from lib.ui.golden import MARKS, known_golden, save_question
from lib.ui.live import connection_gate, is_offline
from lib.ui.marks import badge
from lib.ui.notices import describe_error, show_trouble
from lib.ui.session import Params, get_client
from lib.ui.widgets import show_heading, show_nothing


def show_search() -> None:
    """Outside every live block, so that typing is never disturbed."""
    show_heading("Search")
    with st.container(horizontal=True, vertical_alignment="bottom", key="search"):
        text = st.text_input(
            "What are you looking for?", key=Params.QUERY, bind="query-params", placeholder="e.g. customer cannot log in", max_chars=2_000
        )
        count = st.selectbox("Results", [5, 10, 20, 50], index=1, key="k", width=100)
        st.button("Search", icon=":material/search:", type="primary", key="search_button")
    if text and text.strip():
        _show_result(text.strip(), count or 10)


def _show_result(text: str, count: int) -> None:
    if is_offline():
        show_nothing(
            "Cannot search now.", "The service does not answer. The search runs again as soon as you press the button after it is back."
        )
        return
    try:
        result = get_client().search_index(text, count)
    except ClientError as error:
        show_trouble(describe_error(error, "The search was not answered"))
        return
    if result.generation is None:
        show_nothing("There is no index to search yet.", "Import a sheet first; the index is built by itself.")
    elif not result.hits:
        show_nothing("Nothing found.", "The index is empty.")
    else:
        _show_hits(text, result)


def _show_hits(text: str, result: SearchResult) -> None:
    said = f"{plural(len(result.hits), 'hit')} · generation {result.generation} · {format_duration(result.seconds)}"
    st.html(
        f'<div class="sy-note" role="status">{said}. Is one of them what this search must find? <b>Expect this</b> makes it a golden '
        "question, which every new generation is asked.</div>"
    )
    question = next((each for each in known_golden() if each.text.casefold() == text.casefold()), None)
    with st.container(key="hits", gap=None):
        for place, hit in enumerate(result.hits, start=1):
            words, button = st.columns([6, 1], vertical_alignment="center", gap="small")
            words.html(f'<ol class="sy-hits" start="{place}">{_hit(hit)}</ol>')
            with button, st.container(horizontal=True, horizontal_alignment="right"):
                _show_expect(text, hit, place, question)


def _hit(hit: SearchHit) -> str:
    fields = " · ".join(f"{escape(name)}: {escape(value)}" for name, value in hit.fields.items() if value)
    return (
        f'<li><span class="sy-score" title="cosine">{format_score(hit.score)}</span><span><b>{escape(hit.key)}</b> {escape(hit.text)}'
        f'<br><span class="sy-note">{fields}</span></span></li>'
    )


def _show_expect(text: str, hit: SearchHit, place: int, question: GoldenQuestion | None) -> None:
    """One click: this row must be found by this search from now on."""
    if question is not None and hit.key in question.expected_keys:
        st.html(badge(MARKS.expected), width="content")
        return
    if not connection_gate().allowed:
        return
    request = GoldenRequest(
        text=text, expected_keys=[*(question.expected_keys if question else []), hit.key], k=question.k if question else 10
    )
    label = "Expect too" if question else "Expect this"
    words = f"Make it a golden question that “{hit.key}” is found by this search"
    if st.button(label, key=f"expect_{place}", icon=":material/flag:", help=words):
        save_question(request, question)
        st.rerun()
