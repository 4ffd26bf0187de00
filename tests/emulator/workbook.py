"""What a spreadsheet holds, and what the API's requests do to it. Knows nothing of HTTP."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

MAX_CELL_CHARACTERS = 50_000
MAX_CELLS = 10_000_000

Value = str | int | float | bool | None


class ApiError(Exception):
    """An answer other than success, as Google words it."""

    def __init__(self, http: int, state: str, message: str, details: list[dict[str, Any]] | None = None, retry_after: int | None = None):
        error: dict[str, Any] = {"code": http, "message": message, "status": state}
        super().__init__(message)
        self.http, self.retry_after = http, retry_after
        self.body = {"error": error | ({"details": details} if details else {})}


def invalid(message: str) -> ApiError:
    return ApiError(400, "INVALID_ARGUMENT", message)


@dataclass(frozen=True)
class Formula:
    """A cell that computes: what was entered, and what it shows (the emulator computes nothing)."""

    entered: str
    shows: Value = "#EMULATED"


Cell = Value | Formula


@dataclass
class Tab:
    """One sheet of a spreadsheet. ``formats`` and ``notes`` are sparse, by (row, column) from 0."""

    tab_id: int
    title: str
    cells: list[list[Cell]] = field(default_factory=list)
    rows: int = 1000
    columns: int = 26
    hidden: bool = False
    frozen_rows: int = 0
    formats: dict[tuple[int, int], dict[str, Any]] = field(default_factory=dict)
    notes: dict[tuple[int, int], str] = field(default_factory=dict)
    metadata: list[dict[str, Any]] = field(default_factory=list)

    def get(self, row: int, column: int) -> Cell:
        line = self.cells[row] if row < len(self.cells) else []
        return line[column] if column < len(line) else None

    def put(self, row: int, column: int, value: Cell) -> None:
        if isinstance(value, str) and len(value) > MAX_CELL_CHARACTERS:
            raise invalid(f"Your input contains more than the maximum of {MAX_CELL_CHARACTERS} characters in a single cell.")
        while len(self.cells) <= row:
            self.cells.append([])
        line = self.cells[row]
        line.extend([None] * (column + 1 - len(line)))
        line[column] = value

    def resize(self, rows: int, columns: int) -> None:
        self.rows, self.columns = rows, columns
        del self.cells[rows:]
        for line in self.cells:
            del line[columns:]
        self.formats = {at: how for at, how in self.formats.items() if at[0] < rows and at[1] < columns}
        self.notes = {at: note for at, note in self.notes.items() if at[0] < rows and at[1] < columns}

    def shown(self, row: int, column: int) -> str:
        """The cell as a person sees it."""
        value = self.get(row, column)
        value = value.shows if isinstance(value, Formula) else value
        if value is None:
            return ""
        if isinstance(value, bool):
            return "TRUE" if value else "FALSE"
        if isinstance(value, (int, float)):
            return _show_number(value, self.formats.get((row, column), {}).get("numberFormat", {}).get("pattern", ""))
        return value

    def table(self) -> list[list[str]]:
        """Everything as shown, without empty ends: what tests compare."""
        return trim([[self.shown(row, column) for column in range(len(line))] for row, line in enumerate(self.cells)])

    def copy(self) -> Tab:
        return Tab(
            self.tab_id,
            self.title,
            [list(line) for line in self.cells],
            self.rows,
            self.columns,
            self.hidden,
            self.frozen_rows,
            dict(self.formats),
            dict(self.notes),
            copy.deepcopy(self.metadata),
        )


def _show_number(value: float, pattern: str) -> str:
    if pattern and set(pattern) == {"0"}:
        return f"{round(value):0{len(pattern)}d}"
    if decimals := re.fullmatch(r"(#,##)?0(?:\.(0+))?", pattern):
        return f"{value:{',' if decimals[1] else ''}.{len(decimals[2] or '')}f}"
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else str(value)


def trim(table: list[list[Any]]) -> list[list[Any]]:
    """Google leaves out what is empty at the end of a row, and empty rows at the end."""
    for line in table:
        while line and line[-1] in ("", None):
            line.pop()
    while table and not table[-1]:
        table.pop()
    return table


def column_name(number: int) -> str:
    """1 → A, 27 → AA."""
    name = ""
    while number:
        number, rest = divmod(number - 1, 26)
        name = chr(65 + rest) + name
    return name


def column_number(name: str) -> int:
    """A → 1."""
    number = 0
    for letter in name:
        number = number * 26 + ord(letter) - 64
    return number


@dataclass(frozen=True)
class Area:
    """Part of a tab; rows and columns from 0, ends not included."""

    tab: Tab
    top: int
    left: int
    bottom: int
    right: int

    def places(self) -> Iterable[tuple[int, int]]:
        return ((row, column) for row in range(self.top, self.bottom) for column in range(self.left, self.right))


@dataclass
class Workbook:
    """A spreadsheet. ``share``: e-mail → "read" or "write"; "*" stands for everybody. ``office``: an uploaded .xlsx, not a Sheet."""

    spreadsheet_id: str
    title: str
    tabs: list[Tab] = field(default_factory=list)
    share: dict[str, str] = field(default_factory=lambda: {"*": "write"})
    office: bool = False

    def tab(self, title: str) -> Tab:
        for tab in self.tabs:
            if tab.title == title:
                return tab
        raise KeyError(title)

    def tab_by_id(self, tab_id: int) -> Tab:
        for tab in self.tabs:
            if tab.tab_id == tab_id:
                return tab
        raise invalid(f"No grid with id: {tab_id}")

    def add_tab(self, title: str, table: Iterable[Iterable[Cell]] = (), *, tab_id: int | None = None, spare_rows: int = 100) -> Tab:
        cells = [list(line) for line in table]
        tab = Tab(
            self.free_id() if tab_id is None else tab_id,
            title,
            cells,
            rows=len(cells) + spare_rows,
            columns=max(26, *map(len, cells), 0) if cells else 26,
        )
        self.tabs.append(tab)
        return tab

    def free_id(self) -> int:
        return max((tab.tab_id for tab in self.tabs), default=-1) + 1

    def count_cells(self) -> int:
        return sum(tab.rows * tab.columns for tab in self.tabs)

    def area(self, a1: str) -> Area:
        """What ``'A tab'!A1:C3`` names; 400 in Google's words when it names nothing."""
        found = re.fullmatch(r"(?:'((?:[^']|'')+)'|([^'!]+))(?:!([A-Z]*)(\d*)(?::([A-Z]*)(\d*))?)?", a1)
        title = (found[1] or found[2]).replace("''", "'") if found else ""
        tab = next((tab for tab in self.tabs if tab.title == title), None)
        if found is None or tab is None:
            raise invalid(f"Unable to parse range: {a1}")
        left, top = column_number(found[3] or "A") - 1, int(found[4] or 1) - 1
        single = bool(found[3] and found[4]) and ":" not in a1.rpartition("!")[2]
        right = column_number(found[5]) if found[5] else left + 1 if single else tab.columns
        bottom = int(found[6]) if found[6] else top + 1 if single else tab.rows
        if top >= tab.rows or left >= tab.columns:
            raise invalid(f"Range ({a1}) exceeds grid limits. Max rows: {tab.rows}, max columns: {tab.columns}")
        return Area(tab, top, left, min(bottom, tab.rows), min(right, tab.columns))

    def atomically(self, change: Callable[[Workbook], Any]) -> Any:
        """All of it or none of it: the change is made to a copy."""
        draft = Workbook(self.spreadsheet_id, self.title, [tab.copy() for tab in self.tabs], self.share, self.office)
        answer = change(draft)
        if draft.count_cells() > MAX_CELLS:
            raise invalid(f"This action would increase the number of cells in the workbook above the limit of {MAX_CELLS} cells.")
        known = {tab.tab_id: tab for tab in self.tabs}
        for tab in draft.tabs:  # the same objects: a test may hold on to a tab
            known.setdefault(tab.tab_id, tab).__dict__.update(tab.__dict__)
        self.title, self.tabs = draft.title, [known[tab.tab_id] for tab in draft.tabs]
        return answer
