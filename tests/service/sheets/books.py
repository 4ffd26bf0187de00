"""Workbooks and Parquet files as other programs write them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import xlsxwriter
from pyarrow import parquet

Tab = Sequence[Sequence[Any]]


def workbook(tabs: Mapping[str, Tab]) -> bytes:
    """An XLSX file; strings stay strings, everything else is written as what it is."""
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file, {"in_memory": True, "default_date_format": "yyyy-mm-dd"})
    for name, rows in tabs.items():
        sheet = book.add_worksheet(name)
        for row, cells in enumerate(rows):
            for column, cell in enumerate(cells):
                if isinstance(cell, str):
                    sheet.write_string(row, column, cell)
                elif cell is not None:
                    sheet.write(row, column, cell)
    book.close()
    return file.getvalue()


def parquet_file(columns: Mapping[str, Sequence[Any]]) -> bytes:
    """A Parquet file."""
    file = io.BytesIO()
    parquet.write_table(pa.table(dict(columns)), file)
    return file.getvalue()


def swap_part(book: bytes, name: str, content: bytes) -> bytes:
    """The same archive with another content of one part."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(book)) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for part in old.namelist():
            new.writestr(part, content if part == name else old.read(part))
    return file.getvalue()
