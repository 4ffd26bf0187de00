"""Changes that were tried and not made."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from lib.contract.errors import ErrorCode
from lib.contract.index import SearchRequest
from lib.contract.rehearsals import Rehearsal, RehearsalPage, RehearsedResult
from lib.service.routers.deps import Operator, RequestId, ServicesDep, Viewer, problems

router = APIRouter(prefix="/api/rehearsals", tags=["index"])

RehearsalId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]
_TROUBLES = problems(ErrorCode.NOT_FOUND, ErrorCode.NOT_READY, ErrorCode.EXPIRED)


@router.get("")
def list_rehearsals(_: Viewer, services: ServicesDep) -> RehearsalPage:
    """What was tried, by whom, when, what it came to, and how long it is kept."""
    return services.rehearsals.list_rehearsals()


@router.get("/{rehearsal_id}", responses=_TROUBLES)
def get_rehearsal(rehearsal_id: RehearsalId, _: Viewer, services: ServicesDep) -> Rehearsal:
    """Before and after, side by side."""
    return services.rehearsals.get_rehearsal(rehearsal_id)


@router.post("/{rehearsal_id}/search", responses=_TROUBLES | problems(ErrorCode.CROSS_SITE))
def search_rehearsal(rehearsal_id: RehearsalId, body: SearchRequest, _: Viewer, services: ServicesDep) -> RehearsedResult:
    """Search the sample as it is and as it would be."""
    return services.rehearsals.search_rehearsal(rehearsal_id, body)


@router.delete("/{rehearsal_id}", status_code=204, responses=problems(ErrorCode.NOT_FOUND, ErrorCode.REFUSED, ErrorCode.CROSS_SITE))
def delete_rehearsal(rehearsal_id: RehearsalId, who: Operator, services: ServicesDep, request_id: RequestId) -> None:
    """Throw a rehearsal away before its time."""
    services.rehearsals.delete_rehearsal(rehearsal_id, actor=who.actor, request_id=request_id)
