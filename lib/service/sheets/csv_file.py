"""CSV: how a file is written down (encoding, delimiter, header row) is found out, shown, and can be put right by a person."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from lib.contract.imports import ENCODINGS, FileSource, ReadAs
from lib.contract.states import SheetFormat
from lib.service.sheets.digest import hash_file
from lib.service.sheets.reading import Record, UnreadableSheet, check_header, find_header_row, rearm_all

DELIMITERS = ",;\t|"
_HEAD_BYTES = 1 << 16
_HEAD_ROWS = 20
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))

# A longer cell is an error of its row, not of the file; the parser must let it through to be named.
csv.field_size_limit(1 << 26)


@dataclass(frozen=True)
class Dialect:
    """How a file is written down. ``doubtful``: it is not UTF-8 and nobody has said what it is."""

    encoding: str
    delimiter: str
    header_row: int = 1
    doubtful: bool = False


class CsvSheet:
    """One CSV file, opened."""

    tabs: Sequence[str] = ()

    def __init__(self, path: Path, source: FileSource, *, guess: bool = False) -> None:
        """``guess``: show a file that is not UTF-8 as what it most likely is, for a person to judge; else that is an error."""
        self._path, self._size = path, path.stat().st_size
        self._file: BinaryIO | None = None
        self.dialect = detect_dialect(path, source, guess=guess)
        self.header = self._read_header()

    @property
    def read_as(self) -> ReadAs:
        """Encoding, delimiter, header row."""
        found = self.dialect
        return ReadAs(
            format=SheetFormat.CSV,
            encoding=found.encoding,
            delimiter=found.delimiter,
            header_row=found.header_row,
            doubtful=found.doubtful,
        )

    def records(self) -> Iterator[Record]:
        """Every record below the header, cells re-armed."""
        for record in self._lines():
            if record.row > self.dialect.header_row and any(record.cells):
                yield Record(record.row, rearm_all(record.cells))

    def read_ratio(self) -> float | None:
        """By bytes."""
        return self._file.tell() / self._size if self._file and self._size and not self._file.closed else None

    def fingerprint(self) -> str:
        """Of the file's bytes."""
        return hash_file(self._path)

    def _read_header(self) -> list[str]:
        for record in self._lines():
            if record.row == self.dialect.header_row:
                return check_header(rearm_all([cell.strip() for cell in record.cells]), record.row)
        raise UnreadableSheet(
            "The file has no header row." if self.dialect.header_row == 1 else f"The file has no row {self.dialect.header_row:,}.",
            "One of its first rows must name the columns.",
        )

    def _lines(self) -> Iterator[Record]:
        dialect, row = self.dialect, 0
        with self._path.open("rb") as self._file, io.TextIOWrapper(self._file, encoding=dialect.encoding, newline="") as text:
            # strict: an unclosed quote must not swallow the rest of the file in silence.
            reader = csv.reader(text, delimiter=dialect.delimiter, strict=True)
            try:
                for row, cells in enumerate(reader, start=1):
                    yield Record(row, cells)
            except csv.Error as error:
                detail = f"The file breaks off near row {row + 1:,} (line {reader.line_num:,}): {error}."
                raise UnreadableSheet(detail, "Look for a quotation mark that is opened and not closed there.") from error
            except UnicodeError as error:
                raise _not_text(dialect.encoding, error) from error


def detect_dialect(path: Path, source: FileSource, *, guess: bool = False) -> Dialect:
    """What the source says, and for the rest: encoding by byte-order mark, else strict UTF-8; delimiter by the header line."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if not head.strip():
        raise UnreadableSheet("The file is empty.", "Choose a file with a header row and at least one row below it.")
    encoding, doubtful = _detect_encoding(head, source.encoding, guess=guess)
    try:
        text = _decode(head, encoding)
    except UnicodeError as error:
        raise _not_text(encoding, error) from error
    if "\x00" in text:
        raise UnreadableSheet("The file holds NUL bytes: it is not text.", "Save it as CSV UTF-8 and upload that, or choose its encoding.")
    found = Dialect(encoding, source.delimiter or _detect_delimiter(text), source.header_row or 1, doubtful)
    return found if source.header_row else replace(found, header_row=find_header_row(_head_rows(text, found.delimiter)))


def _detect_encoding(head: bytes, said: str | None, *, guess: bool) -> tuple[str, bool]:
    """The encoding, and whether it is no more than a guess."""
    marked = next((name for bom, name in _BOMS if head.startswith(bom)), None)
    if said is not None:
        return (marked if marked == "utf-8-sig" and said == "utf-8" else said), False
    if marked or not guess:
        return marked or "utf-8", False
    try:
        _decode(head, "utf-8")
    except UnicodeError:
        return "cp1252", True
    return "utf-8", False


def _decode(head: bytes, encoding: str) -> str:
    # The head may end in the middle of a character: an incremental decoder waits for the rest.
    return codecs.getincrementaldecoder(encoding)().decode(head)


def _not_text(encoding: str, error: UnicodeError) -> UnreadableSheet:
    where = f" (byte {error.start:,})" if isinstance(error, UnicodeDecodeError) else ""
    name = encoding.upper().removesuffix("-SIG") if encoding.startswith("utf") else ENCODINGS.get(encoding, encoding)
    action = "Choose the file's real encoding where it says how it was read; or save it as “CSV UTF-8” and upload that."
    return UnreadableSheet(f"The file is not valid {name} text{where}.", action)


def _detect_delimiter(head: str) -> str:
    """The one that makes the most columns of one of the first rows; what stands inside quotation marks does not count."""
    return max(DELIMITERS, key=lambda delimiter: _count_columns(head, delimiter))


def _count_columns(head: str, delimiter: str) -> int:
    rows = _head_rows(head, delimiter)
    return len(rows[find_header_row(rows) - 1]) if rows else 0


def _head_rows(head: str, delimiter: str) -> list[list[str]]:
    rows: list[list[str]] = []
    try:
        for cells in csv.reader(io.StringIO(head, newline=""), delimiter=delimiter, strict=True):
            rows.append(cells)
            if len(rows) == _HEAD_ROWS:
                break
    except csv.Error:  # the head breaks off inside a cell, or a quotation mark that only another delimiter makes sense of
        pass
    return rows
