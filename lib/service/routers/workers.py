"""Workers: read, pause, resume, drain, scale."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime

from lib.contract.errors import ErrorCode
from lib.contract.states import Desired
from lib.contract.workers import (
    MAX_CREW,
    DrainWish,
    DrainWorkersWish,
    Forecast,
    ScaleRequest,
    Worker,
    WorkerLog,
    WorkersReading,
    WorkersWish,
    WorkerWish,
)
from lib.service import scale, wishes, worker_log
from lib.service.routers.deps import Operator, RequestId, ServicesDep, Viewer, problems

router = APIRouter(prefix="/api/workers", tags=["workers"])

_ONE = problems(ErrorCode.NOT_FOUND, ErrorCode.REFUSED, ErrorCode.CROSS_SITE)
_ALL = problems(ErrorCode.NOT_FOUND, ErrorCode.REFUSED, ErrorCode.CROSS_SITE)


@router.get("")
def list_workers(_: Viewer, services: ServicesDep) -> WorkersReading:
    """All workers: what people want of them, and what they last said."""
    return wishes.list_workers(services.database)


@router.post("/pause", status_code=202, responses=_ALL)
def pause_workers(body: WorkersWish, who: Operator, services: ServicesDep, request_id: RequestId) -> WorkersReading:
    """Those named, or every embedding worker: claim nothing until resumed. Lasts over restarts."""
    return wishes.set_desired_of_some(services.database, Desired.PAUSED, body, actor=who.actor, request_id=request_id)


@router.post("/resume", status_code=202, responses=_ALL)
def resume_workers(body: WorkersWish, who: Operator, services: ServicesDep, request_id: RequestId) -> WorkersReading:
    """Those named, or every embedding worker: claim work again."""
    return wishes.set_desired_of_some(services.database, Desired.RUNNING, body, actor=who.actor, request_id=request_id)


@router.post("/drain", status_code=202, responses=_ALL)
def drain_workers(body: DrainWorkersWish, who: Operator, services: ServicesDep, request_id: RequestId) -> WorkersReading:
    """Those named, or every embedding worker: finish what is in hand, take no more."""
    return wishes.set_desired_of_some(services.database, Desired.DRAINING, body, actor=who.actor, request_id=request_id)


@router.post("/scale", status_code=202, responses=_ALL)
def scale_workers(body: ScaleRequest, who: Operator, services: ServicesDep, request_id: RequestId) -> WorkersReading:
    """Run so many embedding workers on this machine. Lasts over restarts; those too many drain, then end."""
    return scale.scale_workers(services.database, body, actor=who.actor, request_id=request_id)


@router.get("/forecast")
def get_forecast(
    _: Viewer,
    services: ServicesDep,
    workers: Annotated[int | None, Query(ge=0, le=MAX_CREW)] = None,
    batch_size: Annotated[int | None, Query(ge=1, le=8192)] = None,
) -> Forecast:
    """How long the backlog would take with so many workers and such batches; as things are, where nothing is said."""
    return scale.get_forecast(services.database, workers, batch_size)


@router.get("/{worker_id}/log")
def get_worker_log(
    worker_id: Annotated[str, Path(max_length=200)], at: Annotated[AwareDatetime, Query()], _: Viewer, services: ServicesDep
) -> WorkerLog:
    """What the worker wrote around a moment, such as when a row failed in its hands: half a minute before, and a little after."""
    return worker_log.read_worker_log(services.config, worker_id, at)


@router.post("/{worker_id}/pause", status_code=202, responses=_ONE)
def pause_worker(worker_id: str, body: WorkerWish, who: Operator, services: ServicesDep, request_id: RequestId) -> Worker:
    """One worker: claim nothing until resumed. Lasts over restarts."""
    return wishes.set_desired(services.database, worker_id, Desired.PAUSED, body, actor=who.actor, request_id=request_id)


@router.post("/{worker_id}/resume", status_code=202, responses=_ONE)
def resume_worker(worker_id: str, body: WorkerWish, who: Operator, services: ServicesDep, request_id: RequestId) -> Worker:
    """One worker: claim work again."""
    return wishes.set_desired(services.database, worker_id, Desired.RUNNING, body, actor=who.actor, request_id=request_id)


@router.post("/{worker_id}/drain", status_code=202, responses=_ONE)
def drain_worker(worker_id: str, body: DrainWish, who: Operator, services: ServicesDep, request_id: RequestId) -> Worker:
    """One worker: finish what is in hand, take no more."""
    return wishes.set_desired(services.database, worker_id, Desired.DRAINING, body, actor=who.actor, request_id=request_id)
