"""Workbooks and Parquet files: what they say as text, and what hostile ones end in."""

from __future__ import annotations

import datetime as dt
import io
import zipfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.contract.imports import FileSource
from lib.contract.jobs import JobFailure
from lib.contract.states import SheetFormat
from lib.service.sheets import packed_file
from lib.service.sheets.opening import detect_format, open_file
from lib.service.sheets.packed_file import PackedSheet
from lib.service.sheets.reading import UnreadableSheet
from tests.service.sheets.books import parquet_file, swap_part, workbook

Read = Callable[..., tuple[PackedSheet, list[tuple[int, list[str]]]]]
HEAD = ["id", "text"]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def read_file(content: bytes, name: str = "sheet.xlsx", **said: Any) -> tuple[PackedSheet, list[tuple[int, list[str]]]]:
        path = tmp_path / "upload"
        path.write_bytes(content)
        with open_file(path, FileSource(upload_id="a" * 32, **said), name) as sheet:
            assert isinstance(sheet, PackedSheet)
            return sheet, [(record.row, record.cells) for record in sheet.records()]

    return read_file


def test_the_cells_of_a_workbook_are_text_as_the_person_sees_it(read: Read) -> None:
    cells = ["007", "12345678901234567890", "NA", "null", "1.50", " padded ", "2026-01-02", "two\nlines", "🐎", "x" * 32_000]
    sheet, records = read(workbook({"Data": [HEAD, *(["k", cell] for cell in cells)]}))
    assert [row[1] for _, row in records] == cells
    assert (sheet.header, sheet.read_as.tab, sheet.read_as.notes) == (HEAD, "Data", [])


def test_what_is_no_text_is_taken_by_its_plain_value_and_said(read: Read) -> None:
    rows = [["id", "value"], [7.0, 501], [8, 0.25], [9, True], ["ten", dt.date(2026, 1, 2)]]
    sheet, records = read(workbook({"Data": rows}))
    assert [cells for _, cells in records] == [["7", "501"], ["8", "0.25"], ["9", "TRUE"], ["ten", "2026-01-02"]]
    assert sheet.read_as.notes == [
        "Column id: 3 numbers, taken by their plain value, as in 12.5, 2026-03-01, 9:30:00 or TRUE.",
        "Column value: 2 numbers, 1 truth, 1 date, taken by their plain value, as in 12.5, 2026-03-01, 9:30:00 or TRUE.",
    ]


#: number format → value → what the person sees
SHOWN: dict[str, dict[float, str]] = {
    "00000": {501: "00501", 7.5: "00008", -3: "-00003", 1234567: "1234567"},
    "0.00": {1.005: "1.01", 2: "2.00", -0.001: "0.00", 1e14: "100000000000000.00"},
    "#,##0": {1234567.5: "1,234,568", 0: "0", -1000: "-1,000"},
    "#,##0.00": {1234.5: "1,234.50"},
    "0%": {0.125: "13%", 1: "100%"},
    "0.0%": {0.125: "12.5%", -0.5: "-50.0%"},
    "General": {0.5: "0.5", 1e20: "1e+20"},
    '0.0" kg"': {2.25: "2.25"},
    "[Red]0.0;0": {2.25: "2.25"},
}


@pytest.mark.feature("I1")
def test_number_formats_are_applied_as_far_as_they_mean_the_same_to_everybody(read: Read) -> None:
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file, {"in_memory": True})
    book.add_worksheet("Other").write_number(0, 1, 0.5, book.add_format({"num_format": "0.000%"}))
    sheet = book.add_worksheet("Data & more")
    sheet.write_row(1, 0, HEAD)
    said = [(code, value, text) for code, values in SHOWN.items() for value, text in values.items()]
    for row, (code, value, _) in enumerate(said, start=3):
        sheet.write_string(row, 0, f"k{row}")
        sheet.write_number(row, 1, value, book.add_format({"num_format": code}))
    sheet.write_string(99, 0, "12", book.add_format({"num_format": "00000"}))
    book.close()
    opened, records = read(file.getvalue(), sheet="Data & more")
    assert [cells[1] for _, cells in records[:-1]] == [text for *_, text in said]
    assert records[-1] == (100, ["12"]), "text stays text, whatever its format"
    assert opened.read_as.notes == ["Column text: 4 numbers, taken by their plain value, as in 12.5, 2026-03-01, 9:30:00 or TRUE."]


