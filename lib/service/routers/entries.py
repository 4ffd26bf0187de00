"""The table."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from lib.contract.entries import EntryPage
from lib.contract.errors import ErrorCode
from lib.contract.trace import EntryTrace, TraceMatches
from lib.service import entries, trace
from lib.service.routers.deps import Cursor, Limit, ServicesDep, Viewer, problems

router = APIRouter(prefix="/api/entries", tags=["entries"])


@router.get("", responses=problems(ErrorCode.BAD_CURSOR))
def list_entries(
    _: Viewer,
    services: ServicesDep,
    text: Annotated[str | None, Query(max_length=200)] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> EntryPage:
    """Entries in the order they were first seen, those whose key or text contains ``text``."""
    return entries.list_entries(services.database, services.search, text=text, limit=limit, cursor=cursor)


@router.get("/find")
def find_rows(_: Viewer, services: ServicesDep, query: Annotated[str, Query(min_length=1, max_length=500)]) -> TraceMatches:
    """Rows whose key is or begins with ``query``, then those whose text contains it: which one to trace."""
    return trace.find_rows(services.database, query)


@router.get("/{entry_id}/trace", responses=problems(ErrorCode.NOT_FOUND))
def trace_entry(entry_id: Annotated[int, Path(ge=0, lt=2**63)], _: Viewer, services: ServicesDep) -> EntryTrace:
    """The road of one row: sheet, imports, attempts, vector, index, exports, with times; gaps are called gaps."""
    search = services.search
    return trace.trace_entry(services.database, entry_id, served_revision=search.served_revision(), turned_back=search.is_turned_back())
