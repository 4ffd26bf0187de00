"""Start operations, and say which may start."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from lib.contract.errors import ErrorCode
from lib.contract.exports import ExportRequest
from lib.contract.imports import ImportRequest, PlanStarted, PreviewRequest
from lib.contract.operations import EmptyRequest, OperationsReading, Started
from lib.contract.states import Operation
from lib.service import jobs, plans
from lib.service.routers.deps import IdempotencyKey, Operator, RequestId, ServicesDep, Viewer, point_to_job, problems
from lib.service.security import Identity
from lib.service.services import Services

router = APIRouter(prefix="/api/operations", tags=["operations"])

_REFUSALS = problems(ErrorCode.REFUSED, ErrorCode.IDEMPOTENCY_KEY_REUSED, ErrorCode.CROSS_SITE)


@router.get("")
def list_operations(_: Viewer, services: ServicesDep) -> OperationsReading:
    """For each operation: its gate, what runs, what ran last."""
    return jobs.list_operations(services.database)


@router.post("/import/preview", status_code=202, responses=problems(ErrorCode.NOT_FOUND, ErrorCode.UPLOAD_INCOMPLETE, ErrorCode.CROSS_SITE))
def preview_import(body: PreviewRequest, response: Response, who: Operator, services: ServicesDep, request_id: RequestId) -> PlanStarted:
    """Make a plan: what an import would change. Writes nothing else."""
    plan_id = plans.preview_import(services.database, services.queue, services.uploads, body, actor=who.actor, request_id=request_id)
    response.headers["Location"] = f"/api/plans/{plan_id}"
    response.headers["Retry-After"] = "1"
    return PlanStarted(plan_id=plan_id)


@router.post("/import", status_code=202, responses=_REFUSALS | problems(ErrorCode.NOT_FOUND))
def start_import(
    body: ImportRequest, response: Response, who: Operator, services: ServicesDep, request_id: RequestId, key: IdempotencyKey = None
) -> Started:
    """Apply exactly one plan."""
    job_id = plans.start_import(services.database, services.queue, body, actor=who.actor, request_id=request_id, idempotency_key=key)
    point_to_job(response, job_id)
    return Started(job_id=job_id)


@router.post("/export", status_code=202, responses=_REFUSALS)
def start_export(
    body: ExportRequest, response: Response, who: Operator, services: ServicesDep, request_id: RequestId, key: IdempotencyKey = None
) -> Started:
    """Write entries to a file."""
    return _start(services, response, Operation.EXPORT, body.model_dump(mode="json"), who, request_id, key)


@router.post("/refresh", status_code=202, responses=_REFUSALS)
def start_refresh(
    body: EmptyRequest, response: Response, who: Operator, services: ServicesDep, request_id: RequestId, key: IdempotencyKey = None
) -> Started:
    """Bring the index up to date with the vectors that changed."""
    return _start(services, response, Operation.REFRESH, body.model_dump(), who, request_id, key)


@router.post("/rebuild", status_code=202, responses=_REFUSALS)
def start_rebuild(
    body: EmptyRequest, response: Response, who: Operator, services: ServicesDep, request_id: RequestId, key: IdempotencyKey = None
) -> Started:
    """Build a full new generation of the index."""
    return _start(services, response, Operation.REBUILD, body.model_dump(), who, request_id, key)


def _start(
    services: Services, response: Response, operation: Operation, arguments: dict[str, Any], who: Identity, request_id: str, key: str | None
) -> Started:
    start = jobs.Start(operation=operation, arguments=arguments, actor=who.actor, request_id=request_id, idempotency_key=key)
    job_id = jobs.start_job(services.database, services.queue, start)
    point_to_job(response, job_id)
    return Started(job_id=job_id)
