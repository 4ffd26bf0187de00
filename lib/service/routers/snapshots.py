"""Saved copies of the index."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from lib.contract.errors import ErrorCode
from lib.contract.snapshots import SnapshotPage
from lib.service import snapshots
from lib.service.routers.deps import Admin, RequestId, ServicesDep, Viewer, problems

router = APIRouter(prefix="/api/snapshots", tags=["index"])


@router.get("")
def list_snapshots(_: Viewer, services: ServicesDep) -> SnapshotPage:
    """What was saved, by whom, when and why."""
    return snapshots.list_snapshots(services.database)


@router.delete("/{snapshot_id}", status_code=204, responses=problems(ErrorCode.NOT_FOUND, ErrorCode.REFUSED, ErrorCode.CROSS_SITE))
def delete_snapshot(
    snapshot_id: str,
    who: Admin,
    services: ServicesDep,
    request_id: RequestId,
    typed_name: Annotated[str, Query(max_length=80, description="the snapshot's name, typed by the person who deletes it")] = "",
) -> None:
    """Remove a snapshot for good."""
    snapshots.delete_snapshot(
        services.database, services.config, snapshot_id, typed_name=typed_name, actor=who.actor, request_id=request_id
    )
