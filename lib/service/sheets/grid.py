"""A tab of a Google sheet as it stands: what each cell shows, and what was entered in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from lib.service.sheets.google import GoogleSheets, Spreadsheet, Tab, quote_tab

#: Rows asked for at once: one call of quota, an answer of a few megabytes.
SLICE_ROWS = 20_000
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\Z")


@dataclass(frozen=True)
class Grid:
    """All cells, every row as wide as the widest; empty rows at the end are not there."""

    shown: list[list[str]]
    entered: list[list[str]]

    @property
    def width(self) -> int:
        """How many columns hold anything."""
        return len(self.shown[0]) if self.shown else 0

    @property
    def header(self) -> list[str]:
        """The first row, trimmed; empty when the tab is."""
        return [cell.strip() for cell in self.shown[0]] if self.shown else []

    def is_formula(self, row: int, column: int) -> bool:
        """Whether the cell computes what it shows; text that merely begins with = shows what was entered."""
        entered = self.entered[row][column]
        return entered.startswith("=") and entered != self.shown[row][column]

    def is_plain(self, row: int, column: int) -> bool:
        """Whether the cell surely holds this very text, so that writing it again changes nothing."""
        shown = self.shown[row][column]
        return shown == self.entered[row][column] and not _NUMBER.match(shown) and shown.upper() not in ("TRUE", "FALSE")

    def formulas(self) -> Iterator[tuple[int, int]]:
        """Every cell that computes."""
        for row, line in enumerate(self.entered):
            for column, cell in enumerate(line):
                if cell.startswith("=") and self.is_formula(row, column):
                    yield row, column


def read_grid(sheets: GoogleSheets, book: Spreadsheet, tab: Tab, tell: Callable[[int, int], None] = lambda *_: None) -> Grid:
    """Both views of the whole tab, in slices; ``tell`` hears of (rows read, rows in all)."""
    shown = read_cells(sheets, book, tab, tell=tell)
    entered = read_cells(sheets, book, tab, formulas=True, tell=tell)
    width, height = max(map(len, (*shown, *entered)), default=0), max(len(shown), len(entered))
    return Grid(_pad(shown, width, height), _pad(entered, width, height))


def read_cells(
    sheets: GoogleSheets, book: Spreadsheet, tab: Tab, *, formulas: bool = False, tell: Callable[[int, int], None] = lambda *_: None
) -> list[list[str]]:
    """One view of the whole tab: what is shown, or what was entered."""
    rows: list[list[str]] = []
    for start in range(1, tab.rows + 1, SLICE_ROWS):
        end = min(start + SLICE_ROWS - 1, tab.rows)
        found = sheets.read(book.spreadsheet_id, f"{quote_tab(tab.title)}!{start}:{end}", formulas=formulas)
        rows += [*found, *([] for _ in range(end - start + 1 - len(found)))]
        tell(end, tab.rows)
    while rows and not any(rows[-1]):
        rows.pop()
    return rows


def _pad(rows: list[list[str]], width: int, height: int) -> list[list[str]]:
    return [row + [""] * (width - len(row)) for row in rows] + [[""] * width for _ in range(height - len(rows))]
