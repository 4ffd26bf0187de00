"""The ``values`` half of the API: read and write cells by A1 range."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from tests.emulator.workbook import Area, Cell, Formula, Tab, Workbook, column_name, invalid, trim

Query = dict[str, list[str]]


def read_range(book: Workbook, a1: str, query: Query) -> dict[str, Any]:
    area, render = book.area(a1), query.get("valueRenderOption", ["FORMATTED_VALUE"])[0]
    bottom = min(area.bottom, len(area.tab.cells))
    table = [
        [_render(area.tab, row, column, render) for column in range(area.left, min(area.right, len(area.tab.cells[row])))]
        for row in range(area.top, bottom)
    ]
    shown = f"{column_name(area.left + 1)}{area.top + 1}:{column_name(area.right)}{area.bottom}"
    answer = {"range": f"{quote(area.tab.title)}!{shown}", "majorDimension": "ROWS"}
    return answer | ({"values": values} if (values := trim(table)) else {})


def quote(title: str) -> str:
    return "'" + title.replace("'", "''") + "'"


def _render(tab: Tab, row: int, column: int, how: str) -> Any:
    value = tab.get(row, column)
    if how == "FORMULA" and isinstance(value, Formula):
        return value.entered
    if how == "FORMATTED_VALUE":
        return tab.shown(row, column)
    value = value.shows if isinstance(value, Formula) else value
    return "" if value is None else value


def write_range(book: Workbook, body: dict[str, Any], a1: str, option: str) -> dict[str, Any]:
    if option not in ("RAW", "USER_ENTERED"):
        raise invalid("'valueInputOption' is required but not specified")
    values, area = body.get("values", []), book.area(a1)
    widest = max(map(len, values), default=0)
    if area.top + len(values) > area.tab.rows or area.left + widest > area.tab.columns:
        raise invalid(f"Range ({a1}) exceeds grid limits. Max rows: {area.tab.rows}, max columns: {area.tab.columns}")
    if ":" in a1.rpartition("!")[2] and (len(values) > area.bottom - area.top or widest > area.right - area.left):
        raise invalid(f"Requested writing within range [{a1}], but tried writing to row [{area.top + len(values)}]")
    for down, line in enumerate(values):
        for across, value in enumerate(line):
            if value is not None:
                area.tab.put(area.top + down, area.left + across, _enter(value, option))
    cells = sum(map(len, values))
    return {"updatedRange": a1, "updatedRows": len(values), "updatedColumns": widest, "updatedCells": cells}


def _enter(value: Cell, option: str) -> Cell:
    """What a cell holds after this was typed (USER_ENTERED) or stored (RAW)."""
    if option == "RAW" or not isinstance(value, str):
        return None if value == "" else value
    for pattern, read in _TYPED:
        if re.fullmatch(pattern, value, re.DOTALL):
            return read(value)
    return value


#: What is typed → what Google makes of it.
_TYPED: tuple[tuple[str, Callable[[str], Cell]], ...] = (
    ("", lambda _: None),
    ("=.*", Formula),
    ("'.*", lambda text: text[1:]),
    (r"-?\d+", int),
    (r"-?\d*\.\d+", float),
    ("(?i)true|false", lambda text: text.upper() == "TRUE"),
)


def clear_range(book: Workbook, a1: str) -> dict[str, Any]:
    area = book.area(a1)
    clear_area(area)
    return {"clearedRange": a1}


def clear_area(area: Area) -> None:
    for line in area.tab.cells[area.top : area.bottom]:
        for column in range(area.left, min(area.right, len(line))):
            line[column] = None


def append_rows(book: Workbook, body: dict[str, Any], a1: str, option: str) -> dict[str, Any]:
    tab = book.area(a1).tab
    at = len(trim([list(line) for line in tab.cells]))
    tab.rows = max(tab.rows, at + len(body["values"]))
    return {"updates": write_range(book, body, f"{quote(tab.title)}!A{at + 1}", option)}


def write_ranges(book: Workbook, body: dict[str, Any]) -> dict[str, Any]:
    answers = [write_range(book, part, part["range"], body.get("valueInputOption", "")) for part in body["data"]]
    return {"totalUpdatedCells": sum(answer["updatedCells"] for answer in answers), "responses": answers}


def read_ranges(book: Workbook, query: Query) -> dict[str, Any]:
    return {"valueRanges": [read_range(book, a1, query) for a1 in query["ranges"]]}


def serve_values(book: Workbook, method: str, a1: str | None, verb: str, query: Query, body: dict[str, Any]) -> dict[str, Any]:
    """One call below ``/values``."""
    option, where = query.get("valueInputOption", [""])[0], a1 or ""
    match method, verb:
        case "GET", ":batchGet":
            answer = read_ranges(book, query)
        case "GET", "":
            answer = read_range(book, where, query)
        case "PUT", "":
            answer = book.atomically(lambda draft: write_range(draft, body, where, option))
        case "POST", ":batchUpdate":
            answer = book.atomically(lambda draft: write_ranges(draft, body))
        case "POST", ":append":
            answer = book.atomically(lambda draft: append_rows(draft, body, where, option))
        case "POST", ":clear":
            answer = book.atomically(lambda draft: clear_range(draft, where))
        case "POST", ":batchClear":
            answer = book.atomically(lambda draft: {"clearedRanges": [clear_range(draft, each)["clearedRange"] for each in body["ranges"]]})
        case _:
            raise invalid(f"{method} {verb} is not emulated")
    return {"spreadsheetId": book.spreadsheet_id} | answer
