"""Start operations, and say which may start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from lib.contract.errors import ErrorCode
from lib.contract.export_plans import ExportPreviewRequest
from lib.contract.exports import ExportRequest
from lib.contract.health import RepairRequest
from lib.contract.imports import ImportRequest, PlanStarted, PreviewRequest, UndoReport
from lib.contract.inspections import InspectRequest, RestoreRequest
from lib.contract.maps import MapRequest, RenewRequest
from lib.contract.operations import EmptyRequest, OperationsReading, SnapshotRequest, Started
from lib.contract.queue import RequeueRequest
from lib.contract.reembedding import ReembedPlan, ReembedRequest
from lib.contract.rehearsals import RehearseRequest
from lib.contract.states import Operation, UndoOutcome
from lib.service import jobs, maps, plans, reembedding, undo
from lib.service.exports import check_target
from lib.service.intentions import start_or_wait
from lib.service.jobs import Start
from lib.service.routers.deps import Admin, Cursor, IdempotencyKey, Limit, Operator, RequestId, ServicesDep, Viewer, problems
from lib.service.security import Identity
from lib.service.services import Services

router = APIRouter(prefix="/api/operations", tags=["operations"])

_REFUSALS = problems(ErrorCode.REFUSED, ErrorCode.IDEMPOTENCY_KEY_REUSED, ErrorCode.CROSS_SITE)


@dataclass(frozen=True)
class _How:
    """How a start is asked for: once only, and now or when the gate opens."""

    key: str | None
    when_free: bool

    def start(self, operation: Operation, arguments: dict[str, Any], who: Identity, request_id: str) -> Start:
        """The start of one operation, asked for like this."""
        return Start(
            operation=operation,
            arguments=arguments,
            actor=who.actor,
            request_id=request_id,
            idempotency_key=self.key,
            when_free=self.when_free,
        )


def _how(
    key: IdempotencyKey = None,
    when_free: Annotated[bool, Query(description="if another operation is in the way, start by itself when it ends")] = False,
) -> _How:
    return _How(key, when_free)


HowToStart = Annotated[_How, Depends(_how)]


@router.get("")
def list_operations(_: Viewer, services: ServicesDep) -> OperationsReading:
    """For each operation: its gate, what runs, what ran last."""
    return jobs.list_operations(services.database)


@router.post(
    "/import/preview",
    status_code=202,
    responses=problems(
        ErrorCode.NOT_FOUND, ErrorCode.UPLOAD_INCOMPLETE, ErrorCode.REFUSED, ErrorCode.SHEET_UNAVAILABLE, ErrorCode.CROSS_SITE
    ),
)
def preview_import(body: PreviewRequest, response: Response, who: Operator, services: ServicesDep, request_id: RequestId) -> PlanStarted:
    """Make a plan: what an import would change. Writes nothing else."""
    plan_id = plans.preview_import(services.database, services.queue, services.uploads, body, actor=who.actor, request_id=request_id)
    response.headers["Location"] = f"/api/plans/{plan_id}"
    response.headers["Retry-After"] = "1"
    return PlanStarted(plan_id=plan_id)


@router.post("/import", status_code=202, response_model_exclude_none=True, responses=_REFUSALS | problems(ErrorCode.NOT_FOUND))
def start_import(
    body: ImportRequest, response: Response, who: Operator, services: ServicesDep, request_id: RequestId, how: HowToStart
) -> Started:
    """Apply exactly one plan."""
    started = plans.start_import(
        services.database,
        services.config,
        services.queue,
        body,
        actor=who.actor,
        request_id=request_id,
        idempotency_key=how.key,
        when_free=how.when_free,
    )
    return _point(response, started)


@router.get("/import/{job_id}/undo", responses=problems(ErrorCode.NOT_FOUND, ErrorCode.BAD_CURSOR))
def get_undo(
    job_id: str,
    _: Viewer,
    services: ServicesDep,
    outcome: Annotated[UndoOutcome | None, Query(description="only the rows that end like this")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> UndoReport:
    """What taking this import back would do with each row, or has done."""
    return undo.get_undo(services.database, job_id, outcome=outcome, limit=limit, cursor=cursor)


@router.post(
    "/import/{job_id}/undo", status_code=202, response_model_exclude_none=True, responses=_REFUSALS | problems(ErrorCode.NOT_FOUND)
)
def start_undo(
    job_id: str, body: EmptyRequest, response: Response, who: Operator, services: ServicesDep, request_id: RequestId, how: HowToStart
) -> Started:
    """Take back what one import did, where nobody has changed it since."""
    del body
    started = undo.start_undo(
        services.database,
        services.queue,
        job_id,
        actor=who.actor,
        request_id=request_id,
        idempotency_key=how.key,
        when_free=how.when_free,
    )
    return _point(response, started)


@router.post("/export/preview", status_code=202, responses=_REFUSALS)
def preview_export(
    body: ExportPreviewRequest, response: Response, who: Operator, services: ServicesDep, request_id: RequestId
) -> PlanStarted:
    """Compare the table with a Google sheet: what an export would write, cell by cell. Writes nothing there."""
    plan_id = services.exports.preview_export(services.queue, body, actor=who.actor, request_id=request_id)
    response.headers["Location"] = f"/api/exports/plans/{plan_id}"
    response.headers["Retry-After"] = "1"
    return PlanStarted(plan_id=plan_id)


@router.post("/export", status_code=202, response_model_exclude_none=True, responses=_REFUSALS | problems(ErrorCode.NOT_FOUND))
def start_export(
    body: ExportRequest, response: Response, who: Operator, services: ServicesDep, request_id: RequestId, how: HowToStart
) -> Started:
    """Write entries to a target."""
    services.exports.check_columns(body.columns)
    check_target(services.database, body)
    return _start(services, response, how.start(Operation.EXPORT, body.model_dump(mode="json"), who, request_id))


@router.post("/refresh", status_code=202, response_model_exclude_none=True, responses=_REFUSALS)
def start_refresh(
    body: EmptyRequest, response: Response, who: Operator, services: ServicesDep, request_id: RequestId, how: HowToStart
) -> Started:
    """Bring the index up to date with the vectors that changed."""
    return _start(services, response, how.start(Operation.REFRESH, body.model_dump(), who, request_id))


@router.post("/rebuild", status_code=202, response_model_exclude_none=True, responses=_REFUSALS)
def start_rebuild(
    body: EmptyRequest, response: Response, who: Operator, services: ServicesDep, request_id: RequestId, how: HowToStart
) -> Started:
    """Build a full new generation of the index."""
    return _start(services, response, how.start(Operation.REBUILD, body.model_dump(), who, request_id))


@router.post("/snapshot", status_code=202, response_model_exclude_none=True, responses=_REFUSALS)
def start_snapshot(
    body: SnapshotRequest, response: Response, who: Operator, services: ServicesDep, request_id: RequestId, how: HowToStart
) -> Started:
    """Save a copy of the served generation."""
    return _start(services, response, how.start(Operation.SNAPSHOT, body.model_dump(), who, request_id))


@router.post(
    "/inspect",
    status_code=202,
    response_model_exclude_none=True,
    responses=_REFUSALS | problems(ErrorCode.NOT_FOUND, ErrorCode.UPLOAD_INCOMPLETE),
)
def start_inspection(
    body: InspectRequest, response: Response, who: Operator, services: ServicesDep, request_id: RequestId, how: HowToStart
) -> Started:
    """Read a snapshot or an uploaded FAISS file safely, and compare it with what is served. Changes nothing."""
    start = how.start(Operation.INSPECT, body.model_dump(mode="json"), who, request_id)
    return _point(response, services.inspections.start_inspection(body, start))


@router.post(
    "/restore", status_code=202, response_model_exclude_none=True, responses=_REFUSALS | problems(ErrorCode.NOT_FOUND, ErrorCode.EXPIRED)
)
def start_restore(
    body: RestoreRequest, response: Response, who: Admin, services: ServicesDep, request_id: RequestId, how: HowToStart
) -> Started:
    """Serve what was inspected as the next generation."""
    start = how.start(Operation.RESTORE, body.model_dump(mode="json"), who, request_id)
    return _point(response, services.inspections.start_restore(body, start))


@router.get("/reembed")
def get_reembedding(wanted: Annotated[ReembedRequest, Query()], _: Viewer, services: ServicesDep) -> ReembedPlan:
    """What a change of the model would cost. Changes nothing."""
    return reembedding.plan_reembedding(services.database, services.config, wanted)


@router.post("/reembed", status_code=202, response_model_exclude_none=True, responses=_REFUSALS)
def start_reembedding(
    body: ReembedRequest, response: Response, who: Admin, services: ServicesDep, request_id: RequestId, how: HowToStart
) -> Started:
    """Embed every row with another model, then switch to it."""
    reembedding.open_wanted(services.database, services.config, body)
    return _start(services, response, how.start(Operation.REEMBED, body.model_dump(mode="json", exclude_none=True), who, request_id))


@router.post(
    "/rehearse", status_code=202, response_model_exclude_none=True, responses=_REFUSALS | problems(ErrorCode.NOT_FOUND, ErrorCode.FORBIDDEN)
)
def start_rehearsal(
    body: RehearseRequest, response: Response, who: Operator, services: ServicesDep, request_id: RequestId, how: HowToStart
) -> Started:
    """Try an import or another model on sample rows beside production. Changes nothing. Another model needs the role admin."""
    start = how.start(Operation.REHEARSE, body.model_dump(mode="json", exclude_none=True), who, request_id)
    return _point(response, services.rehearsals.start_rehearsal(body, start, who))


@router.post("/map", status_code=202, response_model_exclude_none=True, responses=_REFUSALS)
def start_map(
    body: MapRequest, response: Response, who: Operator, services: ServicesDep, request_id: RequestId, how: HowToStart
) -> Started:
    """Lay the served generation out on a plane. Changes nothing else."""
    return _start(services, response, how.start(Operation.MAP, body.model_dump(), who, request_id))


@router.post("/renew", status_code=202, response_model_exclude_none=True, responses=_REFUSALS | problems(ErrorCode.NOT_FOUND))
def start_renewal(
    body: RenewRequest, response: Response, who: Operator, services: ServicesDep, request_id: RequestId, how: HowToStart
) -> Started:
    """Put the rows of a part of a map into the queue to be embedded again; the index answers with their vectors until then."""
    start = how.start(Operation.RENEW, body.model_dump(mode="json", exclude_none=True), who, request_id)
    return _point(response, maps.start_renewal(services.database, services.config, services.queue, body, start))


@router.post("/repair", status_code=202, response_model_exclude_none=True, responses=_REFUSALS)
def start_repair(
    body: RepairRequest, response: Response, who: Operator, services: ServicesDep, request_id: RequestId, how: HowToStart
) -> Started:
    """Repair what one check found: queue entries again, rebuild the index where it is wrong itself."""
    return _start(services, response, how.start(Operation.REPAIR, body.model_dump(), who, request_id))


@router.post("/requeue", status_code=202, response_model_exclude_none=True, responses=_REFUSALS)
def start_requeue(
    body: RequeueRequest, response: Response, who: Operator, services: ServicesDep, request_id: RequestId, how: HowToStart
) -> Started:
    """Retry, discard or put first every item that matches, as a job; a retry may send canaries ahead."""
    return _start(services, response, how.start(Operation.REQUEUE, body.model_dump(mode="json"), who, request_id))


def _start(services: Services, response: Response, start: Start) -> Started:
    return _point(response, start_or_wait(services.database, services.queue, start, when_free=start.when_free))


def _point(response: Response, started: Started) -> Started:
    """202: where the job is, or the intention that waits to start it, and when to look again."""
    response.headers["Location"] = f"/api/jobs/{started.job_id}" if started.job_id else f"/api/intentions/{started.intention_id}"
    response.headers["Retry-After"] = "1"
    return started
