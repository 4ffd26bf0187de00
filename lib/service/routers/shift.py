"""The shift log: read it, write in it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime

from lib.contract.errors import ErrorCode
from lib.contract.shift import NoteRequest, ShiftEntry, ShiftReading
from lib.service import shift
from lib.service.routers.deps import Limit, Operator, RequestId, ServicesDep, Viewer, problems

router = APIRouter(prefix="/api/shift", tags=["shift"])

EntryId = Annotated[int, Path(ge=1, le=(1 << 63) - 1)]


@router.get("")
def list_shift(
    _: Viewer, services: ServicesDep, since: Annotated[AwareDatetime | None, Query()] = None, limit: Limit = 50
) -> ShiftReading:
    """Notes, and what was done to the pipeline, newest first; of the last 7 days unless said otherwise."""
    return shift.list_shift(services.database, since, limit)


@router.post("/notes", status_code=201, responses=problems(ErrorCode.CROSS_SITE))
def add_note(body: NoteRequest, who: Operator, services: ServicesDep, request_id: RequestId) -> ShiftEntry:
    """Write something down, pinned to its time."""
    return shift.add_note(services.database, body, actor=who.actor, request_id=request_id)


@router.delete("/notes/{entry_id}", status_code=204, responses=problems(ErrorCode.NOT_FOUND, ErrorCode.CROSS_SITE))
def delete_note(entry_id: EntryId, who: Operator, services: ServicesDep, request_id: RequestId) -> None:
    """Take a note back; the audit keeps what it said."""
    shift.delete_note(services.database, entry_id, actor=who.actor, request_id=request_id)
