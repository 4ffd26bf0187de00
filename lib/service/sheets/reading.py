"""What every reader gives: a header, records numbered as the person sees them, and a fingerprint of what was read.

A reader is opened by ``opening.open_sheet`` and read once, from top to bottom. "Empty", "missing" and "unreachable" are three
different ``UnreadableSheet``; none of them is an iterator that happens to end early.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from lib.contract.formulas import rearm
from lib.contract.imports import MAX_CELL_CHARACTERS, MAX_COLUMNS, ReadAs
from lib.contract.jobs import JobFailure


class UnreadableSheet(Exception):
    """The source is not a sheet its reader understands: what happened, what to do, and which failure that makes of a job."""

    def __init__(self, detail: str, action: str, code: JobFailure = JobFailure.UNREADABLE_SOURCE) -> None:
        super().__init__(detail, action, code)  # all: a checkpoint pickles the exception, and a restart rebuilds it from these
        self.detail, self.action, self.code = detail, action, code

    def __str__(self) -> str:
        return self.detail


@dataclass(frozen=True, slots=True)
class Record:
    """One line of a sheet as read. ``row`` is its number as a spreadsheet shows it: the very first row is 1."""

    row: int
    cells: list[str]


class Sheet(Protocol):
    """One sheet, opened."""

    @property
    def header(self) -> list[str]:
        """The names of the columns, as ``check_header`` leaves them."""

    @property
    def read_as(self) -> ReadAs:
        """How it was read: what a person can correct by the options of the source."""

    def records(self) -> Iterator[Record]:
        """Every record below the header, once; wholly empty rows are skipped but counted. UnreadableSheet when it breaks off."""

    def read_ratio(self) -> float | None:
        """How much of the source the records so far have used up, 0–1; None while unknown."""

    def fingerprint(self) -> str:
        """64 hex digits that differ when what was read differs; asked for when the records have run out."""


def check_header(cells: list[str], row: int = 1) -> list[str]:
    """The header's names, trimmed, if each is there and unique."""
    names = [cell.strip() for cell in cells]
    while names and not names[-1]:
        names.pop()
    if not names:
        raise UnreadableSheet("The header row is empty.", f"Row {row:,} must name the columns; or say which row does.")
    if len(names) > MAX_COLUMNS:
        raise UnreadableSheet(f"The sheet has {len(names):,} columns; the limit is {MAX_COLUMNS}.", "Remove columns that are not needed.")
    if "" in names:
        detail = f"Column {names.index('') + 1} has no name."
        raise UnreadableSheet(detail, f"Give every column a name in row {row:,}; or say which row names the columns.")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        listed = ", ".join(repr(name) for name in twice)
        raise UnreadableSheet(f"Two columns are called {listed}.", "Rename one of them: the mapping could not tell them apart.")
    return names


def find_header_row(rows: list[list[str]]) -> int:
    """Which of the first rows names the columns, from 1: what stands above a table is empty, or one title in a row as wide as the table."""
    filled = [sum(1 for cell in cells if cell.strip()) for cells in rows]
    place = next((place for place, count in enumerate(filled) if count > 1), 0)
    above = all(not count or len(cells) == len(rows[place]) for cells, count in zip(rows[:place], filled[:place], strict=True))
    return place + 1 if above else 1


def rearm_all(cells: list[str]) -> list[str]:
    """The cells without the apostrophes that keep a spreadsheet from running them; see ``cells``."""
    return [rearm(cell) for cell in cells]


def too_long(cell: str) -> bool:
    """Whether a cell is longer than a spreadsheet's own limit."""
    return len(cell) > MAX_CELL_CHARACTERS
