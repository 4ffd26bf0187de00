"""The map of the index."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Path
from fastapi.responses import FileResponse, Response

from lib.contract.errors import ErrorCode
from lib.contract.maps import MapReading
from lib.service import maps
from lib.service.routers.deps import ServicesDep, Viewer, problems
from lib.service.routers.downloads import download

router = APIRouter(prefix="/api/index/map", tags=["index"])


@router.get("")
def get_map(_: Viewer, services: ServicesDep) -> MapReading:
    """The newest map, and what is served by now."""
    return maps.get_map(services.config)


@router.get(
    "/{map_id}/points",
    response_class=FileResponse,
    responses=problems(ErrorCode.NOT_FOUND, ErrorCode.BAD_RANGE)
    | {206: {"description": "A part, for a Range."}, 304: {"description": "The points you have are these."}},
)
def get_map_points(
    map_id: Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")],
    _: Viewer,
    services: ServicesDep,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """Every point of this map, as an Arrow stream. The map before the newest can still be had."""
    laid_out, path = maps.find_points(services.config, map_id)
    return download(
        path,
        sha256=laid_out.points_sha256,
        name=f"map-{laid_out.map_id}.arrow",
        media_type="application/vnd.apache.arrow.stream",
        if_none_match=if_none_match,
    )
