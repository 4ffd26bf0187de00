"""CSV: how a file is written down (encoding, delimiter, header) is found out, shown, and never guessed past doubt."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lib.contract.imports import MAX_CELL_CHARACTERS, MAX_COLUMNS
from lib.service.sheets.cells import rearm

DELIMITERS = ",;\t|"
_HEAD_BYTES = 1 << 16
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))

# A longer cell is an error of its row, not of the file; the parser must let it through to be named.
csv.field_size_limit(1 << 26)


class UnreadableSheet(Exception):
    """The file is not a sheet this reader understands: what happened, and what to do."""

    def __init__(self, detail: str, action: str) -> None:
        super().__init__(detail, action)  # both: a checkpoint pickles the exception, and a restart rebuilds it from these
        self.detail, self.action = detail, action

    def __str__(self) -> str:
        return self.detail


@dataclass(frozen=True)
class Dialect:
    """How a file is written down."""

    encoding: str
    delimiter: str


@dataclass(frozen=True, slots=True)
class Record:
    """One line of a sheet as read. ``row`` is its number as a spreadsheet shows it: the header is row 1."""

    row: int
    cells: list[str]


def detect_dialect(path: Path) -> Dialect:
    """Encoding by byte-order mark, else strict UTF-8; delimiter by the header line. UnreadableSheet when in doubt."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if not head.strip():
        raise UnreadableSheet("The file is empty.", "Choose a file with a header row and at least one row below it.")
    if head.startswith((b"PK\x03\x04", b"%PDF", b"\xd0\xcf\x11\xe0")):
        action = "In your spreadsheet choose Download → CSV, and upload that."
        raise UnreadableSheet("This is not a CSV file, whatever its name says.", action)
    encoding = next((name for bom, name in _BOMS if head.startswith(bom)), "utf-8")
    try:
        # The head may end in the middle of a character: an incremental decoder waits for the rest.
        text = codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeError as error:
        raise _not_text(encoding, error) from error
    if "\x00" in text:
        raise UnreadableSheet("The file holds NUL bytes: it is not text.", "Save it as CSV UTF-8 and upload that.")
    return Dialect(encoding, _detect_delimiter(text))


def _not_text(encoding: str, error: UnicodeError) -> UnreadableSheet:
    where = f" (byte {error.start:,})" if isinstance(error, UnicodeDecodeError) else ""
    return UnreadableSheet(f"The file is not valid {encoding.upper()} text{where}.", "Save it as “CSV UTF-8” and upload that.")


def _detect_delimiter(head: str) -> str:
    """The one that makes the most columns of the header; what stands inside quotation marks does not count."""
    return max(DELIMITERS, key=lambda delimiter: _count_columns(head, delimiter))


def _count_columns(head: str, delimiter: str) -> int:
    try:
        return len(next(csv.reader(io.StringIO(head, newline=""), delimiter=delimiter, strict=True), []))
    except csv.Error:  # a quotation mark that only another delimiter makes sense of
        return 0


def read_header(path: Path, dialect: Dialect) -> list[str]:
    """The names of the columns; UnreadableSheet when one is missing, doubled, or there are too many."""
    for record in _records(path, dialect):
        return check_header(record.cells)
    raise UnreadableSheet("The file has no header row.", "Its first row must name the columns.")


def check_header(cells: list[str]) -> list[str]:
    """The header's names, trimmed and re-armed, if each is there and unique."""
    names = [rearm(cell.strip()) for cell in cells]
    while names and not names[-1]:
        names.pop()
    if not names:
        raise UnreadableSheet("The header row is empty.", "The first row must name the columns.")
    if len(names) > MAX_COLUMNS:
        raise UnreadableSheet(f"The sheet has {len(names):,} columns; the limit is {MAX_COLUMNS}.", "Remove columns that are not needed.")
    if "" in names:
        raise UnreadableSheet(f"Column {names.index('') + 1} has no name.", "Give every column a name in the first row.")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UnreadableSheet(f"Two columns are called {twice[0]!r}.", "Rename one of them.")
    return names


def read_records(path: Path, dialect: Dialect) -> Iterator[Record]:
    """Every record below the header, cells re-armed; wholly empty lines are skipped but counted as rows."""
    records = _records(path, dialect)
    next(records, None)
    for record in records:
        if any(record.cells):
            yield Record(record.row, [rearm(cell) for cell in record.cells])


def _records(path: Path, dialect: Dialect) -> Iterator[Record]:
    with path.open(encoding=dialect.encoding, newline="") as file:
        # strict: an unclosed quote must not swallow the rest of the file in silence.
        reader = csv.reader(file, delimiter=dialect.delimiter, strict=True)
        row = 0
        try:
            for row, cells in enumerate(reader, start=1):
                yield Record(row, cells)
        except csv.Error as error:
            detail = f"The file breaks off near row {row + 1:,} (line {reader.line_num:,}): {error}."
            raise UnreadableSheet(detail, "Look for a quotation mark that is opened and not closed there.") from error
        except UnicodeError as error:
            raise _not_text(dialect.encoding, error) from error


def too_long(cell: str) -> bool:
    """Whether a cell is longer than a spreadsheet's own limit."""
    return len(cell) > MAX_CELL_CHARACTERS
