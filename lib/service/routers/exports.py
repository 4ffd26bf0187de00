"""Files that exports made."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import FileResponse, Response

from lib.contract.errors import ErrorCode
from lib.contract.export_plans import CellChange, ExportPlan
from lib.contract.exports import ExportFilter, ExportFormat, ExportPage, ExportScope
from lib.contract.model import utc_now
from lib.service.errors import ServiceError
from lib.service.routers.deps import Cursor, ServicesDep, Viewer, problems
from lib.service.routers.downloads import WantedOfFile, download
from lib.service.storage import exports as rows

router = APIRouter(prefix="/api/exports", tags=["export"])


@router.get("")
def list_exports(_: Viewer, services: ServicesDep) -> ExportPage:
    """Export files that can still be downloaded, newest first."""
    with services.database.read() as connection:
        return ExportPage(items=rows.list_exports(connection, now=utc_now(), limit=100), taken_at=utc_now())


_MEDIA_TYPES = {
    ExportFormat.CSV: "text/csv; charset=utf-8",
    ExportFormat.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ExportFormat.PARQUET: "application/vnd.apache.parquet",
}


@router.post("/scope")
def get_export_scope(body: ExportFilter, _: Viewer, services: ServicesDep) -> ExportScope:
    """How many entries a filter matches, and which columns there are to write. Writes nothing."""
    return services.exports.read_scope(body)


@router.get("/plans/{plan_id}", responses=problems(ErrorCode.NOT_FOUND, ErrorCode.BAD_CURSOR))
def get_export_plan(
    plan_id: str,
    _: Viewer,
    services: ServicesDep,
    change: CellChange | None = None,
    limit: Annotated[int, Query(ge=0, le=200)] = 50,
    cursor: Cursor = None,
) -> ExportPlan:
    """The plan of an export to a sheet with one page of its rows, filtered by what would happen to them."""
    return services.exports.get_plan(plan_id, change=change, limit=limit, cursor=cursor)


@router.get(
    "/{export_id}/file",
    response_class=FileResponse,
    responses=problems(ErrorCode.NOT_FOUND, ErrorCode.EXPIRED, ErrorCode.BAD_RANGE)
    | {206: {"description": "A part, for a Range."}, 304: {"description": "The file you have is this one."}},
)
def download_export(
    export_id: Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")],
    _: Viewer,
    services: ServicesDep,
    wanted: WantedOfFile,
    ticket: Annotated[str | None, Query(description="instead of a token, for links")] = None,
) -> Response:
    """The file, resumable by Range, with its digest."""
    del ticket  # looked at by the guard
    with services.database.read() as connection:
        export = rows.get_export(connection, export_id)
    if export is None:
        raise ServiceError(ErrorCode.NOT_FOUND, "There is no such export file.", action="It may have been removed by age: export again.")
    path = services.config.exports_dir / rows.file_name(export_id, export.format)
    if export.expires_at < utc_now() or not path.is_file():
        raise ServiceError(ErrorCode.EXPIRED, "The file was removed by age.", action="Export again.")
    return download(
        path,
        sha256=export.sha256,
        name=export.name,
        media_type=_MEDIA_TYPES[export.format],
        if_none_match=wanted.if_none_match,
        head_only=wanted.head_only,
    )
