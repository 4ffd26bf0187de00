"""The table."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from lib.contract.entries import EntryPage
from lib.contract.errors import ErrorCode
from lib.service import entries
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
