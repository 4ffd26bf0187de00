"""Writing a sheet to a file: one writer per format, every cell text, nothing cut and nothing guessed.

A cell that a format cannot hold exactly is an error that names it; the file is not written then.
"""

from __future__ import annotations

import csv
import os
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq
import xlsxwriter

from lib.contract.exports import XLSX_MAX_CELL_CHARACTERS, XLSX_MAX_ROWS, ExportFormat, FileTarget
from lib.contract.formulas import disarm, escape

#: Rows per group of a Parquet file.
PARQUET_ROWS = 20_000
# XLSX spells control characters _x000D_, and readers disagree about text that looks like two of those in a row.
_NOT_IN_XLSX = re.compile(r"[\ufffe\uffff]|_x[0-9a-fA-F]{4}_x[0-9a-fA-F]{4}_")


class DoesNotFit(Exception):
    """A cell or a row the format cannot hold as it is."""

    def __init__(self, column: str, what: str) -> None:
        super().__init__(column, what)
        self.column, self.what = column, what


class SheetWriter(Protocol):
    """Takes rows one by one; the file is complete once the ``with`` block has ended without an error."""

    def write_row(self, cells: Sequence[str]) -> None:
        """The next row, a cell per column."""

    def __enter__(self) -> SheetWriter: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...


def open_writer(path: Path, target: FileTarget, columns: Sequence[str]) -> SheetWriter:
    """A writer of the target's format at ``path``, its header written."""
    # Nothing runs what stands in a Parquet file; there only what looks disarmed is marked, as the import expects everywhere.
    safe = disarm if target.spreadsheet_safe and target.format is not ExportFormat.PARQUET else escape
    return _WRITERS[target.format](path, list(columns), safe)


def work_dir(path: Path) -> Path:
    """Where the writer of ``path`` keeps what it needs meanwhile; left behind by a kill, it may be removed."""
    return path.with_name(f"{path.name}.work")


class CsvWriter:
    """CSV in UTF-8, as RFC 4180 has it."""

    def __init__(self, path: Path, columns: list[str], safe: Callable[[str], str]) -> None:
        self._file, self._safe = path.open("w", encoding="utf-8", newline=""), safe
        self._writer = csv.writer(self._file)
        self.write_row(columns)

    def write_row(self, cells: Sequence[str]) -> None:
        """The next row."""
        self._writer.writerow(map(self._safe, cells))

    def __enter__(self) -> CsvWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with self._file:
            if kind is None:
                self._file.flush()
                os.fsync(self._file.fileno())


class XlsxWriter:
    """One tab of text cells. Rows go to disk as they come, so a long sheet needs no more memory than a short one."""

    def __init__(self, path: Path, columns: list[str], safe: Callable[[str], str]) -> None:
        self._path, self._columns, self._safe, self._row = path, columns, safe, 0
        work_dir(path).mkdir()
        self._book = xlsxwriter.Workbook(str(path), {"constant_memory": True, "tmpdir": str(work_dir(path)), "in_memory": False})
        self._sheet = self._book.add_worksheet("Export")
        self._sheet.freeze_panes(1, 0)
        try:
            self.write_row(columns)
        except DoesNotFit:
            self._abandon()
            raise

    def write_row(self, cells: Sequence[str]) -> None:
        """The next row; DoesNotFit when a cell is too long or the sheet is full."""
        if self._row > XLSX_MAX_ROWS:
            raise DoesNotFit(self._columns[0], f"an XLSX sheet ends after {XLSX_MAX_ROWS:,} entries")
        for place, cell in enumerate(map(self._safe, cells)):
            if why := why_not_in_xlsx(cell):
                raise DoesNotFit(self._columns[place], why)
            if cell:
                self._sheet.write_string(self._row, place, cell)  # never write(): it makes formulas, links and numbers of text
        self._row += 1

    def __enter__(self) -> XlsxWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is not None:
            self._abandon()
            return
        try:
            self._book.close()
            _sync(self._path)
        finally:
            shutil.rmtree(work_dir(self._path), ignore_errors=True)

    def _abandon(self) -> None:
        self._book.fileclosed = True  # it warns of a book that was never closed
        self._sheet.row_data_fh.close()
        shutil.rmtree(work_dir(self._path), ignore_errors=True)


def why_not_in_xlsx(cell: str) -> str:
    """Why an XLSX cell cannot hold this, in words; empty when it can."""
    units = len(cell) if len(cell) <= XLSX_MAX_CELL_CHARACTERS // 2 else len(cell.encode("utf-16-le")) // 2
    if units > XLSX_MAX_CELL_CHARACTERS:
        return f"it holds {units:,} characters, and an XLSX cell at most {XLSX_MAX_CELL_CHARACTERS:,}"
    return "it holds characters that an XLSX file cannot carry unchanged" if _NOT_IN_XLSX.search(cell) else ""


class ParquetWriter:
    """Every column a string column."""

    def __init__(self, path: Path, columns: list[str], safe: Callable[[str], str]) -> None:
        self._path, self._safe = path, safe
        self._schema = pa.schema([(safe(name), pa.string()) for name in columns])
        self._writer: Any = pq.ParquetWriter(path, self._schema, compression="zstd")
        self._rows: list[list[str]] = []

    def write_row(self, cells: Sequence[str]) -> None:
        """The next row."""
        self._rows.append([self._safe(cell) for cell in cells])
        if len(self._rows) >= PARQUET_ROWS:
            self._write_group()

    def _write_group(self) -> None:
        columns = list(zip(*self._rows, strict=True)) or [()] * len(self._schema)
        self._writer.write_table(pa.table([pa.array(column, pa.string()) for column in columns], schema=self._schema))
        self._rows = []

    def __enter__(self) -> ParquetWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with self._writer:
            if kind is None and self._rows:
                self._write_group()
        if kind is None:
            _sync(self._path)


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


_WRITERS: dict[ExportFormat, Callable[[Path, list[str], Callable[[str], str]], SheetWriter]] = {
    ExportFormat.CSV: CsvWriter,
    ExportFormat.XLSX: XlsxWriter,
    ExportFormat.PARQUET: ParquetWriter,
}