@pytest.mark.feature("I1")
def test_an_error_is_read_as_the_sheet_shows_it_and_never_as_nothing(read: Read) -> None:
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file, {"in_memory": True})
    sheet = book.add_worksheet("Data")
    sheet.write_row(0, 0, HEAD)
    errors = ["#N/A", "#DIV/0!", "#REF!", "#NAME?", "#VALUE!"]
    for row in range(1, 12_001):  # several chunks, with cells cut by their ends
        sheet.write_string(row, 0, f"k{row}")
        sheet.write_formula(row, 1, '=IF(1<2,"a&b",0)', None, errors[row % 5] if row % 3 else "fine")
    book.close()
    opened, records = read(file.getvalue())
    assert [cells[1] for _, cells in records] == [errors[row % 5] if row % 3 else "fine" for row in range(1, 12_001)], opened.tab
    assert opened.read_as.notes == ["Column text: 8,000 errors such as #N/A, taken as the sheet shows them."]


def test_rows_keep_the_numbers_the_person_sees_and_the_header_may_stand_lower(read: Read) -> None:
    rows = [["Stock of March"], [], HEAD, ["1", "a"], [], ["2", "b"]]
    sheet, records = read(workbook({"Data": rows}))
    assert (sheet.read_as.header_row, sheet.header) == (3, HEAD)
    assert records == [(4, ["1", "a"]), (6, ["2", "b"])]
    assert read(workbook({"Data": rows}), header_row=4)[0].header == ["1", "a"]


@pytest.mark.feature("I4")
def test_the_tab_is_chosen_and_never_guessed(read: Read) -> None:
    book = workbook({"Old": [HEAD, ["1", "old"]], "New": [HEAD, ["1", "new"]]})
    sheet, records = read(book)
    assert (list(sheet.tabs), sheet.header, records) == (["Old", "New"], [], [])
    assert read(book, sheet="New")[1] == [(2, ["1", "new"])]
    with pytest.raises(UnreadableSheet, match=r"no tab called 'Neu'\. It has: Old, New") as refused:
        read(book, sheet="Neu")
    assert refused.value.code is JobFailure.TAB_MISSING


def test_a_parquet_file_gives_its_columns_as_text(read: Read) -> None:
    values = {"id": ["001", "2"], "n": [501, None], "f": [1.5, 2.0], "d": [dt.date(2026, 1, 2), None], "m": [Decimal("1.50"), Decimal(2)]}
    sheet, records = read(parquet_file(values), "data.parquet")
    assert (sheet.header, sheet.read_as.format) == (["id", "n", "f", "d", "m"], SheetFormat.PARQUET)
    assert records == [(2, ["001", "501", "1.5", "2026-01-02", "1.50"]), (3, ["2", "", "2", "", "2.00"])]


_cells = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r"), max_size=40)


@given(rows=st.lists(st.tuples(_cells, _cells), min_size=1, max_size=200))
@settings(max_examples=4, deadline=None)
def test_any_text_in_a_parquet_file_is_read_as_it_is(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]) -> None:
    path = tmp_path_factory.mktemp("any") / "upload"
    path.write_bytes(parquet_file({"a": ["." + a for a, _ in rows], "b": ["." + b for _, b in rows]}))
    with open_file(path, FileSource(upload_id="a" * 32), "any.parquet") as sheet:
        assert [record.cells for record in sheet.records()] == [["." + a, "." + b] for a, b in rows]


# Hostile files


def bomb() -> bytes:
    """A workbook whose one tab unpacks to 70 MiB of nothing."""
    return swap_part(workbook({"Data": [HEAD]}), "xl/worksheets/sheet1.xml", b" " * (70 << 20))


