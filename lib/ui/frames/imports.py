"""Import: choose a sheet, map its columns, review the plan, apply it. Where one stands is in the URL, so a link shows the same."""

from __future__ import annotations

from enum import IntEnum
from functools import partial

import streamlit as st

from lib.client.errors import ClientError
from lib.contract.imports import (
    MAX_CELL_CHARACTERS,
    MAX_COLUMNS,
    ColumnMapping,
    FileSource,
    PreviewRequest,
    SheetColumns,
)
from lib.contract.operations import Gate
from lib.contract.settings import SETTINGS
from lib.contract.states import ImportMode, Operation
from lib.ui.format import plural
from lib.ui.gates import gated_button
from lib.ui.live import gate_of, last_known, latest_settings, live_block
from lib.ui.notices import describe_error, show_trouble
from lib.ui.plans import MODE_WORDS, describe_reading
from lib.ui.session import Params, get_client, get_param, go_to
from lib.ui.starts import SAMPLE_UPLOAD, show_sample_button, start_preview, upload_sample
from lib.ui.uploader import show_uploader
from lib.ui.widgets import show_heading, show_unknown


class Step(IntEnum):
    """Where one stands on the way from a sheet to the table."""

    CHOOSE = 0
    MAP = 1
    REVIEW = 2
    APPLY = 3


STEP_WORDS = {Step.CHOOSE: "Choose", Step.MAP: "Map columns", Step.REVIEW: "Review", Step.APPLY: "Apply"}


def show_steps() -> Step:
    """Draw the four steps; which of them the URL names: a job, else a plan, else an upload, else the beginning."""
    step = (
        Step.APPLY
        if get_param(Params.JOB)
        else Step.REVIEW
        if get_param(Params.PLAN)
        else Step.MAP
        if get_param(Params.UPLOAD)
        else Step.CHOOSE
    )
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.html(step_list(step), width="content")
        if step is not Step.CHOOSE:
            st.button("Start over", icon=":material/restart_alt:", key="start_over", on_click=go_to, type="tertiary")
    return step


def step_list(step: Step) -> str:
    """The four steps, with the present one marked for eye and ear."""
    items = []
    for number, name in STEP_WORDS.items():
        kind = "sy-past" if number < step else "sy-now" if number == step else ""
        current = ' aria-current="step"' if number == step else ""
        items.append(f'<li class="{kind}"{current}><span class="sy-dot">{number + 1}</span>{name}</li>')
    return f'<ol class="sy-steps">{"".join(items)}</ol>'


# 1 · Choose


def show_choice() -> None:
    """Where a sheet may come from, limits first."""
    limit_mib = _limit_mib()
    left, right = st.columns([3, 2], gap="medium")
    with left, st.container(border=True, height="stretch", key="choose_file"):
        show_heading("Your own sheet")
        st.html(
            f'<span class="sy-note">CSV with a header row, at most {limit_mib:,} MiB, {MAX_COLUMNS} columns, '
            f"{MAX_CELL_CHARACTERS:,} characters per cell. "
            "Encoding and delimiter are recognised and shown. Nothing is written before you have seen the plan.</span>"
        )
        upload_id = show_uploader(limit_mib << 20)
        if upload_id is not None:
            go_to(upload=upload_id)
            st.rerun()
    with right, st.container(border=True, height="stretch", key="choose_sample"):
        show_heading("The sample sheet")
        st.html(
            '<span class="sy-note">A support team’s playbook of about 150 entries: key, title, advice, category, owner, updated. '
            "It takes the same road as your own sheet.</span>"
        )
        _show_sample()


@st.fragment(key="sample")
def _show_sample() -> None:
    with live_block("sample"):
        show_sample_button()


def _limit_mib() -> int:
    settings = latest_settings()
    value = settings.value_of("import.max_upload_mib") if settings else SETTINGS["import.max_upload_mib"].default
    return int(value)


# 2 · Map columns


def show_mapping() -> None:
    """Which column is what, prefilled with the suggestion."""
    upload_id = get_param(Params.UPLOAD) or ""
    if upload_id == SAMPLE_UPLOAD:
        upload_sample()
    try:
        columns = last_known(f"columns_{upload_id}", partial(_get_columns, upload_id))
    except ClientError as error:
        show_trouble(describe_error(error, "The columns of this file cannot be shown"))
        return
    if columns is None:
        show_unknown("The columns of this file")
        return
    show_heading(
        "The sheet as it was read",
        note=f"{describe_reading(columns.read_as)}, {plural(len(columns.columns), 'column')}",
    )
    st.dataframe(
        {name: [row[place] if place < len(row) else "" for row in columns.sample] for place, name in enumerate(columns.columns)},
        hide_index=True,
        key="sample_rows",
        height=min(38 + 35 * max(1, len(columns.sample)), 290),
        alt="The first rows of the sheet",
    )
    mapping, problem = _choose_mapping(upload_id, columns)
    mode = _choose_mode(upload_id)
    _show_preview_button(upload_id, mapping, mode, problem)


def _choose_mapping(upload_id: str, columns: SheetColumns) -> tuple[ColumnMapping | None, str]:
    """The three choices, prefilled with the suggestion; what is still missing, in words."""
    suggested = columns.suggested
    show_heading("What each column is", note="suggested from the header; change what is wrong")
    one, two, three = st.columns(3, gap="medium")
    ident = upload_id[:8]
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
        return None, "Choose the key column first."
    if not text:
        return None, "Choose at least one text column first."
    if twice:
        return None, f"Each column may be used once; used twice: {', '.join(twice)}."
    return ColumnMapping(key=key, text=text, fields=fields), ""


def _choose_mode(upload_id: str) -> ImportMode:
    chosen = st.radio(
        "Entries that the sheet lacks",
        list(ImportMode),
        format_func=lambda mode: f"**{MODE_WORDS[mode][0]}**: {MODE_WORDS[mode][1]}",
        key=f"map_mode_{upload_id[:8]}",
    )
    return chosen or ImportMode.MERGE


@st.fragment(key="preview_button")
def _show_preview_button(upload_id: str, mapping: ColumnMapping | None, mode: ImportMode, problem: str) -> None:
    with live_block("preview_button"):
        gate = gate_of(Operation.PREVIEW)
        if gate.allowed and problem:
            gate = Gate(allowed=False, reason_text=problem)
        if gated_button("Preview what would change", gate, key="preview", icon_name="preview", primary=True) and mapping is not None:
            start_preview(PreviewRequest(source=FileSource(upload_id=upload_id), mapping=mapping, mode=mode))


@st.cache_data(ttl=300, max_entries=50, show_spinner=False)
def _get_columns(upload_id: str) -> SheetColumns:
    return get_client().get_upload_columns(FileSource(upload_id=upload_id))
