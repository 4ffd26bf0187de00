"""Moments a link can lead back to."""

from __future__ import annotations

from fastapi import APIRouter

from lib.contract.errors import ErrorCode
from lib.contract.moments import Moment
from lib.service import moments
from lib.service.routers.deps import Operator, RequestId, ServicesDep, Viewer, problems

router = APIRouter(prefix="/api/moments", tags=["looking"])


@router.post("", status_code=201, responses=problems(ErrorCode.CROSS_SITE))
def create_moment(who: Operator, services: ServicesDep, request_id: RequestId) -> Moment:
    """Keep the present readings of queue, workers, jobs and index for 30 days."""
    return moments.create_moment(services.database, services.telemetry, actor=who.actor, request_id=request_id)


@router.get("/{moment_id}", responses=problems(ErrorCode.NOT_FOUND))
def get_moment(moment_id: str, _: Viewer, services: ServicesDep) -> Moment:
    """What was known then."""
    return moments.get_moment(services.database, moment_id)
