"""Reads one workbook or Parquet file and prints its rows: run as a program of its own, so that no file can take the service along.

It imports nothing of ours, starts with its memory and time capped, writes no file, and says everything in JSON lines:
``{"tabs": […]}`` once, then ``[[row, [cell, …]], …]`` again and again, then ``{"taken": {column: {kind: count}}}``; or ``{"error": …}``.
"""

from __future__ import annotations

import json
import re
import resource
import sys
import zipfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from xml.etree import ElementTree as ET

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
    yield from as_seen(enumerate(sheet.iter_rows(), start=1), list_shown(path, name))


# --- what a workbook shows, and its reader does not say: errors, and numbers in their formats ------------------------

Show = Callable[[Any], Any]
Shown = tuple[int, int, "Show | Error"]
#: Number formats that every workbook has, by their ids.
_BUILT_IN = {1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%"}
#: Those that are applied: zeros in front, decimals, thousands, percent. What any other shows depends on language or condition.
_FORMAT = re.compile(r"(#,##)?(0+)(?:\.(0+))?(%?)")
_PLACE = re.compile(rb'\br="([A-Z]{1,3})(\d+)"')
_STYLE = re.compile(rb'\bs="(\d+)"')
_VALUE = re.compile(rb"(?:<f[^>]*/>|<f[^>]*>[^<]*</f>)?<v>([^<]*)</v>")
_CHUNK_BYTES = 1 << 20


class Error(str):
    """What a cell shows whose formula went wrong: #N/A."""


def make_show(code: str) -> Show | None:
    """How this number format shows a number; None when it is not one of those that are applied."""
    found = _FORMAT.fullmatch(code)
    if found is None:
        return None
    thousands, zeros, decimals, percent = found.groups(default="")

    def show(value: Any) -> Any:
        if type(value) not in (int, float) or abs(value) >= 1e15:
            return value
        number = Decimal(f"{value:.15g}").scaleb(2 if percent else 0)
        number = number.quantize(Decimal(1).scaleb(-len(decimals)), ROUND_HALF_UP)
        whole, _, rest = f"{abs(number):f}".partition(".")
        whole = f"{int(whole):,}" if thousands else whole.zfill(len(zeros))
        return f"{'-' if number < 0 else ''}{whole}{'.' if rest else ''}{rest}{percent}"

    return show


def list_shown(path: str, tab: str) -> Iterator[Shown]:
    """(row from 1, column from 0, what or how it shows) of each cell that shows another text than its plain value."""
    with zipfile.ZipFile(path) as archive:
        try:
            part, shows = find_part(archive, tab), list_shows(archive)
            tag = re.compile(rb'<c (?=[^<>]*?\b(?:t="e"|s="(?:%s)"))[^<>]*>' % "|".join(map(str, shows)).encode())
            with archive.open(part) as file:
                yield from scan_cells(file, tag, shows)
        except (KeyError, ET.ParseError):  # the reader found its way all the same, and says what there is
            return


def _parse(archive: zipfile.ZipFile, part: str) -> ET.Element:
    return ET.fromstring(archive.read(part))  # noqa: S314 - Expat refuses entities without end, and this process is capped


def find_part(archive: zipfile.ZipFile, tab: str) -> str:
    """Where in the archive this tab is; KeyError when that cannot be found out."""
    names = _parse(archive, "xl/workbook.xml").iterfind("{*}sheets/{*}sheet")
    wanted = next((value for each in names if each.get("name") == tab for name, value in each.items() if name.endswith("}id")), "")
    links = _parse(archive, "xl/_rels/workbook.xml.rels")
    targets = {each.get("Id"): str(each.get("Target")) for each in links}
    target = targets[wanted]
    return target.lstrip("/") if target.startswith("/") else f"xl/{target}"


def list_shows(archive: zipfile.ZipFile) -> dict[int, Show]:
    """Style of a cell → how it shows a number; only of the formats that are applied."""
    styles = _parse(archive, "xl/styles.xml") if "xl/styles.xml" in archive.namelist() else ET.Element("none")
    codes = _BUILT_IN | {int(each.get("numFmtId", 0)): each.get("formatCode", "") for each in styles.iterfind("{*}numFmts/{*}numFmt")}
    cells = [codes.get(int(each.get("numFmtId", 0)), "") for each in styles.iterfind("{*}cellXfs/{*}xf")]
    return {place: show for place, code in enumerate(cells) if (show := make_show(code))}


def scan_cells(file: Any, tag: re.Pattern[bytes], shows: dict[int, Show]) -> Iterator[Shown]:
    """Through the tab from top to bottom, a megabyte at a time: far quicker than to take all of it apart."""
    held = b""
    while chunk := file.read(_CHUNK_BYTES):
        held += chunk
        whole = max(0, held.rfind(b"<c "))  # the last cell may go on in the next chunk
        yield from _scan(held[:whole], tag, shows)
        held = held[whole:]
    yield from _scan(held, tag, shows)


def _scan(text: bytes, tag: re.Pattern[bytes], shows: dict[int, Show]) -> Iterator[Shown]:
    for cell in tag.finditer(text):
        if not (place := _PLACE.search(cell[0])):
            continue
        column = sum((letter - 64) * 26**power for power, letter in enumerate(reversed(place[1])))  # A is 1, AA 27
        if b't="e"' in cell[0]:
            if value := _VALUE.match(text, cell.end()):
                yield int(place[2]), column - 1, Error(value[1].decode())
        elif style := _STYLE.search(cell[0]):
            yield int(place[2]), column - 1, shows[int(style[1])]


def as_seen(rows: Iterable[Row], shown: Iterator[Shown]) -> Iterator[Row]:
    """The rows with each of these cells as it is shown; both come from top to bottom."""
    pending = next(shown, None)
    for row, cells in rows:
        while pending and pending[0] <= row:
            if pending[0] == row and pending[1] < len(cells):
                column, show = pending[1:]
                cells[column] = show if isinstance(show, Error) else show(cells[column])
            pending = next(shown, None)
        yield row, cells


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
_KINDS |= {Error: "error"}


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
