"""Starts that wait for the gate."""

from __future__ import annotations

from fastapi import APIRouter

from lib.contract.errors import ErrorCode
from lib.contract.operations import Intention, IntentionPage
from lib.service import intentions
from lib.service.routers.deps import Operator, RequestId, ServicesDep, Viewer, problems

router = APIRouter(prefix="/api/intentions", tags=["operations"])


@router.get("")
def list_intentions(_: Viewer, services: ServicesDep) -> IntentionPage:
    """What waits to start by itself, and what came of earlier ones."""
    return intentions.list_intentions(services.database)


@router.post("/{intention_id}/cancel", status_code=202, responses=problems(ErrorCode.NOT_FOUND, ErrorCode.REFUSED, ErrorCode.CROSS_SITE))
def cancel_intention(intention_id: str, who: Operator, services: ServicesDep, request_id: RequestId) -> Intention:
    """Call off a start that still waits."""
    return intentions.cancel_intention(services.database, intention_id, actor=who.actor, request_id=request_id)
