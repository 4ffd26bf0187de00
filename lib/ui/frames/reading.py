"""Import, second step: how an uploaded file was read, and the ways to put that right. What was chosen is in the URL."""

from __future__ import annotations

import re
from functools import partial
from html import escape
from typing import cast, get_args

import streamlit as st

from lib.client.errors import Answered, ClientError
from lib.contract.imports import ENCODINGS, Delimiter, Encoding, FileSource, SheetColumns
from lib.contract.states import SheetFormat
from lib.ui.format import format_delimiter
from lib.ui.frames.mapping import show_choices, show_sample_rows
from lib.ui.live import last_known
from lib.ui.marks import Tone
from lib.ui.notices import Trouble, describe_error, show_trouble
from lib.ui.session import Params, get_client, get_param
from lib.ui.starts import SAMPLE_UPLOAD, upload_sample
from lib.ui.widgets import show_finding, show_heading, show_unknown

_MOST_HEADER_ROW, _MOST_TAB_CHARACTERS = 1000, 200


def show_file() -> None:
    """The uploaded file of the URL: how it was read, its first rows, and what each column is."""
    upload_id = get_param(Params.UPLOAD) or ""
    if upload_id == SAMPLE_UPLOAD:
        upload_sample()
    if not re.fullmatch("[0-9a-f]{32}", upload_id):
        what, action = "The columns of this file cannot be shown", "Upload the file again, or ask for the link anew."
        show_trouble(Trouble(what, "The link names no uploaded file.", action))
        return
    said = _source_of_url(upload_id)
    try:
        columns = last_known(f"columns_{said}", partial(_get_columns, said))
    except ClientError as error:
        show_trouble(describe_error(error, "The columns of this file cannot be shown"))
        if isinstance(error, Answered) and error.code == "unreadable_source":
            show_heading("Read it in another way", note="for text files; what is wrong with others only another file can mend")
            _choose_dialect(said.encoding or "utf-8", said.delimiter, said.header_row or 1)
        return
    if columns is None:
        show_unknown("The columns of this file")
        return
    _show_how_read(columns)
    if not columns.columns:
        show_finding(Tone.HELD, "<b>Choose the tab to read.</b> A workbook’s tab is never guessed.", symbol="tab")
        return
    show_sample_rows(columns)
    read = columns.read_as
    show_choices(
        columns,
        FileSource(
            upload_id=upload_id,
            sheet=read.tab,
            encoding=cast("Encoding | None", read.encoding),
            delimiter=cast("Delimiter | None", read.delimiter),
            header_row=read.header_row,
        ),
    )


def _source_of_url(upload_id: str) -> FileSource:
    """What the URL says about the file; what it says wrongly does not count."""
    encoding, delimiter, row = get_param(Params.ENCODING), get_param(Params.DELIMITER), get_param(Params.HEADER)
    return FileSource(
        upload_id=upload_id,
        sheet=(get_param(Params.SHEET) or "")[:_MOST_TAB_CHARACTERS] or None,
        encoding=cast("Encoding", encoding) if encoding in get_args(Encoding) else None,
        delimiter=cast("Delimiter", delimiter) if delimiter in get_args(Delimiter) else None,
        header_row=int(row) if row and row.isdecimal() and 1 <= int(row) <= _MOST_HEADER_ROW else None,
    )


def _show_how_read(columns: SheetColumns) -> None:
    """The choices this kind of file has, as they were found out, each of them correctable."""
    read = columns.read_as
    if read.format is SheetFormat.CSV:
        if read.doubtful:
            show_finding(
                Tone.HELD,
                f"<b>This file is not UTF-8.</b> It is shown as {escape(ENCODINGS[read.encoding or ''])}: look at the accents in the rows "
                "below, and choose another encoding if they are wrong.",
                symbol="translate",
            )
        _choose_dialect(read.encoding or "utf-8", read.delimiter, read.header_row)
    elif read.format is SheetFormat.XLSX:
        left, right = st.columns([3, 1], gap="medium")
        with left:
            place = columns.tabs.index(read.tab) if read.tab in columns.tabs else None
            tab = st.selectbox("Tab", columns.tabs, index=place, key=f"read_tab_{read.tab}", placeholder="Choose the tab to read")
        with right:
            row = _choose_header_row(read.header_row)
        _say({Params.SHEET: (tab, read.tab), Params.HEADER: (row, read.header_row)})


def _choose_dialect(encoding: str, delimiter: str | None, header_row: int) -> None:
    """Encoding, delimiter and header row of a text file."""
    one, two, three = st.columns([2, 1, 1], gap="medium")
    encodings, delimiters = list(ENCODINGS), list(get_args(Delimiter))
    with one:
        place = encodings.index(encoding) if encoding in encodings else None
        chosen = st.selectbox("Encoding", encodings, index=place, format_func=ENCODINGS.__getitem__, key=f"read_encoding_{encoding}")
    with two:
        place = delimiters.index(delimiter) if delimiter in delimiters else None
        parted = st.selectbox(
            "Delimiter", delimiters, index=place, format_func=format_delimiter, key=f"read_delimiter_{delimiter}", placeholder="Found out"
        )
    with three:
        row = _choose_header_row(header_row)
    _say(
        {
            Params.ENCODING: (chosen, encoding),
            Params.DELIMITER: (parted, delimiter),
            Params.HEADER: (row, header_row),
        }
    )


def _choose_header_row(header_row: int) -> int:
    return int(st.number_input("Header in row", min_value=1, max_value=_MOST_HEADER_ROW, value=header_row, key=f"read_header_{header_row}"))


def _say(choices: dict[str, tuple[str | int | None, str | int | None]]) -> None:
    """Put what was chosen otherwise than it was read into the URL, and read again."""
    said = {name: str(chosen) for name, (chosen, read) in choices.items() if chosen is not None and chosen != read}
    # Said before and read otherwise all the same (a byte-order mark outranks "UTF-8"): to say it again would never end.
    said = {name: value for name, value in said.items() if get_param(name) != value}
    if said:
        if Params.SHEET in said:
            st.query_params.pop(Params.HEADER, None)  # of the other tab
        for name, value in said.items():
            st.query_params[name] = value
        st.rerun()


@st.cache_data(ttl=300, max_entries=50, show_spinner="Reading the file …")
def _get_columns(source: FileSource) -> SheetColumns:
    return get_client().get_upload_columns(source)
