"""Since somebody last looked."""

from __future__ import annotations

from fastapi import APIRouter

from lib.contract.errors import ErrorCode
from lib.contract.visits import Visit
from lib.service import visits
from lib.service.routers.deps import ServicesDep, Viewer, problems

router = APIRouter(prefix="/api/visits", tags=["looking"])


@router.post("", responses=problems(ErrorCode.CROSS_SITE))
def record_visit(who: Viewer, services: ServicesDep) -> Visit:
    """Say that one looks now; the answer tells what has happened since the visit before. Changes nothing but that."""
    return visits.record_visit(services.database, who.actor)
