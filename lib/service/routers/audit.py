"""Who did what."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from lib.contract.audit import AuditPage
from lib.contract.errors import ErrorCode
from lib.contract.model import utc_now
from lib.service import audit
from lib.service.cursors import decode_cursor, split_page
from lib.service.routers.deps import Cursor, Limit, ServicesDep, Viewer, problems
from lib.service.storage.audit import count_actions, list_actions

router = APIRouter(prefix="/api/audit", tags=["audit"])


@router.get("/file", response_class=StreamingResponse, responses={200: {"content": {"text/csv": {}}, "description": "All of it as CSV."}})
def download_audit(
    _: Viewer, services: ServicesDep, ticket: Annotated[str | None, Query(description="instead of a token, for links")] = None
) -> StreamingResponse:
    """Every action that is kept, newest first, safe to open in a spreadsheet."""
    del ticket  # looked at by the guard
    headers = {"Content-Disposition": f'attachment; filename="switchyard-audit-{utc_now():%Y-%m-%d}.csv"'}
    return StreamingResponse(audit.write_csv(services.database), media_type="text/csv; charset=utf-8", headers=headers)


@router.get("", responses=problems(ErrorCode.BAD_CURSOR))
def list_audit(
    _: Viewer,
    services: ServicesDep,
    object_id: Annotated[str | None, Query(max_length=200, description="only actions on this: a job, a worker, a setting")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> AuditPage:
    """Actions, newest first; refusals included."""
    before = decode_cursor(cursor, int)[0] if cursor else None
    with services.database.read() as connection:
        page = list_actions(connection, before=before, limit=limit + 1, object_id=object_id)
        total = count_actions(connection, object_id=object_id)
    shown, more = split_page(page, limit, lambda entry: (entry.audit_id,))
    return AuditPage(items=shown, next_cursor=more, total=total, taken_at=utc_now())
