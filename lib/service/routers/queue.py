"""The queue: how long, how old, its items one by one, what failed, and what to do about it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from lib.contract.errors import ErrorCode
from lib.contract.queue import (
    FailureGroups,
    FailurePage,
    FailureReport,
    ItemAction,
    ItemFilter,
    ItemPage,
    ItemSelection,
    QueueHistory,
    QueueReading,
    Window,
)
from lib.contract.states import FailureCause, ItemState
from lib.service import failures, queue
from lib.service.routers.deps import Cursor, Limit, Operator, RequestId, ServicesDep, Viewer, problems
from lib.service.security import Identity
from lib.service.services import Services

router = APIRouter(prefix="/api/queue", tags=["queue"])

_REFUSALS = problems(ErrorCode.REFUSED, ErrorCode.CROSS_SITE)


@router.get("")
def get_queue(_: Viewer, services: ServicesDep) -> QueueReading:
    """Counts, lag, rates; the same cost however long the queue is."""
    return queue.get_queue(services.database, turned_back=services.search.is_turned_back())


@router.get("/history")
def get_queue_history(_: Viewer, services: ServicesDep, window: Window = Window.H1) -> QueueHistory:
    """Samples of the window, oldest first; gaps stay gaps."""
    return queue.get_queue_history(services.database, window)


@router.get("/items", responses=problems(ErrorCode.BAD_CURSOR))
def list_items(
    _: Viewer,
    services: ServicesDep,
    state: ItemState | None = None,
    cause: FailureCause | None = None,
    import_job_id: Annotated[str | None, Query(max_length=64)] = None,
    worker_id: Annotated[str | None, Query(max_length=200)] = None,
    older_than_seconds: Annotated[int | None, Query(ge=1, le=10**9)] = None,
    text: Annotated[str | None, Query(max_length=200)] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> ItemPage:
    """Items that match every filter given, newest first."""
    wanted = ItemFilter(
        state=state, cause=cause, import_job_id=import_job_id, worker_id=worker_id, older_than_seconds=older_than_seconds, text=text or None
    )
    return queue.list_items(services.database, wanted, limit=limit, cursor=cursor)


@router.post("/items/first", responses=_REFUSALS)
def put_items_first(body: ItemSelection, who: Operator, services: ServicesDep, request_id: RequestId) -> FailureReport:
    """Embed these pending items before others. Nobody starves: whatever waits an hour longer still goes first."""
    return _act(services, ItemAction.PUT_FIRST, body, who, request_id)


@router.post("/items/back", responses=_REFUSALS)
def put_items_back(body: ItemSelection, who: Operator, services: ServicesDep, request_id: RequestId) -> FailureReport:
    """Put these pending items back in line."""
    return _act(services, ItemAction.PUT_BACK, body, who, request_id)


@router.get("/failures", responses=problems(ErrorCode.BAD_CURSOR))
def list_failures(
    _: Viewer, services: ServicesDep, cause: FailureCause | None = None, limit: Limit = 50, cursor: Cursor = None
) -> FailurePage:
    """What could not be embedded, newest first, with its cause in plain words."""
    return failures.list_failures(services.database, cause=cause, limit=limit, cursor=cursor)


@router.get("/failures/groups")
def list_failure_groups(_: Viewer, services: ServicesDep) -> FailureGroups:
    """What failed by cause, with what helps; the same cost however many failed."""
    return failures.list_failure_groups(services.database)


@router.post("/failures/retry", responses=_REFUSALS)
def retry_failures(body: ItemSelection, who: Operator, services: ServicesDep, request_id: RequestId) -> FailureReport:
    """Let the failures that match wait again; safe to repeat. Too many for one answer go on as a job."""
    return _act(services, ItemAction.RETRY, body, who, request_id)


@router.post("/failures/discard", responses=_REFUSALS)
def discard_failures(body: ItemSelection, who: Operator, services: ServicesDep, request_id: RequestId) -> FailureReport:
    """Give up on the failures that match; their entries stay in the table and are not searchable."""
    return _act(services, ItemAction.DISCARD, body, who, request_id)


def _act(services: Services, action: ItemAction, selection: ItemSelection, who: Identity, request_id: str) -> FailureReport:
    return failures.act_on_items(services.database, services.queue, action, selection, actor=who.actor, request_id=request_id)
