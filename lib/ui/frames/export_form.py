"""Export: where to, which entries, which columns, and the button. What was chosen is in the URL, so a link shows the same."""

from __future__ import annotations

from datetime import UTC, date, datetime
from datetime import time as clock
from functools import partial

import streamlit as st

from lib.client.errors import ClientError
from lib.contract.events import Topic
from lib.contract.exports import (
    XLSX_MAX_CELL_CHARACTERS,
    XLSX_MAX_ROWS,
    ExportFilter,
    ExportFormat,
    ExportRequest,
    ExportScope,
    FileTarget,
)
from lib.contract.operations import Gate
from lib.contract.states import EntryState, Operation
from lib.ui.format import format_count, plural
from lib.ui.gates import WhenFree, gated_button, show_intentions
from lib.ui.live import gate_of, last_known, latest_jobs, live_block
from lib.ui.marks import Tile, Tone, tiles
from lib.ui.notices import attempt, describe_error, notify, show_trouble, start_key
from lib.ui.session import Params, get_client, zone
from lib.ui.widgets import show_active_job, show_finding, show_heading

_XLSX_LIMITS = (
    f"At most {XLSX_MAX_ROWS:,} entries and {XLSX_MAX_CELL_CHARACTERS:,} characters in a cell: "
    "if one is longer, the export stops and names it; nothing is cut."
)
#: What each format is called, and what a person should know before choosing it.
FORMAT_WORDS: dict[ExportFormat, tuple[str, str]] = {
    ExportFormat.CSV: ("CSV", "Plain text that every program reads. Holds cells of any length."),
    ExportFormat.XLSX: ("XLSX", f"For Excel and its like: every cell is text, so no zero or date is lost. {_XLSX_LIMITS}"),
    ExportFormat.PARQUET: ("Parquet", "Small and quick, for data tools. Every column is text, cells of any length."),
}
STATE_WORDS: dict[EntryState, str] = {
    EntryState.EMBEDDED: "embedded",
    EntryState.WAITING: "waiting to be embedded",
    EntryState.FAILED: "failed",
    EntryState.DISCARDED: "discarded",
}


def show_export_form() -> None:
    """What to write and how; outside every live block, so that typing is never disturbed."""
    show_heading("What to write", Topic.QUEUE)
    with st.container(border=True, key="export_form"):
        target = _choose_target()
        left, right = st.columns([2, 1], gap="medium")
        with left:
            everything = _read_scope(ExportFilter())
            wanted = _choose_entries(everything)
            columns = _choose_columns(everything)
        scope = _read_scope(wanted)
        with right:
            st.html(tiles(_count(scope, columns)))
            _warn_of_length(target, scope)
        _show_start(target, ExportRequest(target=target, filter=wanted, columns=columns), scope)


def _choose_target() -> FileTarget:
    words = {FORMAT_WORDS[each][0]: each for each in ExportFormat}
    chosen = st.segmented_control("Format", list(words), default="CSV", required=True, key=Params.FORMAT, bind="query-params")
    written_as = words.get(chosen or "", ExportFormat.CSV)
    st.html(f'<span class="sy-note">{FORMAT_WORDS[written_as][1]}</span>')
    if written_as is ExportFormat.PARQUET:
        return FileTarget(format=written_as)
    safe = st.checkbox(
        "Disarm cells that a spreadsheet would run as a formula",
        value=True,
        key="spreadsheet_safe",
        help="Cells that begin with = + - @ get a leading apostrophe; the import takes it away again.",
    )
    return FileTarget(format=written_as, spreadsheet_safe=safe)


def _choose_entries(scope: ExportScope | None) -> ExportFilter:
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
        if name:
            value = st.text_input("is exactly", key=Params.VALUE, bind="query-params", max_chars=200, width=200)
    return ExportFilter(
        text=(text or "").strip() or None,
        fields={name: value} if name else {},
        state=words.get(state or ""),
        updated_since=_beginning_of(since),
    )


def _beginning_of(day: date | None) -> datetime | None:
    """Midnight where the person sits."""
    return datetime.combine(day, clock.min, tzinfo=zone()).astimezone(UTC) if isinstance(day, date) else None


def _choose_columns(scope: ExportScope | None) -> list[str] | None:
    names = [*scope.text, *scope.fields] if scope else []
    chosen = st.multiselect(
        "Only these columns, beside the key",
        names,
        key=Params.COLUMNS,
        bind="query-params",
        placeholder="empty: all columns",
    )
    return chosen or None


def _count(scope: ExportScope | None, columns: list[str] | None) -> list[Tile]:
    matching = scope.matching if scope else None
    note = (
        "entries: all of them" if scope and scope.matching == scope.total else f"of {format_count(scope.total if scope else None)} entries"
    )
    width = 1 + len(columns or [*scope.text, *scope.fields]) if scope else None
    return [
        Tile(label="To write", value=format_count(matching), note=note),
        Tile(label="Columns", value=format_count(width), note="the key and what you chose" if columns else "all there are"),
    ]


def _warn_of_length(target: FileTarget, scope: ExportScope | None) -> None:
    if target.format is ExportFormat.XLSX and scope and scope.maybe_too_long:
        words = (
            f"{plural(scope.maybe_too_long, 'entry holds', 'entries hold')} more than {XLSX_MAX_CELL_CHARACTERS:,} characters. "
            "If one cell does, XLSX cannot hold it: the export will stop and name it. CSV and Parquet can."
        )
        show_finding(Tone.HELD, words, symbol="warning")


@st.fragment(key="export_start")
def _show_start(target: FileTarget, request: ExportRequest, scope: ExportScope | None) -> None:
    with live_block("export_start"):
        jobs = latest_jobs()
        running = [job for job in jobs.active if job.operation is Operation.EXPORT] if jobs else []
        for job in running:
            show_active_job(job, key="exporting")
        gate = gate_of(Operation.EXPORT)
        if gate.allowed and scope is not None and not scope.matching:
            gate = Gate(allowed=False, reason_text="No entry matches: there is nothing to write.")
        when_free = WhenFree(Operation.EXPORT, request)
        label = f"Export to {FORMAT_WORDS[target.format][0]}"
        if gated_button(label, gate, key="start_export", icon_name="download", primary=True, when_free=when_free):
            job_id = attempt(
                lambda: get_client().start_export(request, start_key(f"export-{request!r}")), failing="The export was not started"
            )
            if job_id is not None:
                notify("Export started; its file appears below.", link=f"/?{Params.JOB}={job_id}")
            st.rerun()
        show_intentions(Operation.EXPORT, key="export")


def _read_scope(wanted: ExportFilter) -> ExportScope | None:
    try:
        return last_known(f"scope_{wanted!r}", partial(_fetch_scope, wanted.model_dump_json()))
    except ClientError as error:
        show_trouble(describe_error(error, "The entries cannot be counted"))
        return None


@st.cache_data(ttl=5, max_entries=50, show_spinner=False)
def _fetch_scope(wanted: str) -> ExportScope:
    return get_client().get_export_scope(ExportFilter.model_validate_json(wanted))
