"""A search to try the index; what it should have found becomes a golden question with one click."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

import streamlit as st

from lib.client.errors import ClientError
from lib.contract.golden import GoldenQuestion, GoldenRequest
from lib.contract.index import SearchHit, SearchResult
from lib.ui.format import format_duration, plural
from lib.ui.golden import MARKS, known_golden, save_question
from lib.ui.live import connection_gate, is_offline, latest_index
from lib.ui.marks import Tone, badge
from lib.ui.notices import describe_error, show_trouble
from lib.ui.rows import hit_line, lines_beside
from lib.ui.session import Params, get_client
from lib.ui.widgets import show_finding, show_heading, show_nothing

#: How many hits may be asked for.
RESULTS = (5, 10, 20, 50)
_HOW_TO_NARROW = "write a field, “=” and a value, as in <b>category = Billing</b>; part several by commas."


def show_search() -> None:
    """Outside every live block, so that typing is never disturbed."""
    show_heading("Search")
    with st.container(horizontal=True, vertical_alignment="bottom", key="search"):
        text = st.text_input(
            "What are you looking for?", key=Params.QUERY, bind="query-params", placeholder="e.g. customer cannot log in", max_chars=2_000
        )
        count = st.selectbox("Results", RESULTS, index=1, key=Params.RESULTS, bind="query-params", width=100)
        pressed = st.button("Search", icon=":material/search:", type="primary", key="search_button")
    with st.container(horizontal=True, vertical_alignment="bottom", key="narrow"):
        narrow = st.text_input(
            "Only rows where",
            key=Params.NARROW,
            bind="query-params",
            placeholder="category = Billing, owner = Ann",
            max_chars=500,
            width=420,
        )
        beside = st.toggle("Beside the generation before", key="beside", help="The same search in the generation one could go back to")
    if text and text.strip():
        if left_out := not_fields(narrow or ""):
            show_finding(Tone.HELD, f"Not narrowed by “{escape(left_out)}”: {_HOW_TO_NARROW}", symbol="filter_alt_off")
        _show_result(text.strip(), count or 10, fields_of(narrow or ""), beside=bool(beside))
    elif pressed:
        st.html('<span class="sy-why">Write what you are looking for, in your own words.</span>')


def fields_of(narrow: str) -> dict[str, str]:
    """``category = Billing, owner = Ann`` as field and value; what has no “=” is left out."""
    pairs = [part.partition("=") for part in narrow.split(",") if "=" in part]
    return {name.strip(): value.strip() for name, _, value in pairs[:10] if name.strip()}


def not_fields(narrow: str) -> str:
    """What of it narrows nothing, because it is not a field and its value."""
    parts = [part.strip() for part in narrow.split(",")]
    return ", ".join(part for part in parts if part and ("=" not in part or part.startswith("=")))


def describe_fields(fields: dict[str, str]) -> str:
    """“where category = Billing and owner = Ann”; empty without any."""
    return "where " + " and ".join(f"{name} = {value or 'empty'}" for name, value in fields.items()) if fields else ""


def _show_result(text: str, count: int, fields: dict[str, str], *, beside: bool) -> None:
    if is_offline():
        show_nothing(
            "Cannot search now.", "The service does not answer. The search runs again as soon as you press the button after it is back."
        )
        return
    result = _ask(lambda: get_client().search_index(text, count, fields=fields))
    if result is None:
        return
    if result.generation is None:
        show_nothing("There is no index to search yet.", "Import a sheet first; the index is built by itself.")
    elif not result.hits and fields:
        _show_none(text, fields, result)
    elif not result.hits:
        show_nothing("Nothing found.", "The index is empty.")
    elif beside:
        _show_beside(text, count, fields, result)
    else:
        _show_hits(text, result, fields)
        _show_neighbours(result, count)


def _ask(search: Callable[[], SearchResult]) -> SearchResult | None:
    try:
        return search()
    except ClientError as error:
        show_trouble(describe_error(error, "The search was not answered"))
        return None


def _show_none(text: str, fields: dict[str, str], result: SearchResult) -> None:
    """How far was looked, and what the fields are called, because a name or a value may be mistyped."""
    index = latest_index()
    all_of_them = index is not None and result.searched >= index.vectors
    far, rest = ("all", "") if all_of_them else ("the nearest", "; farther ones may be")
    looked = f"Looked through {far} {plural(result.searched, 'row')}: none is one {describe_fields(fields)}{rest}."
    nearest = _ask(lambda: get_client().search_index(text, 1))
    names = sorted(nearest.hits[0].fields) if nearest and nearest.hits else []
    known = f" The nearest row has these fields: {', '.join(names)}." if names else ""
    show_nothing("Nothing found.", f"{looked} Names and values are compared exactly, capitals too.{known}")


def _show_beside(text: str, count: int, fields: dict[str, str], served: SearchResult) -> None:
    """The two generations side by side; each hit says where the other one has it."""
    before = _ask(lambda: get_client().search_index(text, count, fields=fields, generation="previous"))
    if before is None:  # that there is no other one, or that it cannot be asked, takes nothing away from this one
        _show_hits(text, served, fields)
        return
    columns = st.columns(2, gap="medium")
    for column, mine, other in ((columns[0], served, before), (columns[1], before, served)):
        name = "served" if mine is served else "before it"
        rows = lines_beside(mine.hits, other.hits)
        head = f'<div class="sy-name-line">Generation {mine.generation} <span class="sy-note">{name}</span></div>'
        column.html(f'{head}<ol class="sy-hits sy-brief">{rows}</ol>' if rows else f"{head}<p>Nothing found.</p>")


def _show_neighbours(result: SearchResult, count: int) -> None:
    """The rows nearest to one of the hits: why it was found, and what it could be mistaken for."""
    keys = [hit.key for hit in result.hits]
    chosen = st.selectbox("Rows near one of these", keys, index=None, placeholder="Choose a row", key="neighbours_of", width=320)
    if chosen is None:
        return
    near = _ask(lambda: get_client().search_index(None, count, like_key=chosen))
    if near is not None:
        st.html(f'<ol class="sy-hits" aria-label="Rows near {escape(chosen)}">{"".join(hit_line(hit) for hit in near.hits)}</ol>')


def _show_hits(text: str, result: SearchResult, fields: dict[str, str]) -> None:
    narrowed = f" {escape(describe_fields(fields))}, of the {result.searched:,} nearest rows" if fields else ""
    said = f"{plural(len(result.hits), 'hit')}{narrowed} · generation {result.generation} · {format_duration(result.seconds)}"
    st.html(
        f'<div class="sy-note" role="status">{said}. Is one of them what this search must find? <b>Expect this</b> makes it a golden '
        "question, which every new generation is asked.</div>"
    )
    question = next((each for each in known_golden() if each.text.casefold() == text.casefold()), None)
    with st.container(key="hits", gap=None):
        for place, hit in enumerate(result.hits, start=1):
            words, button = st.columns([3.4, 1], vertical_alignment="center", gap="small")  # the label fits at 800 pixels
            words.html(f'<ol class="sy-hits" start="{place}">{hit_line(hit, why_found(text, hit))}</ol>')
            with button, st.container(horizontal=True, horizontal_alignment="right"):
                _show_expect(text, hit, place, question)


def why_found(text: str, hit: SearchHit) -> str:
    """The words both have; without any, only their meaning is near."""
    words = {word.casefold().strip(".,;:!?") for word in text.split()}
    shared = sorted(words & {word.casefold().strip(".,;:!?") for word in hit.text.split()} - {""})
    return f"shares “{', '.join(shared[:6])}”" if shared else "near in meaning only"


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
