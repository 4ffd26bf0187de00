"""Files on their way in."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from lib.contract.errors import ErrorCode
from lib.contract.imports import Delimiter, Encoding, FileSource, SheetColumns, Upload, UploadRequest
from lib.service.routers.deps import Operator, RequestId, ServicesDep, Viewer, problems

router = APIRouter(prefix="/api/uploads", tags=["import"])

UploadId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]
SLICE_LIMIT = 1 << 32
_BYTES = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}


@router.post("", status_code=201, responses=problems(ErrorCode.TOO_LARGE, ErrorCode.NO_SPACE, ErrorCode.CROSS_SITE))
def create_upload(body: UploadRequest, who: Operator, services: ServicesDep, request_id: RequestId) -> Upload:
    """Announce a file before its first byte."""
    return services.uploads.create_upload(body, actor=who.actor, request_id=request_id)


@router.head("/{upload_id}", status_code=204, responses=problems(ErrorCode.NOT_FOUND))
def get_upload_offset(upload_id: UploadId, _: Viewer, services: ServicesDep) -> Response:
    """Where a broken upload goes on: the headers Upload-Offset and Upload-Length."""
    upload = services.uploads.get_upload(upload_id)
    offset = {"Upload-Offset": str(upload.received_bytes), "Upload-Length": str(upload.size_bytes), "Cache-Control": "no-store"}
    return Response(status_code=204, headers=offset)


@router.put(
    "/{upload_id}",
    status_code=204,
    max_body_size=SLICE_LIMIT,
    responses=problems(ErrorCode.NOT_FOUND, ErrorCode.WRONG_OFFSET, ErrorCode.TOO_LARGE, ErrorCode.CROSS_SITE),
    openapi_extra={"requestBody": {"required": True, "content": _BYTES}},
)
async def put_upload_slice(
    upload_id: UploadId, offset: Annotated[int, Query(ge=0)], request: Request, _: Operator, services: ServicesDep
) -> Response:
    """Append the bytes that begin at ``offset``. What arrived of a broken slice is kept: ask with HEAD and go on there."""
    reached = await services.uploads.put_slice(upload_id, offset, request.stream())
    return Response(status_code=204, headers={"Upload-Offset": str(reached)})


@router.get(
    "/{upload_id}/columns",
    responses=problems(ErrorCode.NOT_FOUND, ErrorCode.UPLOAD_INCOMPLETE, ErrorCode.UNREADABLE_SOURCE),
)
def get_upload_columns(
    upload_id: UploadId,
    _: Viewer,
    services: ServicesDep,
    sheet: Annotated[str | None, Query(max_length=200, description="the tab of a workbook")] = None,
    encoding: Encoding | None = None,
    delimiter: Delimiter | None = None,
    header_row: Annotated[int | None, Query(ge=1, le=1000)] = None,
) -> SheetColumns:
    """How the file was read, what its columns are called, and how they would be mapped. What is said of it counts."""
    source = FileSource(upload_id=upload_id, sheet=sheet, encoding=encoding, delimiter=delimiter, header_row=header_row)
    return services.uploads.get_columns(source)
