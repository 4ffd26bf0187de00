"""The index: what is served, and searching it."""

from __future__ import annotations

from fastapi import APIRouter, Response

from lib.contract.errors import ErrorCode
from lib.contract.health import DriftPage, HealthReading
from lib.contract.index import IndexReading, ProbeRequest, SearchResult
from lib.contract.operations import EmptyRequest, Started
from lib.contract.states import DriftKind, Operation
from lib.service import drift
from lib.service.errors import ServiceError
from lib.service.index.reader import IndexUnreadable
from lib.service.intentions import start_or_wait
from lib.service.jobs import Start
from lib.service.routers.deps import Cursor, IdempotencyKey, Limit, Operator, RequestId, ServicesDep, Viewer, problems
from lib.service.routers.starts import point

router = APIRouter(prefix="/api/index", tags=["index"])


@router.get("")
def get_index(_: Viewer, services: ServicesDep) -> IndexReading:
    """The served generation, and what of the table it lacks."""
    return services.search.read_index()


@router.post("/search", responses=problems(ErrorCode.NOT_FOUND, ErrorCode.NOT_READY))
def search_index(body: ProbeRequest, _: Viewer, services: ServicesDep) -> SearchResult:
    """The entries nearest in meaning, best first."""
    try:
        return services.search.search_index(body)
    except IndexUnreadable as unreadable:
        words = "The file of the served index cannot be opened."
        raise ServiceError(ErrorCode.INTERNAL, words, action="Rebuild the index on the Index page.") from unreadable


@router.post(
    "/check",
    status_code=202,
    response_model_exclude_none=True,
    responses=problems(ErrorCode.REFUSED, ErrorCode.IDEMPOTENCY_KEY_REUSED, ErrorCode.CROSS_SITE),
)
def start_check(
    body: EmptyRequest, response: Response, who: Operator, services: ServicesDep, request_id: RequestId, key: IdempotencyKey = None
) -> Started:
    """Compare table and index, look at every vector, measure recall; a job, for it reads everything."""
    start = Start(operation=Operation.CHECK, arguments=body.model_dump(), actor=who.actor, request_id=request_id, idempotency_key=key)
    started = start_or_wait(services.database, services.queue, start, when_free=False)
    point(response, f"/api/jobs/{started.job_id}")
    return started


@router.get("/check")
def get_check(_: Viewer, services: ServicesDep) -> HealthReading:
    """What the newest check found, and what a repair would do about it."""
    return drift.get_check(services.database)


@router.get("/drift", responses=problems(ErrorCode.NOT_FOUND, ErrorCode.BAD_CURSOR))
def list_drift(kind: DriftKind, _: Viewer, services: ServicesDep, limit: Limit = 50, cursor: Cursor = None) -> DriftPage:
    """The rows behind one number of the newest check."""
    return drift.list_drift(services.database, kind, limit=limit, cursor=cursor)
