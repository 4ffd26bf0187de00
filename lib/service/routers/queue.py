"""The queue: how long, how old, what failed."""

from __future__ import annotations

from fastapi import APIRouter

from lib.contract.errors import ErrorCode
from lib.contract.queue import FailurePage, FailureReport, FailureSelection, QueueHistory, QueueReading, Window
from lib.contract.states import FailureCause
from lib.service import queue
from lib.service.routers.deps import Cursor, Limit, Operator, RequestId, ServicesDep, Viewer, problems

router = APIRouter(prefix="/api/queue", tags=["queue"])


@router.get("")
def get_queue(_: Viewer, services: ServicesDep) -> QueueReading:
    """Counts, lag, rates; the same cost however long the queue is."""
    return queue.get_queue(services.database)


@router.get("/history")
def get_queue_history(_: Viewer, services: ServicesDep, window: Window = Window.H1) -> QueueHistory:
    """Samples of the window, oldest first; gaps stay gaps."""
    return queue.get_queue_history(services.database, window)


@router.get("/failures", responses=problems(ErrorCode.BAD_CURSOR))
def list_failures(
    _: Viewer, services: ServicesDep, cause: FailureCause | None = None, limit: Limit = 50, cursor: Cursor = None
) -> FailurePage:
    """What could not be embedded, newest first, with its cause in plain words."""
    return queue.list_failures(services.database, cause=cause, limit=limit, cursor=cursor)


@router.post("/failures/retry", responses=problems(ErrorCode.CROSS_SITE))
def retry_failures(body: FailureSelection, who: Operator, services: ServicesDep, request_id: RequestId) -> FailureReport:
    """Let the named failures wait again; safe to repeat."""
    return queue.retry_failures(services.database, body, actor=who.actor, request_id=request_id)


@router.post("/failures/discard", responses=problems(ErrorCode.CROSS_SITE))
def discard_failures(body: FailureSelection, who: Operator, services: ServicesDep, request_id: RequestId) -> FailureReport:
    """Give up on the named failures; their entries stay in the table and are not searchable."""
    return queue.discard_failures(services.database, body, actor=who.actor, request_id=request_id)
