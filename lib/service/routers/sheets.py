"""Look at a Google sheet before it is imported or written to."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from lib.contract.errors import ErrorCode
from lib.contract.imports import SheetColumns, SheetSource, SheetTabs
from lib.service import tabs
from lib.service.routers.deps import Operator, ServicesDep, problems

router = APIRouter(prefix="/api/sheets", tags=["sheets"])

Address = Annotated[str, Query(min_length=1, max_length=500, description="the sheet's address or id")]


@router.get("/tabs", responses=problems(ErrorCode.SHEET_UNAVAILABLE))
def list_tabs(spreadsheet: Address, _: Operator, services: ServicesDep) -> SheetTabs:
    """Its title and its tabs, asked of Google now."""
    return tabs.list_tabs(services.database, services.config, spreadsheet)


@router.get("/columns", responses=problems(ErrorCode.SHEET_UNAVAILABLE, ErrorCode.UNREADABLE_SOURCE))
def get_tab_columns(
    spreadsheet: Address,
    tab: Annotated[str, Query(min_length=1, max_length=200)],
    _: Operator,
    services: ServicesDep,
    header_row: Annotated[int | None, Query(ge=1, le=1000)] = None,
) -> SheetColumns:
    """The head of one tab as it is shown, and how it would be mapped."""
    source = SheetSource(kind="google_sheet", spreadsheet=spreadsheet, tab=tab, header_row=header_row)
    return tabs.get_tab_columns(services.database, services.config, source)
