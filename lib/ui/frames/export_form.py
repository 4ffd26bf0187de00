"""Export: where to, which entries, which columns, and the button. What was chosen is in the URL, so a link shows the same."""

from __future__ import annotations

import streamlit as st

from lib.contract.events import Topic
from lib.contract.export_plans import ExportPreviewRequest
from lib.contract.exports import (
    XLSX_MAX_CELL_CHARACTERS,
    XLSX_MAX_ROWS,
    ExportFilter,
    ExportFormat,
    ExportRequest,
    ExportScope,
    FileTarget,
    SheetTarget,
)
from lib.contract.operations import Gate
from lib.contract.states import Operation
from lib.ui.format import format_count, plural
from lib.ui.frames.export_scope import choose_columns, choose_entries, read_scope
from lib.ui.frames.export_sheet import GOOGLE_SHEET, choose_sheet, start_comparison
from lib.ui.gates import WhenFree, gated_button, show_intentions
from lib.ui.live import gate_of, latest_jobs, live_block
from lib.ui.marks import Tile, Tone, tiles
from lib.ui.notices import attempt, notify, start_key
from lib.ui.session import Params, get_client
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
#: The words are also their values in the URL.
A_FILE = "A file"


def show_export_form() -> None:
    """What to write and where to; outside every live block, so that typing is never disturbed."""
    show_heading("What to write", Topic.QUEUE)
    with st.container(border=True, key="export_form"):
        where = st.segmented_control(
            "Write to", [A_FILE, GOOGLE_SHEET], default=A_FILE, required=True, key=Params.TARGET, bind="query-params"
        )
        target, missing = choose_sheet() if where == GOOGLE_SHEET else (_choose_file(), None)
        left, right = st.columns([2, 1], gap="medium")
        with left:
            everything = read_scope(ExportFilter())
            wanted = choose_entries(everything)
            columns = choose_columns(everything)
        scope = read_scope(wanted)
        with right:
            st.html(tiles(_count(scope, columns)))
            _warn_of_length(target, scope)
        if isinstance(target, FileTarget):
            _show_start(target, ExportRequest(target=target, filter=wanted, columns=columns), scope)
        else:
            request = ExportPreviewRequest(target=target, filter=wanted, columns=columns) if target else None
            _show_compare(request, missing, scope)


def _choose_file() -> FileTarget:
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


def _warn_of_length(target: FileTarget | SheetTarget | None, scope: ExportScope | None) -> None:
    if isinstance(target, FileTarget) and target.format is ExportFormat.XLSX and scope and scope.maybe_too_long:
        words = (
            f"{plural(scope.maybe_too_long, 'entry holds', 'entries hold')} more than {XLSX_MAX_CELL_CHARACTERS:,} characters. "
            "If one cell does, XLSX cannot hold it: the export will stop and name it. CSV and Parquet can."
        )
        show_finding(Tone.HELD, words, symbol="warning")


@st.fragment(key="export_start")
def _show_start(target: FileTarget, request: ExportRequest, scope: ExportScope | None) -> None:
    with live_block("export_start"):
        _show_running(Operation.EXPORT)
        gate = _narrow(gate_of(Operation.EXPORT), scope)
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


@st.fragment(key="export_compare")
def _show_compare(request: ExportPreviewRequest | None, missing: Gate | None, scope: ExportScope | None) -> None:
    """The first step to a sheet: nothing is written before somebody has seen the plan."""
    with live_block("export_compare"):
        _show_running(Operation.EXPORT, Operation.COMPARE)
        gate = gate_of(Operation.COMPARE)
        gate = _narrow(missing or gate if gate.allowed else gate, scope)
        if gated_button("Compare with the sheet", gate, key="compare_sheet", icon_name="difference", primary=True) and request:
            start_comparison(request)
        st.html('<span class="sy-note">Nothing is written yet: first you see every cell that would change, and decide.</span>')


def _show_running(*operations: Operation) -> None:
    jobs = latest_jobs()
    for job in jobs.active if jobs else ():
        if job.operation in operations:
            show_active_job(job, key="exporting")


def _narrow(gate: Gate, scope: ExportScope | None) -> Gate:
    """What the choices on this page leave to be written."""
    if gate.allowed and scope is not None and not scope.matching:
        return Gate(allowed=False, reason_text="No entry matches: there is nothing to write.")
    return gate
