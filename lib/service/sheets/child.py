"""Reads one workbook or Parquet file and prints its rows: run as a program of its own, so that no file can take the service along.

It imports nothing of ours, starts with its memory and time capped, writes no file, and says everything in JSON lines:
``{"tabs": […]}`` once, then ``[[row, [cell, …]], …]`` again and again, then ``{"taken": {column: {kind: count}}}``; or ``{"error": …}``.
"""

from __future__ import annotations

import json
import resource
import sys
import zipfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

ROWS_AT_ONCE = 200
#: More than this unpacked is refused; so is a smaller archive that is nearly all padding.
MAX_UNPACKED_BYTES = 2 << 30
MAX_RATIO, RATIO_COUNTS_ABOVE = 200, 64 << 20

Row = tuple[int, list[Any]]


class Refused(Exception):
    """Why the file is not read, and what to do: said to the parent, not raised at it."""

    def __init__(self, detail: str, action: str, code: str = "unreadable_source") -> None:
        super().__init__(detail)
        self.told = {"detail": detail, "action": action, "code": code}


def limit(memory_bytes: int, cpu_seconds: int) -> None:
    """From here on more memory or time than that is an error, and no file can be written."""
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def say(message: Any) -> None:
    """One line for the parent."""
    sys.stdout.write(json.dumps(message) + "\n")


# --- XLSX ------------------------------------------------------------------------------------------------------------


def check_archive(path: str) -> None:
    """What the archive says of itself, before anything is unpacked; what it keeps quiet about, the memory cap stops."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            names = {entry.filename for entry in entries}
    except zipfile.BadZipFile:
        raise Refused("The workbook is damaged: it breaks off, or is no workbook at all.", "Save it again and upload that.") from None
    if "xl/workbook.xml" not in names:
        what = "an OpenDocument file" if "content.xml" in names else "a binary workbook" if "xl/workbook.bin" in names else "no workbook"
        raise Refused(f"This is {what}, not an XLSX file.", "Save it as an Excel workbook (.xlsx) or as CSV, and upload that.")
    unpacked, packed = sum(entry.file_size for entry in entries), sum(entry.compress_size for entry in entries)
    if unpacked > MAX_UNPACKED_BYTES or (unpacked > RATIO_COUNTS_ABOVE and unpacked > MAX_RATIO * max(1, packed)):
        detail = f"The workbook unpacks to {unpacked / (1 << 20):,.0f} MiB out of {packed / (1 << 20):,.1f}: that is not read."
        raise Refused(detail, "Save the one tab you need as CSV, and upload that.")


def read_workbook(path: str, tab: str | None) -> Iterator[Row]:
    """The rows of one tab, numbered as the person sees them."""
    import python_calamine

    check_archive(path)
    try:
        book = python_calamine.load_workbook(path)
    except python_calamine.PasswordError:
        raise Refused("The workbook is protected by a password.", "Save it without one, and upload that.") from None
    tabs = [each.name for each in book.sheets_metadata if each.typ == python_calamine.SheetTypeEnum.WorkSheet]
    say({"tabs": tabs})
    if tab is None and len(tabs) != 1:
        return
    if (name := tab or tabs[0]) not in tabs:
        detail = f"The workbook has no tab called {name!r}. It has: {', '.join(tabs)}."
        raise Refused(detail, "Was it renamed? Choose the tab again.", "tab_missing")
    sheet = book.get_sheet_by_name(name)
    say({"tab": name, "rows": sheet.total_height})
    yield from enumerate(sheet.iter_rows(), start=1)


# --- Parquet ---------------------------------------------------------------------------------------------------------


def read_parquet(path: str) -> Iterator[Row]:
    """The names of the columns as row 1, then every row."""
    import pyarrow as pa
    from pyarrow import parquet

    pa.set_cpu_count(1)
    try:
        file = parquet.ParquetFile(path, memory_map=False, pre_buffer=False)
    except (pa.ArrowInvalid, OSError):
        raise Refused("The Parquet file is damaged: it breaks off, or is none.", "Write it again and upload that.") from None
    say({"tabs": []})
    say({"tab": None, "rows": file.metadata.num_rows + 1})
    yield 1, list(file.schema_arrow.names)
    row = 1
    for batch in file.iter_batches(batch_size=1000, use_threads=False):
        columns = [column.to_pylist() for column in batch.columns]
        for cells in zip(*columns, strict=True):
            row += 1
            yield row, list(cells)


# --- cells -----------------------------------------------------------------------------------------------------------


def as_text(cell: Any) -> str:
    """What the cell says: whole numbers without a point, instants as ISO 8601, truth as spreadsheets spell it."""
    if isinstance(cell, str):
        return cell
    spell = _SPELL.get(type(cell), str)
    return spell(cell)


def _number(cell: float) -> str:
    return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else f"{cell:.15g}"


def _json(cell: Any) -> str:
    return json.dumps(cell, ensure_ascii=False, default=str)


def _clock(span: timedelta) -> str:
    minutes, seconds = divmod(round(span.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"


_SPELL: dict[type, Callable[[Any], str]] = {
    type(None): lambda _: "",
    bool: lambda cell: "TRUE" if cell else "FALSE",
    float: _number,
    datetime: lambda cell: cell.isoformat(sep=" "),
    date: date.isoformat,
    time: time.isoformat,
    timedelta: _clock,
    bytes: bytes.decode,
    list: _json,
    dict: _json,
}
_KINDS: dict[type, str] = {bool: "truth", int: "number", float: "number", datetime: "date", date: "date", time: "time", timedelta: "time"}


def print_rows(rows: Iterable[Row]) -> None:
    """All of them as text, empty ones left out; in the end, which columns held something else than text."""
    taken: dict[int, Counter[str]] = defaultdict(Counter)
    batch: list[tuple[int, list[str]]] = []
    for row, cells in rows:
        texts = list(map(as_text, cells))
        while texts and not texts[-1]:
            texts.pop()
        if not texts:
            continue
        for place, cell in enumerate(cells):
            if kind := _KINDS.get(type(cell)):
                taken[place][kind] += 1
        batch.append((row, texts))
        if len(batch) == ROWS_AT_ONCE:
            say(batch)
            batch = []
    say(batch)
    say({"taken": taken})


def main() -> None:
    """``child.py <format> <path> <tab or empty> <memory bytes> <cpu seconds>``."""
    kind, path, tab, memory_bytes, cpu_seconds = sys.argv[1:]
    limit(int(memory_bytes), int(cpu_seconds))
    try:
        print_rows(read_workbook(path, tab or None) if kind == "xlsx" else read_parquet(path))
    except Refused as refused:
        say({"error": refused.told})
    except MemoryError:
        say({"error": None})
    except Exception as error:  # noqa: BLE001 - a broken file breaks its reader in ways nobody can list
        told = {"detail": f"The file is damaged: {str(error)[:200] or type(error).__name__}.", "action": "Save it again and upload that."}
        say({"error": told | {"code": "unreadable_source"}})


if __name__ == "__main__":
    main()
