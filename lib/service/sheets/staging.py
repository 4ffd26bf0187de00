"""A staged write: everything goes to a tab of its own first, is read back, and only then replaces what people see, at once.

Whatever call fails, whenever the process dies: the tab holds all of the old or all of the new. A write that broke off is not
guessed about: the mark it leaves in the same change says whether it took effect.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from lib.contract.jobs import JobFailure
from lib.service.sheets.google import GoogleSheets, Spreadsheet, Tab, quote_tab
from lib.service.sheets.google_errors import SheetsFailed
from lib.service.sheets.swap import MARK, Swap

#: Google's advice is 2 MB a call.
SLICE_BYTES = 1_500_000
MAX_BOOK_CELLS = 10_000_000
#: How often the one change is sent again after it surely did not take effect.
SWAP_TRIES = 5
#: A staging tab this old was left by somebody who will not come back for it.
ORPHAN_SECONDS = 24 * 3600.0
_PREFIX = "__switchyard_"

Tell = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True)
class Write:
    """Which tab is written on behalf of which job; ``tell`` hears of (phase, done, total), and may raise to stop."""

    sheets: GoogleSheets
    spreadsheet_id: str
    tab_title: str
    job_id: str
    tell: Tell

    def look(self) -> tuple[Spreadsheet, Tab]:
        """The spreadsheet and the tab as they are now."""
        book = self.sheets.describe(self.spreadsheet_id)
        return book, book.tab(self.tab_title)

    def has_committed(self) -> bool:
        """Whether this job's change has taken effect, in this attempt or an earlier one."""
        return self.look()[1].marks.get(MARK) == self.job_id

    def has_arrived(self) -> bool:
        """The same after something went wrong; False when nobody can say."""
        with suppress(Exception):  # what stopped the write may stop this too
            return self.has_committed()
        return False

    def clean_up(self) -> None:
        """Remove the staging tabs of this job's earlier attempts, and those of others that are a day old."""
        book = self.sheets.describe(self.spreadsheet_id)
        if left_over := [tab for tab in book.tabs if self._is_left_over(tab.title)]:
            self._certainly([{"deleteSheet": {"sheetId": tab.tab_id}} for tab in left_over], lambda: not self._find(left_over[0].tab_id))

    def _is_left_over(self, title: str) -> bool:
        made_at, _, job_id = title.removeprefix(_PREFIX).partition("_")
        if not title.startswith(_PREFIX) or not made_at.isdecimal():
            return False
        return job_id == self.job_id or time.time() - int(made_at) > ORPHAN_SECONDS

    def stage(self, swap: Swap) -> Tab:
        """Write everything to a tab of its own and read it back; SheetsFailed when it is not exactly what was meant."""
        rows, width = swap.staged, max(block.width for block in swap.blocks)
        self._check_room(swap, len(rows) * width)
        stage = self._add_tab(len(rows), width)
        done = 0
        for start, part in _slices(rows):
            written = self.sheets.write(self.spreadsheet_id, f"{quote_tab(stage.title)}!A{start + 1}", part)
            done += written
            self.tell("writing to a staging tab", done, len(rows))
        if done != len(rows):
            raise _not_as_meant(f"{done:,} of {len(rows):,} rows arrived")
        self._verify(stage, rows)
        return stage

    def _check_room(self, swap: Swap, staged_cells: int) -> None:
        book, target = self.look()
        grown = max(target.rows, swap.height) * max(target.columns, swap.width) - target.rows * target.columns
        total = sum(tab.rows * tab.columns for tab in book.tabs) + grown + staged_cells
        if total > MAX_BOOK_CELLS:
            detail = f"The spreadsheet would have {total:,} cells while this is written; Google allows {MAX_BOOK_CELLS:,}."
            raise SheetsFailed(JobFailure.DOES_NOT_FIT, detail, "Remove tabs that are not needed, or export fewer entries.")

    def _add_tab(self, height: int, width: int) -> Tab:
        title = f"{_PREFIX}{int(time.time())}_{self.job_id}"
        tab_id = int.from_bytes(sha256(f"{title}{time.time_ns()}".encode()).digest()[:4], "big") >> 1
        grid = {"rowCount": height, "columnCount": width}
        request = {"addSheet": {"properties": {"sheetId": tab_id, "title": title, "hidden": True, "gridProperties": grid}}}
        self._certainly([request], lambda: self._find(tab_id))
        return Tab(tab_id=tab_id, title=title, rows=height, columns=width, hidden=True, marks={})

    def _find(self, tab_id: int) -> bool:
        return any(tab.tab_id == tab_id for tab in self.sheets.describe(self.spreadsheet_id).tabs)

    def _verify(self, stage: Tab, rows: list[list[str]]) -> None:
        """Count and checksum of what the staging tab really holds."""
        digest, wanted, total = sha256(), sha256(), len(rows)
        for start, part in _slices(rows):
            where = f"{quote_tab(stage.title)}!{start + 1}:{start + len(part)}"
            found = self.sheets.read(self.spreadsheet_id, where, formulas=True)
            found += [[] for _ in range(len(part) - len(found))]
            for is_there, meant in zip(found, part, strict=True):
                digest.update(_line(is_there + [""] * (len(meant) - len(is_there))))
                wanted.update(_line(meant))
            self.tell("checking the staging tab", start + len(part), total)
        if digest.digest() != wanted.digest():
            raise _not_as_meant("its checksum differs")

    def commit(self, swap: Swap, stage: Tab) -> None:
        """The one change that people see: all of it, or none."""
        self._certainly(swap.requests(self.look()[1], stage, self.job_id), self.has_committed)

    def _certainly(self, requests: list[dict[str, Any]], has_happened: Callable[[], bool]) -> None:
        """Send one atomic change until it has surely happened, and never twice."""
        for attempt in range(SWAP_TRIES):
            try:
                self.sheets.change(self.spreadsheet_id, requests)
            except SheetsFailed as failure:
                if has_happened():
                    return
                if not failure.maybe_done or attempt == SWAP_TRIES - 1:
                    raise
            else:
                return


def _slices(rows: list[list[str]]) -> Iterator[tuple[int, list[list[str]]]]:
    """(first row, rows) of at most ``SLICE_BYTES``."""
    start, size = 0, 0
    for place, row in enumerate(rows):
        more = sum(len(cell.encode()) + 4 for cell in row)
        if size and size + more > SLICE_BYTES:
            yield start, rows[start:place]
            start, size = place, 0
        size += more
    if rows:
        yield start, rows[start:]


def _line(cells: list[str]) -> bytes:
    return b"".join(len(cell).to_bytes(4, "little") + cell.encode() for cell in cells)


def _not_as_meant(what: str) -> SheetsFailed:
    detail = f"The staging tab does not hold what was written to it: {what}. The tab itself was left alone."
    return SheetsFailed(JobFailure.SHEETS_REFUSED, detail, "Try again; if it happens again, somebody may be editing hidden tabs.")
