"""CSV: found out how it is written down, read as the person sees it, never guessed past doubt."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

from lib.contract.imports import ENCODINGS, Encoding, FileSource
from lib.service.sheets import csv_file
from lib.service.sheets.csv_file import CsvSheet, Dialect
from lib.service.sheets.reading import UnreadableSheet, too_long

Write = Callable[[str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_file(content: str | bytes) -> Path:
        path = tmp_path / "sheet"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write_file


def read(path: Path, **said: Any) -> tuple[Dialect, list[str], list[tuple[int, list[str]]]]:
    sheet = CsvSheet(path, FileSource(upload_id="a" * 32, **said))
    return sheet.dialect, sheet.header, [(record.row, record.cells) for record in sheet.records()]


TEXT = "key,näme\n001,žluťoučký 🐎\n"


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (TEXT.encode(), "utf-8"),
        (codecs.BOM_UTF8 + TEXT.encode(), "utf-8-sig"),
        (codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"), "utf-16"),
        (codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"), "utf-16"),
    ],
)
def test_a_byte_order_mark_is_obeyed_and_stays_out_of_the_first_name(write: Write, content: bytes, encoding: str) -> None:
    dialect, header, records = read(write(content))
    assert dialect == Dialect(encoding, ",")
    assert (header, records) == (["key", "näme"], [(2, ["001", "žluťoučký 🐎"])])


@pytest.mark.parametrize(
    ("content", "delimiter", "width"),
    [
        ("a,b,c\n1,2,3\n", ",", 3),
        ("a;b;c\n1,5;2;3\n", ";", 3),
        ("a\tb\tc\n1\t2\t3\n", "\t", 3),
        ("a|b|c\n1|2|3\n", "|", 3),
        ('"a, b";"c, d"\n1;2\n', ";", 2),
        ('"a;b;c;d",e,f\n1,2,3\n', ",", 3),
        ('"first\nname",b\n1,2\n', ",", 2),
        ('"line; one\nline, two";b;c\n1;2;3\n', ";", 3),
        ("text\nhello, world\n", ",", 1),
        ("a;b\r\n1;2\r\n", ";", 2),
        ("a;b\r1;2\r", ";", 2),
    ],
)
def test_the_delimiter_is_the_one_that_parts_the_header(write: Write, content: str, delimiter: str, width: int) -> None:
    dialect, header, records = read(write(content))
    assert (dialect.delimiter, len(header)) == (delimiter, width)
    assert len(records) == 1


def test_every_cell_is_text_as_the_person_sees_it(write: Write) -> None:
    cells = ["001", "12345678901234567890", "NA", "null", "1.50", " padded ", "", "2026-01-02"]
    path = write("a,b,c,d,e,f,g,h\n" + ",".join(cells) + "\n")
    assert read(path)[2] == [(2, cells)]


def test_rows_are_numbered_as_a_spreadsheet_shows_them(write: Write) -> None:
    _, _, records = read(write('a,b\n1,"two\nlines"\n\n,\n3,4\n'))
    assert records == [(2, ["1", "two\nlines"]), (5, ["3", "4"])], "an empty line is skipped and counted"


def test_a_disarmed_cell_and_a_disarmed_name_are_armed_again(write: Write) -> None:
    _, header, records = read(write("key,'=sum,'plain'\n1,'=1+1,'t is\n"))
    assert (header, records) == (["key", "=sum", "'plain'"], [(2, ["1", "=1+1", "'t is"])])


def test_the_names_of_columns_are_trimmed_and_empty_ones_at_the_end_left_out(write: Write) -> None:
    assert read(write(" a , b ,,\n1,2,,\n"))[1] == ["a", "b"]


def test_a_character_across_the_edge_of_the_head_is_whole(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_file, "_HEAD_BYTES", 11)
    assert read(write("key,text\nx,éé\n"))[2] == [(2, ["x", "éé"])]


@pytest.mark.feature("I4")
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (codecs.BOM_UTF8, "no header row"),
        (b"a,b\n1,\xff\n", "not valid UTF-8 text (byte 6)"),
        (codecs.BOM_UTF16_LE + b"a\x00,\x00\x00\xd8", "not valid"),
        (b"a,b\n1,\x00\n", "NUL"),
        (codecs.BOM_UTF32_LE + "a,b\n1,2\n".encode("utf-32-le"), "NUL"),
        (b'a,b\n1,"2\n3,4\n', "breaks off near row 2"),
        (b'a,b\n1,"2"x\n', "breaks off near row 2"),
        (b"\n\n,,\n", "header row is empty"),
        (b"a,a\n", "Two columns are called 'a'"),
        (b"a,,b\n", "Column 2 has no name"),
    ],
)
def test_what_is_no_sheet_is_refused_with_a_reason_and_a_remedy(write: Write, content: bytes, words: str) -> None:
    with pytest.raises(UnreadableSheet) as refused:
        read(write(content))
    assert words in refused.value.detail
    assert refused.value.action.endswith(".")


def test_a_megabyte_in_one_cell_is_an_error_of_its_row_not_of_the_file(write: Write) -> None:
    _, _, records = read(write("a,b\n1," + "x" * (1 << 20) + "\n2,3\n"))
    assert [row for row, _ in records] == [2, 3]
    assert too_long(records[0][1][1])
    assert not too_long("x" * 50_000)


@pytest.mark.parametrize(
    ("content", "row", "header"),
    [
        ("Stock of March,,\n,,\nid,name,size\n1,a,b\n", 3, ["id", "name", "size"]),
        ("\n\nid,name\n1,a\n", 3, ["id", "name"]),
        ("text\nhello, world\n", 1, ["text"]),
        ("id,name\n1,a\n", 1, ["id", "name"]),
    ],
)
def test_a_title_above_the_table_is_not_taken_for_the_header(write: Write, content: str, row: int, header: list[str]) -> None:
    dialect, found, records = read(write(content))
    assert (dialect.header_row, found) == (row, header)
    assert records[0][0] == row + 1


def test_what_a_person_says_about_the_file_counts(write: Write) -> None:
    path = write("Stock of M\u00e4rz\nid;n\u00e4me,x\n1;2,5\n".encode("cp1252"))
    dialect, header, records = read(path, encoding="cp1252", delimiter=";", header_row=2)
    assert dialect == Dialect("cp1252", ";", 2)
    assert (header, records) == (["id", "n\u00e4me,x"], [(3, ["1", "2,5"])])
    with pytest.raises(UnreadableSheet, match="no row 9"):
        read(path, encoding="cp1252", header_row=9)
    with pytest.raises(UnreadableSheet, match="not valid UTF-8"):
        read(path, encoding="utf-8")


def test_a_file_that_is_not_utf_8_is_shown_as_a_guess_and_never_imported_as_one(write: Write) -> None:
    path = write("id,name\n1,caf\u00e9\n".encode("cp1252"))
    source = FileSource(upload_id="a" * 32)
    guess = CsvSheet(path, source, guess=True)
    assert (guess.read_as.encoding, guess.read_as.doubtful) == ("cp1252", True)
    assert [record.cells for record in guess.records()] == [["1", "caf\u00e9"]]
    with pytest.raises(UnreadableSheet, match="not valid UTF-8"):
        CsvSheet(path, source)


def test_every_encoding_on_offer_can_be_read(write: Write) -> None:
    for encoding in ENCODINGS:
        assert read(write("id,name\n1,abc\n".encode(encoding)), encoding=encoding)[2] == [(2, ["1", "abc"])]
    assert get_args(Encoding) == tuple(ENCODINGS)


def test_how_much_was_read_grows_to_all_of_it(write: Write) -> None:
    sheet = CsvSheet(write("id,name\n" + "1,a\n" * 20_000), FileSource(upload_id="a" * 32))
    ratios = [sheet.read_ratio() for _ in sheet.records()]
    assert ratios == sorted(ratios)
    assert 0 < ratios[0] < 0.5
    assert ratios[-1] == 1
