"""Saved copies of the index."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response, StreamingResponse

from lib.contract.errors import ErrorCode
from lib.contract.snapshots import Snapshot, SnapshotChange, SnapshotPage
from lib.service import snapshots
from lib.service.errors import ServiceError
from lib.service.routers.deps import Admin, Operator, RequestId, ServicesDep, Viewer, problems
from lib.service.routers.downloads import WantedOfFile, download_bundle

router = APIRouter(prefix="/api/snapshots", tags=["index"])

SnapshotId = Annotated[str, Path(max_length=64)]


@router.get("")
def list_snapshots(_: Viewer, services: ServicesDep) -> SnapshotPage:
    """What was saved, by whom, when and why."""
    return snapshots.list_snapshots(services.database)


@router.put("/{snapshot_id}", responses=problems(ErrorCode.NOT_FOUND, ErrorCode.CROSS_SITE))
def change_snapshot(snapshot_id: SnapshotId, body: SnapshotChange, who: Operator, services: ServicesDep, request_id: RequestId) -> Snapshot:
    """Another name, another note, a pin or none."""
    return snapshots.change_snapshot(services.database, snapshot_id, body, actor=who.actor, request_id=request_id)


@router.get(
    "/{snapshot_id}/file",
    response_class=StreamingResponse,
    responses=problems(ErrorCode.NOT_FOUND, ErrorCode.BAD_RANGE)
    | {206: {"description": "A part, for a Range."}, 304: {"description": "The file you have is this one."}},
)
def download_snapshot(
    snapshot_id: SnapshotId,
    _: Operator,
    services: ServicesDep,
    wanted: WantedOfFile,
    ticket: Annotated[str | None, Query(description="instead of a token, for links")] = None,
) -> Response:
    """The complete set as one file (a plain tar), resumable by Range, with its digest."""
    del ticket  # looked at by the guard
    found = snapshots.open_download(services.database, services.config, snapshot_id)
    try:
        return download_bundle(found.bundle, wanted, sha256=found.sha256, name=found.name)
    except FileNotFoundError as gone:  # deleted this moment
        raise ServiceError(ErrorCode.NOT_FOUND, "The snapshot was deleted.", action="Take another.") from gone


@router.delete("/{snapshot_id}", status_code=204, responses=problems(ErrorCode.NOT_FOUND, ErrorCode.REFUSED, ErrorCode.CROSS_SITE))
def delete_snapshot(
    snapshot_id: SnapshotId,
    who: Admin,
    services: ServicesDep,
    request_id: RequestId,
    typed_name: Annotated[str, Query(max_length=80, description="the snapshot's name, typed by the person who deletes it")] = "",
) -> None:
    """Remove a snapshot for good."""
    snapshots.delete_snapshot(
        services.database, services.config, snapshot_id, typed_name=typed_name, actor=who.actor, request_id=request_id
    )
