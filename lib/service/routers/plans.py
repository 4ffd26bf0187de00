"""Plans, page by page, and the ticks of their rows."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from lib.contract.errors import ErrorCode
from lib.contract.imports import Plan
from lib.contract.plans import RowFilter, TickRequest
from lib.contract.states import Change, RowRule
from lib.service import plan_rows, plans
from lib.service.routers.deps import Cursor, Operator, RequestId, ServicesDep, Viewer, problems

router = APIRouter(prefix="/api/plans", tags=["import"])


@router.get("/{plan_id}", responses=problems(ErrorCode.NOT_FOUND, ErrorCode.BAD_CURSOR))
def get_plan(
    plan_id: str,
    _: Viewer,
    services: ServicesDep,
    change: Change | None = None,
    rule: RowRule | None = None,
    text: Annotated[str | None, Query(max_length=200, description="only rows whose key or text contains this")] = None,
    ticked: bool | None = None,
    limit: Annotated[int, Query(ge=0, le=200)] = 50,
    cursor: Cursor = None,
) -> Plan:
    """A plan with one page of its rows: by what would happen to them, which rule they break, what they say, whether they are ticked."""
    wanted = RowFilter(change=change, rule=rule, text=text or None, ticked=ticked)
    return plans.get_plan(services.database, plan_id, wanted, limit=limit, cursor=cursor)


@router.put("/{plan_id}/ticks", responses=problems(ErrorCode.NOT_FOUND, ErrorCode.REFUSED, ErrorCode.CROSS_SITE))
def tick_rows(plan_id: str, body: TickRequest, who: Operator, services: ServicesDep, request_id: RequestId) -> Plan:
    """Tick or untick rows: an unticked one is left as it is in the table. Answers the plan without its rows."""
    plan_rows.tick_rows(services.database, plan_id, body, actor=who.actor, request_id=request_id)
    return plans.get_plan(services.database, plan_id, RowFilter(), limit=0, cursor=None)


@router.get(
    "/{plan_id}/bad-rows",
    response_class=StreamingResponse,
    responses=problems(ErrorCode.NOT_FOUND) | {200: {"content": {"text/csv": {}}, "description": "The invalid rows as CSV."}},
)
def download_bad_rows(
    plan_id: str, _: Viewer, services: ServicesDep, ticket: Annotated[str | None, Query(description="instead of a token, for links")] = None
) -> StreamingResponse:
    """Every invalid row with its number, what is wrong and how to mend it, safe to open in a spreadsheet."""
    del ticket  # looked at by the guard
    headers = {"Content-Disposition": f'attachment; filename="bad-rows-{plan_id[:8]}.csv"'}
    lines = plan_rows.write_bad_rows(services.database, plan_id)
    return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)
