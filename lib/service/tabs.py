"""Looking at a Google sheet before it is a source: its tabs, and the head of one of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import islice
from typing import TypeVar

from lib.contract.checks import Check
from lib.contract.errors import ErrorCode
from lib.contract.imports import SheetColumns, SheetSource, SheetTab, SheetTabs
from lib.contract.jobs import JobFailure
from lib.contract.model import utc_now
from lib.contract.states import CheckName, CheckState
from lib.service.checks import TIMEOUT
from lib.service.config import Config
from lib.service.credentials import open_sheets
from lib.service.errors import ServiceError
from lib.service.sheets.google import IMPATIENT, Spreadsheet, parse_spreadsheet
from lib.service.sheets.google_errors import SheetsFailed
from lib.service.sheets.google_sheet import GoogleSheet
from lib.service.sheets.reading import UnreadableSheet
from lib.service.storage.checks import get_check, put_checks
from lib.service.storage.database import Database
from lib.service.suggestions import suggest_columns
from lib.service.uploads import SAMPLE_RECORDS

Answer = TypeVar("Answer")


def list_tabs(database: Database, config: Config, address: str) -> SheetTabs:
    """The tabs that are not hidden. Whether the sheet could be opened is remembered as its check."""
    spreadsheet_id = _saying(parse_spreadsheet, address)
    book = _saying(_describe, database, config, spreadsheet_id)
    shown = [tab for tab in book.tabs if not tab.hidden]
    pointed = re.search(r"[#&?]gid=(\d+)", address)
    return SheetTabs(
        spreadsheet_id=spreadsheet_id,
        title=book.title,
        tabs=[SheetTab(title=tab.title, rows=tab.rows, columns=tab.columns) for tab in shown],
        tab=next((tab.title for tab in shown if pointed and tab.tab_id == int(pointed[1])), None),
    )


def _describe(database: Database, config: Config, spreadsheet_id: str) -> Spreadsheet:
    sheets = open_sheets(database, config, patience=IMPATIENT, timeout=TIMEOUT)
    try:
        book = sheets.describe(spreadsheet_id)
    except SheetsFailed as failed:
        if failed.code in (JobFailure.SPREADSHEET_MISSING, JobFailure.SHEET_NOT_SHARED):
            _remember(database, spreadsheet_id, CheckState.FAILED, detail=failed.detail, action=failed.action, code=failed.code)
        raise
    _remember(database, spreadsheet_id, CheckState.PASSED, title=book.title, detail=f"“{book.title}” has {len(book.tabs):,} tabs.")
    return book


def _remember(
    database: Database, spreadsheet_id: str, state: CheckState, *, detail: str, action: str = "", code: str | None = None, title: str = ""
) -> None:
    check = Check(
        name=CheckName.SHEET_REACHABLE,
        state=state,
        detail=detail,
        action=action,
        code=code,
        spreadsheet_id=spreadsheet_id,
        spreadsheet_title=title,
        seconds=0.0,
        checked_at=utc_now(),
    )
    with database.write() as connection:
        put_checks(connection, [check])


def get_tab_columns(database: Database, config: Config, source: SheetSource) -> SheetColumns:
    """The head of a tab, and how it would be mapped."""
    source, name = settle_sheet(database, source)
    sheet, sample = _saying(_read_head, database, config, source)
    found = suggest_columns(database, source.model_dump(), name, sheet.header, sample)
    return SheetColumns(
        columns=sheet.header,
        sample=sample,
        read_as=sheet.read_as,
        suggested=found.mapping,
        suggestions=found.columns,
        missing=found.missing,
    )


def _read_head(database: Database, config: Config, source: SheetSource) -> tuple[GoogleSheet, list[list[str]]]:
    sheet = GoogleSheet(open_sheets(database, config, patience=IMPATIENT, timeout=TIMEOUT), source)
    width = len(sheet.header)
    return sheet, [record.cells[:width] for record in islice(sheet.records(), SAMPLE_RECORDS)]


def settle_sheet(database: Database, source: SheetSource) -> tuple[SheetSource, str]:
    """The source by its id, and what a person calls it: title and tab, as far as they are known without asking Google."""
    spreadsheet_id = _saying(parse_spreadsheet, source.spreadsheet)
    with database.read() as connection:
        known = get_check(connection, CheckName.SHEET_REACHABLE, spreadsheet_id)
    title = known.spreadsheet_title if known else ""
    return source.model_copy(update={"spreadsheet": spreadsheet_id}), f"{title or spreadsheet_id} · {source.tab}"


def _saying(call: Callable[..., Answer], *arguments: object) -> Answer:
    try:
        return call(*arguments)
    except UnreadableSheet as error:
        code = ErrorCode.SHEET_UNAVAILABLE if isinstance(error, SheetsFailed) else ErrorCode.UNREADABLE_SOURCE
        raise ServiceError(code, error.detail, action=error.action) from error
