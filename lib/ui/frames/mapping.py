"""Import, second step: which column is what, prefilled with what was suggested and how sure that is. For every kind of source."""

from __future__ import annotations

import hashlib
from html import escape

import streamlit as st

from lib.contract.imports import ColumnMapping, ColumnSuggestion, PreviewRequest, SheetColumns, Source
from lib.contract.operations import Gate
from lib.contract.states import ImportMode, Operation
from lib.ui.format import plural
from lib.ui.gates import gated_button
from lib.ui.live import gate_of, live_block
from lib.ui.marks import CONFIDENCE_MARKS, Column, Tone, badge, table
from lib.ui.plans import MODE_WORDS, describe_reading
from lib.ui.starts import start_preview
from lib.ui.widgets import show_finding, show_heading

USE_WORDS = {"key": "Key", "text": "Text", "field": "Field", "nothing": "Left out"}


def show_sample_rows(columns: SheetColumns) -> None:
    """The first rows as they were read, and how."""
    note = f"{describe_reading(columns.read_as)}, {plural(len(columns.columns), 'column')}"
    show_heading("The sheet as it was read", note=note)
    st.dataframe(
        {name: [row[place] if place < len(row) else "" for row in columns.sample] for place, name in enumerate(columns.columns)},
        hide_index=True,
        key="sample_rows",
        height=min(38 + 35 * max(1, len(columns.sample)), 290),
        alt="The first rows of the sheet",
    )


def show_choices(columns: SheetColumns, source: Source) -> None:
    """Mapping, mode, and the button that makes the plan."""
    # The widgets belong to this sheet read in this way: read in another one, they start from its own suggestion.
    ident = hashlib.sha256(repr((source, columns.columns)).encode()).hexdigest()[:8]
    if columns.missing:
        gone = ", ".join(f"<b>{escape(name)}</b>" for name in columns.missing)
        show_finding(
            Tone.HELD,
            f"The last import of this source used {gone}, which this sheet lacks. If it was renamed, choose its new name below; "
            "if this is another sheet, start over.",
            symbol="warning",
        )
    mapping, problem = _choose_mapping(columns, ident)
    if columns.suggestions:
        with st.expander("Why these were suggested", icon=":material/lightbulb:"):
            st.html(_suggestion_table(columns.suggestions))
    mode = _choose_mode(ident)
    _show_preview_button(source, mapping, mode, problem)


def _choose_mapping(columns: SheetColumns, ident: str) -> tuple[ColumnMapping | None, str]:
    """The three choices, prefilled with the suggestion; what is still missing, in words."""
    suggested = columns.suggested
    show_heading("What each column is", note=_how_sure(columns.suggestions))
    one, two, three = st.columns(3, gap="medium")
    with one:
        place = columns.columns.index(suggested.key) if suggested and suggested.key in columns.columns else None
        key = st.selectbox("Key", columns.columns, index=place, key=f"map_key_{ident}", placeholder="Choose the key column")
        st.html('<span class="sy-note">Tells rows apart: the same key means the same entry.</span>')
    with two:
        text = st.multiselect("Text", columns.columns, default=suggested.text if suggested else [], key=f"map_text_{ident}")
        st.html('<span class="sy-note">What is embedded and searched, in this order.</span>')
    with three:
        fields = st.multiselect("Fields", columns.columns, default=suggested.fields if suggested else [], key=f"map_fields_{ident}")
        st.html('<span class="sy-note">Kept with the entry and shown with a hit; not embedded.</span>')
    used = [name for name in (key, *text, *fields) if name]
    twice = sorted({name for name in used if used.count(name) > 1})
    if key is None:
        return None, "Choose the key column first: without one, rows cannot be told apart."
    if not text:
        return None, "Choose at least one text column first: it is what people search."
    if twice:
        return None, f"Each column may be used once; used twice: {', '.join(twice)}."
    return ColumnMapping(key=key, text=text, fields=fields), ""


def _how_sure(suggestions: list[ColumnSuggestion]) -> str:
    """The note of the heading: as last time, or how many columns are no more than a guess."""
    kinds = {each.confidence.value for each in suggestions}
    if kinds == {"remembered"}:
        return f"{suggestions[0].why}; change what is wrong"
    guesses = [each.column for each in suggestions if each.confidence.value == "guess"]
    if guesses:
        return f"suggested from names and cells; look twice at {', '.join(guesses)}"
    return "suggested from names and cells; change what is wrong"


def _suggestion_table(suggestions: list[ColumnSuggestion]) -> str:
    columns = (Column(title="Column"), Column(title="Suggested as"), Column(title="How sure"), Column(title="Because", wide=True))
    rows = [
        (f"<b>{escape(each.column)}</b>", USE_WORDS[each.use], badge(CONFIDENCE_MARKS[each.confidence]), escape(each.why))
        for each in suggestions
    ]
    return table(columns, rows, caption="What each column was suggested to be, and why")


def _choose_mode(ident: str) -> ImportMode:
    chosen = st.radio(
        "Entries that the sheet lacks",
        list(ImportMode),
        format_func=lambda mode: f"**{MODE_WORDS[mode][0]}**: {MODE_WORDS[mode][1]}",
        key=f"map_mode_{ident}",
    )
    return chosen or ImportMode.MERGE


@st.fragment(key="preview_button")
def _show_preview_button(source: Source, mapping: ColumnMapping | None, mode: ImportMode, problem: str) -> None:
    with live_block("preview_button"):
        gate = gate_of(Operation.PREVIEW)
        if gate.allowed and problem:
            gate = Gate(allowed=False, reason_text=problem)
        if gated_button("Preview what would change", gate, key="preview", icon_name="preview", primary=True) and mapping is not None:
            start_preview(PreviewRequest(source=source, mapping=mapping, mode=mode))
