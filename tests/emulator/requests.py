"""``spreadsheets.batchUpdate``: the requests a staged write needs, each as Google documents it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from tests.emulator.values import clear_area
from tests.emulator.workbook import Area, Cell, Formula, Tab, Workbook, invalid

Request = dict[str, Any]


def apply_requests(book: Workbook, body: Request) -> Request:
    """All of them in order, or none."""
    return {
        "spreadsheetId": book.spreadsheet_id,
        "replies": book.atomically(lambda draft: [_apply(draft, each) for each in body["requests"]]),
    }


def _apply(book: Workbook, request: Request) -> Request:
    ((kind, what),) = request.items()
    if kind not in _KINDS:
        raise invalid(f"Unknown name {kind!r}: not emulated")
    return {kind: answer} if (answer := _KINDS[kind](book, what)) else {}


def describe_tab(tab: Tab, place: int) -> Request:
    """``Sheet.properties``."""
    grid = {"rowCount": tab.rows, "columnCount": tab.columns} | ({"frozenRowCount": tab.frozen_rows} if tab.frozen_rows else {})
    shown = {"sheetId": tab.tab_id, "title": tab.title, "index": place, "sheetType": "GRID", "gridProperties": grid}
    return shown | ({"hidden": True} if tab.hidden else {})


def grid_area(book: Workbook, where: Request) -> Area:
    """What a GridRange names; what it leaves out is without end."""
    tab = book.tab_by_id(where.get("sheetId", 0))
    bottom, right = where.get("endRowIndex", tab.rows), where.get("endColumnIndex", tab.columns)
    if bottom > tab.rows or right > tab.columns:
        raise invalid(f"GridRange exceeds grid limits. Max rows: {tab.rows}, max columns: {tab.columns}")
    return Area(tab, where.get("startRowIndex", 0), where.get("startColumnIndex", 0), bottom, right)


def _check_title(book: Workbook, title: str) -> None:
    if any(tab.title.casefold() == title.casefold() for tab in book.tabs):
        raise invalid(f'A sheet with the name "{title}" already exists. Please enter another name.')


def _add_sheet(book: Workbook, what: Request) -> Request:
    given = what.get("properties", {})
    title, tab_id = given.get("title", f"Sheet{len(book.tabs) + 1}"), given.get("sheetId", book.free_id())
    _check_title(book, title)
    if any(tab.tab_id == tab_id for tab in book.tabs):
        raise invalid(f"Sheet with id {tab_id} already exists.")
    grid = given.get("gridProperties", {})
    tab = Tab(tab_id, title, rows=grid.get("rowCount", 1000), columns=grid.get("columnCount", 26), hidden=given.get("hidden", False))
    book.tabs.insert(given.get("index", len(book.tabs)), tab)
    return {"properties": describe_tab(tab, book.tabs.index(tab))}


def _delete_sheet(book: Workbook, what: Request) -> Request:
    tab = book.tab_by_id(what["sheetId"])
    if sum(not other.hidden for other in book.tabs if other is not tab) == 0:
        raise invalid("You can't remove all the visible sheets in a document.")
    book.tabs.remove(tab)
    for other in book.tabs:  # what pointed at the tab points nowhere now
        for line in other.cells:
            for column, cell in enumerate(line):
                if isinstance(cell, Formula) and f"{tab.title}!" in cell.entered.replace("'", ""):
                    line[column] = Formula("=#REF!", "#REF!")
    return {}


def _duplicate_sheet(book: Workbook, what: Request) -> Request:
    source = book.tab_by_id(what["sourceSheetId"])
    title = what.get("newSheetName", f"Copy of {source.title}")
    _check_title(book, title)
    tab = source.copy()
    tab.tab_id, tab.title = what.get("newSheetId", book.free_id()), title
    book.tabs.insert(what.get("insertSheetIndex", 0), tab)
    return {"properties": describe_tab(tab, book.tabs.index(tab))}


def _update_properties(book: Workbook, what: Request) -> Request:
    given = what["properties"]
    tab = book.tab_by_id(given["sheetId"])
    grid, rows, columns = given.get("gridProperties", {}), tab.rows, tab.columns
    for name in what["fields"].split(","):
        match name.strip():
            case "title":
                if given["title"] != tab.title:
                    _check_title(book, given["title"])
                tab.title = given["title"]
            case "hidden":
                tab.hidden = given.get("hidden", False)
            case "index":
                book.tabs.remove(tab)
                book.tabs.insert(given["index"], tab)
            case "gridProperties.rowCount":
                rows = grid["rowCount"]
            case "gridProperties.columnCount":
                columns = grid["columnCount"]
            case "gridProperties.frozenRowCount":
                tab.frozen_rows = grid.get("frozenRowCount", 0)
            case "gridProperties":  # the whole of it: what is not given goes back to its default
                rows, columns, tab.frozen_rows = grid["rowCount"], grid["columnCount"], grid.get("frozenRowCount", 0)
            case other:
                raise invalid(f"Invalid field: {other}")
    if rows < 1 or columns < 1:
        raise invalid("You can't delete all the rows on the sheet.")
    tab.resize(rows, columns)
    return {}


def _update_cells(book: Workbook, what: Request) -> Request:
    fields = {name.split(".")[0] for name in what["fields"].split(",")}
    if start := what.get("start"):
        tab, top, left = book.tab_by_id(start.get("sheetId", 0)), start.get("rowIndex", 0), start.get("columnIndex", 0)
        area = Area(tab, top, left, top + len(what["rows"]), left + max((len(row.get("values", [])) for row in what["rows"]), default=0))
    else:
        area = grid_area(book, what["range"])
    given = what.get("rows", [])
    for row, column in area.places():
        line = given[row - area.top].get("values", []) if row - area.top < len(given) else []
        _set_cell(area.tab, row, column, line[column - area.left] if column - area.left < len(line) else {}, fields)
    return {}


def _set_cell(tab: Tab, row: int, column: int, data: Request, fields: set[str]) -> None:
    """Only the ``fields``; one that is named and not given is cleared."""
    if fields & {"userEnteredValue", "*"}:
        entered = data.get("userEnteredValue", {})
        value: Cell = next(iter(entered.values()), None)
        if value is not None or row < len(tab.cells):
            tab.put(row, column, Formula(str(value)) if "formulaValue" in entered else value)
    for name, kept in (("userEnteredFormat", tab.formats), ("note", tab.notes)):
        if fields & {name, "*"}:
            if data.get(name):
                kept[row, column] = copy.deepcopy(data[name])
            else:
                kept.pop((row, column), None)


def _repeat_cell(book: Workbook, what: Request) -> Request:
    area, fields = grid_area(book, what["range"]), {name.split(".")[0] for name in what["fields"].split(",")}
    for row, column in area.places():
        _set_cell(area.tab, row, column, what["cell"], fields)
    return {}


def _copy_paste(book: Workbook, what: Request) -> Request:
    source, target = grid_area(book, what["source"]), grid_area(book, what["destination"])
    paste = what.get("pasteType", "PASTE_NORMAL")
    height, width = source.bottom - source.top, source.right - source.left
    taken = {
        (down, across): (
            source.tab.get(source.top + down, source.left + across),
            source.tab.formats.get((source.top + down, source.left + across)),
        )
        for down in range(height)
        for across in range(width)
    }
    for row in range(target.top, max(target.bottom, target.top + height)):
        for column in range(target.left, max(target.right, target.left + width)):
            value, how = taken[(row - target.top) % height, (column - target.left) % width]
            _paste(target.tab, (row, column), value, how, paste)
    return {}


def _paste(tab: Tab, at: tuple[int, int], value: Cell, how: Request | None, paste: str) -> None:
    if paste in ("PASTE_NORMAL", "PASTE_FORMULA", "PASTE_VALUES"):
        tab.put(*at, value.shows if paste == "PASTE_VALUES" and isinstance(value, Formula) else value)
    if paste in ("PASTE_NORMAL", "PASTE_FORMAT"):
        if how:
            tab.formats[at] = copy.deepcopy(how)
        else:
            tab.formats.pop(at, None)


def _cut_paste(book: Workbook, what: Request) -> Request:
    source = grid_area(book, what["source"])
    at = what["destination"]
    where = {"sheetId": at.get("sheetId", 0), "startRowIndex": at.get("rowIndex", 0), "startColumnIndex": at.get("columnIndex", 0)}
    ends = {
        "endRowIndex": where["startRowIndex"] + source.bottom - source.top,
        "endColumnIndex": where["startColumnIndex"] + source.right - source.left,
    }
    _copy_paste(book, {"source": what["source"], "destination": where | ends, "pasteType": what.get("pasteType", "PASTE_NORMAL")})
    clear_area(source)
    return {}


def _dimension(book: Workbook, what: Request) -> tuple[Tab, bool, int, int]:
    where = what["range"]
    return book.tab_by_id(where.get("sheetId", 0)), where["dimension"] == "ROWS", where.get("startIndex", 0), where["endIndex"]


def _insert_dimension(book: Workbook, what: Request) -> Request:
    tab, rows, start, end = _dimension(book, what)
    if rows:
        tab.rows += end - start
        tab.cells[start:start] = [[] for _ in range(end - start)]
    else:
        tab.columns += end - start
        for line in tab.cells:
            if len(line) > start:
                line[start:start] = [None] * (end - start)
    return {}


def _delete_dimension(book: Workbook, what: Request) -> Request:
    tab, rows, start, end = _dimension(book, what)
    if rows:
        tab.rows -= end - start
        del tab.cells[start:end]
    else:
        tab.columns -= end - start
        for line in tab.cells:
            del line[start:end]
    return {}


def _append_dimension(book: Workbook, what: Request) -> Request:
    tab = book.tab_by_id(what["sheetId"])
    if what["dimension"] == "ROWS":
        tab.rows += what["length"]
    else:
        tab.columns += what["length"]
    return {}


def _create_metadata(book: Workbook, what: Request) -> Request:
    given = dict(what["developerMetadata"])
    book.tab_by_id(given["location"]["sheetId"]).metadata.append(given)
    return {"developerMetadata": given}


def _delete_metadata(book: Workbook, what: Request) -> Request:
    wanted = what["dataFilter"]["developerMetadataLookup"]
    only = wanted.get("metadataLocation", {}).get("sheetId")
    for tab in book.tabs:
        if only in (None, tab.tab_id):
            tab.metadata = [each for each in tab.metadata if each["metadataKey"] != wanted["metadataKey"]]
    return {}


_KINDS: dict[str, Callable[[Workbook, Request], Request]] = {
    "addSheet": _add_sheet,
    "deleteSheet": _delete_sheet,
    "duplicateSheet": _duplicate_sheet,
    "updateSheetProperties": _update_properties,
    "updateCells": _update_cells,
    "repeatCell": _repeat_cell,
    "copyPaste": _copy_paste,
    "cutPaste": _cut_paste,
    "insertDimension": _insert_dimension,
    "deleteDimension": _delete_dimension,
    "appendDimension": _append_dimension,
    "createDeveloperMetadata": _create_metadata,
    "deleteDeveloperMetadata": _delete_metadata,
}
