"""From what a request calls a source to the reader of its kind. A new kind of source is one more branch here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from lib.contract.imports import FileSource
from lib.contract.jobs import JobFailure
from lib.contract.states import SheetFormat
from lib.service.config import Config
from lib.service.sheets.csv_file import CsvSheet
from lib.service.sheets.digest import hash_file
from lib.service.sheets.packed_file import PackedSheet
from lib.service.sheets.reading import Sheet, UnreadableSheet

#: How a file begins, whatever it is called.
_MAGIC: dict[bytes, SheetFormat] = {b"PK\x03\x04": SheetFormat.XLSX, b"PK\x05\x06": SheetFormat.XLSX, b"PAR1": SheetFormat.PARQUET}
_FOREIGN = {
    b"%PDF": "a PDF",
    b"\xd0\xcf\x11\xe0": "an old Excel file (.xls) or a workbook with a password",
    b"\x1f\x8b": "a compressed file",
    b"{\\rt": "a text document",
    b"<htm": "a web page",
    b"<!DO": "a web page",
}
#: What the end of a name promises.
_BY_SUFFIX = {
    ".csv": SheetFormat.CSV,
    ".tsv": SheetFormat.CSV,
    ".txt": SheetFormat.CSV,
    ".xlsx": SheetFormat.XLSX,
    ".xlsm": SheetFormat.XLSX,
    ".parquet": SheetFormat.PARQUET,
}
_NAMES = {SheetFormat.CSV: "text", SheetFormat.XLSX: "an Excel workbook", SheetFormat.PARQUET: "a Parquet file"}
_SUFFIX = {SheetFormat.CSV: ".csv", SheetFormat.XLSX: ".xlsx", SheetFormat.PARQUET: ".parquet"}


@contextmanager
def open_sheet(config: Config, source: FileSource, name: str) -> Iterator[Sheet]:
    """The source, opened at its header; UnreadableSheet when it is not there or not what ``name`` says it is."""
    with open_file(path_of(config, source), source, name) as sheet:
        if not sheet.header:
            detail = f"The workbook has {len(sheet.tabs)} tabs: {', '.join(sheet.tabs)}."
            raise UnreadableSheet(detail, "Choose the tab to read: it is never guessed.", JobFailure.TAB_MISSING)
        yield sheet


@contextmanager
def open_file(path: Path, source: FileSource, name: str, *, guess: bool = False) -> Iterator[CsvSheet | PackedSheet]:
    """An uploaded file, by its first bytes. ``guess``: see ``CsvSheet``."""
    kind = detect_format(path, name)
    if kind is SheetFormat.CSV:
        yield CsvSheet(path, source, guess=guess)
    else:
        with closing(PackedSheet(path, source, kind)) as sheet:
            yield sheet


def path_of(config: Config, source: FileSource) -> Path:
    """Where the uploaded file is."""
    path = config.uploads_dir / source.upload_id
    if not path.is_file():
        detail = "The uploaded file is gone: it was removed by age."
        raise UnreadableSheet(detail, "Upload the file again.", JobFailure.UPLOAD_MISSING)
    return path


def find_moved_file(config: Config, plan: Any) -> str:
    """How the uploaded file of a plan differs from what the plan was made from; empty when it does not.

    Removed by age is harmless: the plan's rows are what is applied.
    """
    path = config.uploads_dir / plan.source["upload_id"]
    return "its bytes are others" if path.is_file() and hash_file(path) != str(plan.source_sha256) else ""


def detect_format(path: Path, name: str) -> SheetFormat:
    """What the file is; UnreadableSheet when it is no sheet, or another kind than its name promises."""
    with path.open("rb") as file:
        head = file.read(4)
    if what := _FOREIGN.get(head) or _FOREIGN.get(head[:2]):
        action = "In your spreadsheet choose Download or Save as → CSV or Excel workbook (.xlsx), and upload that."
        raise UnreadableSheet(f"This is {what}, not a sheet, whatever its name says.", action)
    kind = _MAGIC.get(head, SheetFormat.CSV)
    promised = _BY_SUFFIX.get(Path(name).suffix.lower(), kind)
    if promised is not kind:
        detail = f"The file is called {name} but holds {_NAMES[kind]}, not {_NAMES[promised]}."
        action = f"If that is what you mean to import, rename it to end in {_SUFFIX[kind]} and upload it again; else choose the right file."
        raise UnreadableSheet(detail, action)
    return kind
