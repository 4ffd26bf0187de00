"""Plans, page by page."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from lib.contract.errors import ErrorCode
from lib.contract.imports import Plan
from lib.contract.states import Change
from lib.service import plans
from lib.service.routers.deps import Cursor, ServicesDep, Viewer, problems

router = APIRouter(prefix="/api/plans", tags=["import"])


@router.get("/{plan_id}", responses=problems(ErrorCode.NOT_FOUND, ErrorCode.BAD_CURSOR))
def get_plan(
    plan_id: str,
    _: Viewer,
    services: ServicesDep,
    change: Change | None = None,
    limit: Annotated[int, Query(ge=0, le=200)] = 50,
    cursor: Cursor = None,
) -> Plan:
    """A plan with one page of its rows, filtered by what would happen to them."""
    return plans.get_plan(services.database, plan_id, change=change, limit=limit, cursor=cursor)
