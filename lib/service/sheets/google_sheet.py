"""One tab of a Google sheet, read in slices. Whatever breaks on the way is an error: a table never just ends early."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from lib.contract.imports import ReadAs, SheetSource
from lib.contract.jobs import JobFailure
from lib.contract.states import SheetFormat
from lib.service.sheets.google import GoogleSheets, column_name, parse_spreadsheet, quote_tab
from lib.service.sheets.google_errors import SheetsFailed
from lib.service.sheets.reading import Record, check_header, find_header_row

#: Rows of the first slice; later ones are as many as make about this many characters.
FIRST_ROWS = 1000
SLICE_CHARACTERS = 1_500_000
MOST_ROWS = 20_000
_HEAD_ROWS = 20


class GoogleSheet:
    """One tab, opened at its header."""

    tabs: tuple[str, ...] = ()

    def __init__(self, google: GoogleSheets, source: SheetSource) -> None:
        self._google, self._id = google, parse_spreadsheet(source.spreadsheet)
        self.book = google.describe(self._id)
        self.tab = self.book.tab(source.tab)
        head = google.read(self._id, f"{quote_tab(source.tab)}!1:{max(_HEAD_ROWS, source.header_row or 1)}")
        width = max(map(len, head), default=0)
        self._header_row = source.header_row or find_header_row([cells + [""] * (width - len(cells)) for cells in head])
        names = head[self._header_row - 1] if len(head) >= self._header_row else []
        self.header = check_header(names, self._header_row)
        self.read_as = ReadAs(format=SheetFormat.GOOGLE_SHEET, header_row=self._header_row, tab=source.tab)
        self._row = self._header_row
        self._digest = hashlib.sha256()
        self._feed(self._header_row, self.header)

    @property
    def name(self) -> str:
        """What a person calls it."""
        return f"{self.book.title} · {self.tab.title}"

    def records(self) -> Iterator[Record]:
        """Every record below the header, exactly as it is shown."""
        rows, last = FIRST_ROWS, self.header
        while self._row < self.tab.rows:
            start, end = self._row, min(self._row + rows, self.tab.rows)
            # Each slice begins with the last row of the one before: if that is another by now, the rows have moved.
            table = self._read(start, end)
            if self._strip(table[0]) != last:
                raise self._moved(start)
            for row, cells in enumerate(table[1:], start=start + 1):
                if any(cells):
                    self._feed(row, cells)
                    yield Record(row, cells)
            self._row, last = end, table[-1]
            size = sum(sum(map(len, cells)) + len(cells) for cells in table) / len(table)
            rows = int(min(MOST_ROWS, max(1, SLICE_CHARACTERS / max(size, 1.0))))
        if self._google.describe(self._id).tab(self.tab.title) != self.tab:
            raise self._moved(self._row)

    def read_ratio(self) -> float | None:
        """By rows of the grid; those at its end may be empty."""
        return self._row / self.tab.rows if self.tab.rows else None

    def fingerprint(self) -> str:
        """Of the header and every record, with their row numbers."""
        return self._digest.hexdigest()

    def _read(self, start: int, end: int) -> list[list[str]]:
        """So many rows, each as wide as the header; Google leaves out what is empty at the end."""
        width = len(self.header)
        found = self._google.read(self._id, f"{quote_tab(self.tab.title)}!A{start}:{column_name(width)}{end}")
        table = [(cells + [""] * width)[:width] for cells in found]
        return table + [[""] * width for _ in range(end - start + 1 - len(table))]

    def _strip(self, cells: list[str]) -> list[str]:
        return [cell.strip() for cell in cells] if self._row == self._header_row else cells

    def _feed(self, row: int, cells: list[str]) -> None:
        for part in (str(row), *cells):
            encoded = part.encode("utf-8", "surrogatepass")
            self._digest.update(len(encoded).to_bytes(4, "little") + encoded)

    def _moved(self, row: int) -> SheetsFailed:
        detail = f"“{self.name}” was edited while it was read: around row {row:,} it is no longer as it was a moment ago."
        return SheetsFailed(JobFailure.UNREADABLE_SOURCE, detail, "Nothing was changed. Start again when nobody edits it.")
