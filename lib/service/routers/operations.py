"""Start operations, and say which may start."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

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
from lib.service.routers.deps import Admin, Cursor, Limit, Operator, RequestId, ServicesDep, Viewer, problems
from lib.service.routers.starts import Starter, point, starts

router = APIRouter(prefix="/api/operations", tags=["operations"])


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
    point(response, f"/api/plans/{plan_id}")
    return PlanStarted(plan_id=plan_id)


@router.post("/import", **starts(ErrorCode.NOT_FOUND))
def start_import(body: ImportRequest, who: Operator, services: ServicesDep, starter: Starter) -> Started:
    """Apply exactly one plan."""
    start = starter.ask(Operation.IMPORT, body.model_dump(mode="json", exclude_none=True), who)
    return starter.tell(plans.start_import(services.database, services.config, services.queue, body, start))


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


@router.post("/import/{job_id}/undo", **starts(ErrorCode.NOT_FOUND))
def start_undo(job_id: str, body: EmptyRequest, who: Operator, services: ServicesDep, starter: Starter) -> Started:
    """Take back what one import did, where nobody has changed it since."""
    del body
    start = starter.ask(Operation.UNDO, {"import_job_id": job_id}, who)
    return starter.tell(undo.start_undo(services.database, services.queue, job_id, start))


@router.post("/export/preview", status_code=202, responses=problems(ErrorCode.REFUSED, ErrorCode.CROSS_SITE))
def preview_export(
    body: ExportPreviewRequest, response: Response, who: Operator, services: ServicesDep, request_id: RequestId
) -> PlanStarted:
    """Compare the table with a Google sheet: what an export would write, cell by cell. Writes nothing there."""
    plan_id = services.exports.preview_export(services.queue, body, actor=who.actor, request_id=request_id)
    point(response, f"/api/exports/plans/{plan_id}")
    return PlanStarted(plan_id=plan_id)


@router.post("/export", **starts(ErrorCode.NOT_FOUND))
def start_export(body: ExportRequest, who: Operator, services: ServicesDep, starter: Starter) -> Started:
    """Write entries to a target."""
    services.exports.check_columns(body.columns)
    check_target(services.database, body)
    return starter.start(Operation.EXPORT, body.model_dump(mode="json"), who)


@router.post("/refresh", **starts())
def start_refresh(body: EmptyRequest, who: Operator, starter: Starter) -> Started:
    """Bring the index up to date with the vectors that changed."""
    return starter.start(Operation.REFRESH, body.model_dump(), who)


@router.post("/rebuild", **starts())
def start_rebuild(body: EmptyRequest, who: Operator, starter: Starter) -> Started:
    """Build a full new generation of the index."""
    return starter.start(Operation.REBUILD, body.model_dump(), who)


@router.post("/snapshot", **starts())
def start_snapshot(body: SnapshotRequest, who: Operator, starter: Starter) -> Started:
    """Save a copy of the served generation."""
    return starter.start(Operation.SNAPSHOT, body.model_dump(), who)


@router.post("/inspect", **starts(ErrorCode.NOT_FOUND, ErrorCode.UPLOAD_INCOMPLETE))
def start_inspection(body: InspectRequest, who: Operator, services: ServicesDep, starter: Starter) -> Started:
    """Read a snapshot or an uploaded FAISS file safely, and compare it with what is served. Changes nothing."""
    start = starter.ask(Operation.INSPECT, body.model_dump(mode="json"), who)
    return starter.tell(services.inspections.start_inspection(body, start))


@router.post("/restore", **starts(ErrorCode.NOT_FOUND, ErrorCode.EXPIRED))
def start_restore(body: RestoreRequest, who: Admin, services: ServicesDep, starter: Starter) -> Started:
    """Serve what was inspected as the next generation."""
    start = starter.ask(Operation.RESTORE, body.model_dump(mode="json"), who)
    return starter.tell(services.inspections.start_restore(body, start))


@router.get("/reembed")
def get_reembedding(wanted: Annotated[ReembedRequest, Query()], _: Viewer, services: ServicesDep) -> ReembedPlan:
    """What a change of the model would cost. Changes nothing."""
    return reembedding.plan_reembedding(services.database, services.config, wanted)


@router.post("/reembed", **starts())
def start_reembedding(body: ReembedRequest, who: Admin, services: ServicesDep, starter: Starter) -> Started:
    """Embed every row with another model, then switch to it."""
    reembedding.open_wanted(services.database, services.config, body)
    return starter.start(Operation.REEMBED, body.model_dump(mode="json", exclude_none=True), who)


@router.post("/rehearse", **starts(ErrorCode.NOT_FOUND, ErrorCode.FORBIDDEN))
def start_rehearsal(body: RehearseRequest, who: Operator, services: ServicesDep, starter: Starter) -> Started:
    """Try an import or another model on sample rows beside production. Changes nothing. Another model needs the role admin."""
    start = starter.ask(Operation.REHEARSE, body.model_dump(mode="json", exclude_none=True), who)
    return starter.tell(services.rehearsals.start_rehearsal(body, start, who))


@router.post("/map", **starts())
def start_map(body: MapRequest, who: Operator, starter: Starter) -> Started:
    """Lay the served generation out on a plane. Changes nothing else."""
    return starter.start(Operation.MAP, body.model_dump(), who)


@router.post("/renew", **starts(ErrorCode.NOT_FOUND))
def start_renewal(body: RenewRequest, who: Operator, services: ServicesDep, starter: Starter) -> Started:
    """Put the rows of a part of a map into the queue to be embedded again; the index answers with their vectors until then."""
    start = starter.ask(Operation.RENEW, body.model_dump(mode="json", exclude_none=True), who)
    return starter.tell(maps.start_renewal(services.database, services.config, services.queue, body, start))


@router.post("/repair", **starts())
def start_repair(body: RepairRequest, who: Operator, starter: Starter) -> Started:
    """Repair what one check found: queue entries again, rebuild the index where it is wrong itself."""
    return starter.start(Operation.REPAIR, body.model_dump(), who)


@router.post("/requeue", **starts())
def start_requeue(body: RequeueRequest, who: Operator, starter: Starter) -> Started:
    """Retry, discard or put first every item that matches, as a job; a retry may send canaries ahead."""
    return starter.start(Operation.REQUEUE, body.model_dump(mode="json"), who)