def far_cell() -> bytes:
    """Two cells at opposite ends of the largest sheet there is: dense, that is seventeen thousand million of them."""
    cells = b'<row r="1"><c r="A1" t="n"><v>1</v></c></row><row r="1048576"><c r="XFD1048576" t="n"><v>1</v></c></row>'
    head = b'<?xml version="1.0"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
    return swap_part(workbook({"Data": [HEAD]}), "xl/worksheets/sheet1.xml", head + cells + b"</sheetData></worksheet>")


def without_workbook() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("content.xml", "<x/>")
    return packed.getvalue()


HOSTILE: dict[str, tuple[Callable[[], bytes], str, str]] = {
    "a zip bomb": (bomb, "sheet.xlsx", "The workbook unpacks to"),
    "a cell at the far end": (far_cell, "sheet.xlsx", "more than 2.0 GiB of memory"),
    "16,384 columns": (lambda: workbook({"D": [[f"c{n}" for n in range(16_384)]]}), "sheet.xlsx", "16,384 columns; the limit is 256"),
    "half a workbook": (lambda: workbook({"D": [HEAD]})[:2000], "sheet.xlsx", "The workbook is damaged"),
    "a broken part": (lambda: swap_part(workbook({"D": [HEAD]}), "xl/worksheets/sheet1.xml", b"<a"), "sheet.xlsx", "damaged"),
    "another archive": (without_workbook, "sheet.xlsx", "an OpenDocument file"),
    "half a Parquet file": (lambda: parquet_file({"a": ["1"]})[:90], "a.parquet", "The Parquet file is damaged"),
    "an empty tab": (lambda: workbook({"D": []}), "sheet.xlsx", "There is nothing in it"),
    "two columns of one name": (lambda: workbook({"D": [["a", "b", "a", "b"]]}), "s.xlsx", "Two columns are called 'a', 'b'"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_file_ends_in_a_clear_error(read: Read, what: str) -> None:
    make, name, words = HOSTILE[what]
    with pytest.raises(UnreadableSheet) as refused:
        read(make(), name)
    assert words in refused.value.detail
    assert refused.value.action.endswith(".")


def test_a_reader_that_runs_out_of_memory_takes_only_itself_along(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed_file, "MEMORY_BYTES", 100 << 20)
    with pytest.raises(UnreadableSheet, match=r"more than 0\.1 GiB of memory"):
        read(workbook({"Data": [HEAD, *([str(n), f"{n:06}" * 400] for n in range(20_000))]}))


@pytest.mark.parametrize(
    ("content", "name", "words"),
    [
        (b"PK\x03\x04rest", "sheet.csv", "called sheet.csv but holds an Excel workbook, not text"),
        (b"id,text\n1,a\n", "Sheet.XLSX", "called Sheet.XLSX but holds text, not an Excel workbook"),
        (b"PAR1rest", "sheet.csv", "holds a Parquet file"),
        (b"%PDF-1.7", "sheet.csv", "a PDF, not a sheet"),
        (b"\xd0\xcf\x11\xe0rest", "sheet.xlsx", "a workbook with a password"),
        (b"\x1f\x8brest", "sheet.csv", "a compressed file"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_named(tmp_path: Path, content: bytes, name: str, words: str) -> None:
    path = tmp_path / "upload"
    path.write_bytes(content)
    with pytest.raises(UnreadableSheet) as refused:
        detect_format(path, name)
    assert words in refused.value.detail
    assert refused.value.action.endswith(".")


def test_closing_early_leaves_no_process(tmp_path: Path) -> None:
    path = tmp_path / "upload"
    path.write_bytes(workbook({"Data": [HEAD, *([str(n), "text"] for n in range(5000))]}))
    sheet = PackedSheet(path, FileSource(upload_id="a" * 32), SheetFormat.XLSX)
    assert next(sheet.records()).row == 2
    sheet.close()
    assert sheet._child.poll() is not None
