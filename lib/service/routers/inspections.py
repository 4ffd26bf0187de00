"""Strange files, looked into; and the way back to an earlier generation."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from lib.contract.errors import ErrorCode
from lib.contract.index import SearchRequest
from lib.contract.inspections import GoBackReading, GoBackRequest, InspectedResult, Inspection
from lib.service.routers.deps import Operator, RequestId, ServicesDep, Viewer, problems

router = APIRouter(tags=["index"])

InspectionId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]
_TROUBLES = problems(ErrorCode.NOT_FOUND, ErrorCode.NOT_READY, ErrorCode.EXPIRED)


@router.get("/api/inspections/{inspection_id}", responses=_TROUBLES)
def get_inspection(inspection_id: InspectionId, _: Viewer, services: ServicesDep) -> Inspection:
    """What is inside, and what would change if it were served."""
    return services.inspections.get_inspection(inspection_id)


@router.post("/api/inspections/{inspection_id}/search", responses=_TROUBLES | problems(ErrorCode.CROSS_SITE))
def search_inspection(inspection_id: InspectionId, body: SearchRequest, _: Viewer, services: ServicesDep) -> InspectedResult:
    """Search the inspected file instead of the served generation."""
    return services.inspections.search_inspection(inspection_id, body)


@router.get("/api/index/go-back")
def get_go_back(_: Viewer, services: ServicesDep) -> GoBackReading:
    """Whether one can go back, and to which generation."""
    return services.inspections.get_go_back()


@router.post("/api/index/go-back", responses=problems(ErrorCode.REFUSED, ErrorCode.NOT_READY, ErrorCode.CROSS_SITE))
def go_back(body: GoBackRequest, who: Operator, services: ServicesDep, request_id: RequestId) -> GoBackReading:
    """Serve the generation before again, or another that is still on disk. Done when this answers."""
    return services.inspections.go_back(body, actor=who.actor, request_id=request_id)
