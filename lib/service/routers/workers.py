"""Workers: read, pause, resume, drain."""

from __future__ import annotations

from fastapi import APIRouter

from lib.contract.errors import ErrorCode
from lib.contract.states import Desired
from lib.contract.workers import Worker, WorkersReading, WorkerWish
from lib.service import workers
from lib.service.routers.deps import Operator, RequestId, ServicesDep, Viewer, problems

router = APIRouter(prefix="/api/workers", tags=["workers"])

_ONE = problems(ErrorCode.NOT_FOUND, ErrorCode.REFUSED, ErrorCode.CROSS_SITE)
_ALL = problems(ErrorCode.CROSS_SITE)


@router.get("")
def list_workers(_: Viewer, services: ServicesDep) -> WorkersReading:
    """All workers: what people want of them, and what they last said."""
    return workers.list_workers(services.database)


@router.post("/pause", status_code=202, responses=_ALL)
def pause_workers(body: WorkerWish, who: Operator, services: ServicesDep, request_id: RequestId) -> WorkersReading:
    """Every embedding worker: claim nothing until resumed. Lasts over restarts."""
    return workers.set_desired_of_all(services.database, Desired.PAUSED, body, actor=who.actor, request_id=request_id)


@router.post("/resume", status_code=202, responses=_ALL)
def resume_workers(body: WorkerWish, who: Operator, services: ServicesDep, request_id: RequestId) -> WorkersReading:
    """Every embedding worker: claim work again."""
    return workers.set_desired_of_all(services.database, Desired.RUNNING, body, actor=who.actor, request_id=request_id)


@router.post("/drain", status_code=202, responses=_ALL)
def drain_workers(body: WorkerWish, who: Operator, services: ServicesDep, request_id: RequestId) -> WorkersReading:
    """Every embedding worker: finish what is in hand, take no more."""
    return workers.set_desired_of_all(services.database, Desired.DRAINING, body, actor=who.actor, request_id=request_id)


@router.post("/{worker_id}/pause", status_code=202, responses=_ONE)
def pause_worker(worker_id: str, body: WorkerWish, who: Operator, services: ServicesDep, request_id: RequestId) -> Worker:
    """One worker: claim nothing until resumed. Lasts over restarts."""
    return workers.set_desired(services.database, worker_id, Desired.PAUSED, body, actor=who.actor, request_id=request_id)


@router.post("/{worker_id}/resume", status_code=202, responses=_ONE)
def resume_worker(worker_id: str, body: WorkerWish, who: Operator, services: ServicesDep, request_id: RequestId) -> Worker:
    """One worker: claim work again."""
    return workers.set_desired(services.database, worker_id, Desired.RUNNING, body, actor=who.actor, request_id=request_id)


@router.post("/{worker_id}/drain", status_code=202, responses=_ONE)
def drain_worker(worker_id: str, body: WorkerWish, who: Operator, services: ServicesDep, request_id: RequestId) -> Worker:
    """One worker: finish what is in hand, take no more."""
    return workers.set_desired(services.database, worker_id, Desired.DRAINING, body, actor=who.actor, request_id=request_id)
