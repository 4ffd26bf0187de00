"""Is the process up, and would it serve."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from sqlalchemy.exc import SQLAlchemyError

from lib.contract.states import Actual, WorkerRole
from lib.service.routers.deps import ServicesDep
from lib.service.wishes import read_workers

router = APIRouter(tags=["health"])

_NOT_THERE = (Actual.STARTING, Actual.STOPPED)


@router.get("/healthz")
def get_health() -> dict[str, str]:
    """The process answers."""
    return {"health": "ok"}


@router.get("/readyz", responses={503: {"description": "A part is missing; the body says which."}})
def get_readiness(response: Response, services: ServicesDep) -> dict[str, Any]:
    """The database answers, and a live worker of each role is there to do what is asked."""
    try:
        with services.database.read() as connection:
            alive = {w.role for w in read_workers(connection).workers if not w.stale and w.actual not in _NOT_THERE}
    except SQLAlchemyError:
        response.status_code = 503
        return {"ready": False, "missing": ["database"]}
    missing = [f"{role} worker" for role in WorkerRole if role not in alive]
    response.status_code = 503 if missing else 200
    return {"ready": not missing, "missing": missing}
