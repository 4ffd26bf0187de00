"""Workbooks and Parquet files: read by a child process with its memory and time capped, row by row through a pipe."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from lib.contract.formulas import rearm
from lib.contract.imports import FileSource, ReadAs
from lib.contract.jobs import JobFailure
from lib.contract.states import SheetFormat
from lib.service.sheets.digest import hash_file
from lib.service.sheets.reading import Record, UnreadableSheet, check_header, find_header_row, rearm_all

CHILD = Path(__file__).with_name("child.py")
#: What reading one file may take. A workbook of a million rows and eight columns needs about 950 MB.
MEMORY_BYTES = 2 << 30
CPU_SECONDS = 900
_HEAD_ROWS = 20
#: What becomes of a number, a date, a time or a truth whose format is not applied.
PLAIN = "12.5, 2026-03-01, 9:30:00 or TRUE"

Row = tuple[int, list[str]]


class PackedSheet:
    """One tab of a workbook, or one Parquet file, opened. Close it: its reader is a process."""

    def __init__(self, path: Path, source: FileSource, kind: SheetFormat) -> None:
        """Without a chosen tab, a workbook of several has its ``tabs`` and no header."""
        self._path, self._kind = path, kind
        self._child = _start(path, kind, source.sheet)
        self._rows_total, self._row = 0, 0
        self.tab: str | None = None
        self.header: list[str] = []
        self._header_row = 1
        self._rows: Iterator[Row] = iter(())
        self._taken: dict[str, dict[str, int]] = {}
        try:
            self.tabs: Sequence[str] = self._expect("tabs")
            if kind is not SheetFormat.XLSX or source.sheet or len(self.tabs) == 1:
                self._open_tab(source.header_row)
        except BaseException:
            self.close()
            raise

    @property
    def read_as(self) -> ReadAs:
        """Tab, header row, and what was not text."""
        return ReadAs(format=self._kind, tab=self.tab, header_row=self._header_row, notes=_describe_taken(self.header, self._taken))

    def records(self) -> Iterator[Record]:
        """Every record below the header, cells re-armed."""
        for row, cells in self._rows:
            self._row = row
            if row > self._header_row:
                yield Record(row, rearm_all(cells))

    def read_ratio(self) -> float | None:
        """By rows."""
        return min(1.0, self._row / self._rows_total) if self._rows_total else None

    def fingerprint(self) -> str:
        """Of the file's bytes."""
        return hash_file(self._path)

    def close(self) -> None:
        """End the child, whatever it is at."""
        self._child.kill()
        self._child.communicate()

    def _open_tab(self, header_row: int | None) -> None:
        opened = self._next_line()
        self.tab, self._rows_total = opened["tab"], int(opened["rows"])
        rows = self._read_rows()
        head: list[Row] = []
        for numbered in rows:
            head.append(numbered)
            if numbered[0] >= max(_HEAD_ROWS, header_row or 0):
                break
        if not head:
            raise UnreadableSheet("There is nothing in it.", "Choose a tab with a header row and at least one row below it.")
        self._header_row = header_row or find_header_row(_square(head))
        cells = next((cells for row, cells in head if row == self._header_row), [])
        self.header = check_header([rearm(cell.strip()) for cell in cells], self._header_row)
        self._rows = chain(head, rows)

    def _read_rows(self) -> Iterator[Row]:
        while True:
            line = self._next_line()
            if isinstance(line, dict):
                self._taken = line["taken"]
                return
            yield from line

    def _expect(self, name: str) -> Any:
        return self._next_line()[name]

    def _next_line(self) -> Any:
        assert self._child.stdout is not None  # noqa: S101 - a pipe was asked for
        line = self._child.stdout.readline()
        if not line.endswith(b"\n"):
            raise _broke_off(self._child.wait())
        said = json.loads(line)
        if isinstance(said, dict) and "error" in said:
            error = said["error"]
            raise UnreadableSheet(error["detail"], error["action"], JobFailure(error["code"])) if error else _too_large()
        return said


def _start(path: Path, kind: SheetFormat, tab: str | None) -> subprocess.Popen[bytes]:
    # -I: neither its folder nor the environment adds modules. The allocator of the system obeys the cap; Arrow's own reserves too much.
    command = [sys.executable, "-I", str(CHILD), kind.value, str(path), tab or "", str(MEMORY_BYTES), str(CPU_SECONDS)]
    environment = {"ARROW_DEFAULT_MEMORY_POOL": "system", "OMP_NUM_THREADS": "1", "LC_ALL": "C.UTF-8"}
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, cwd="/")


def _square(head: list[Row]) -> list[list[str]]:
    """The first rows as a spreadsheet shows them: all of one width, empty ones in their places."""
    width, by_row = max(len(cells) for _, cells in head), dict(head)
    return [by_row.get(row, []) + [""] * (width - len(by_row.get(row, []))) for row in range(1, min(_HEAD_ROWS, head[-1][0]) + 1)]


def _describe_taken(header: list[str], taken: dict[str, dict[str, int]]) -> list[str]:
    """Which columns held something else than text, and how that was taken."""
    notes = []
    for place, kinds in taken.items():
        name = header[int(place)] if int(place) < len(header) else f"number {int(place) + 1}"
        plain = {kind: count for kind, count in kinds.items() if kind != "error"}
        if plain:
            notes.append(f"Column {name}: {_count(plain)}, taken by their plain value, as in {PLAIN}.")
        if errors := kinds.get("error"):
            notes.append(f"Column {name}: {_count({'error': errors})} such as #N/A, taken as the sheet shows them.")
    return notes


def _count(kinds: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {kind}{'' if count == 1 else 's'}" for kind, count in kinds.items())


def _too_large() -> UnreadableSheet:
    detail = f"The file needs more than {MEMORY_BYTES / (1 << 30):,.1f} GiB of memory to be read."
    return UnreadableSheet(detail, "Save the one tab you need as CSV, and upload that: CSV is read row by row.")


def _broke_off(code: int) -> UnreadableSheet:
    """How a child that said nothing more has ended: an allocation refused ends in an abort, too long a time in a signal."""
    if code == -24:  # SIGXCPU
        action = "Save the one tab you need as CSV, and upload that."
        return UnreadableSheet(f"The file took longer than {CPU_SECONDS // 60} minutes to be read.", action)
    return _too_large()
