"""Every topic at once, for those who poll; and the numbers for Prometheus."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Response
from prometheus_client import CONTENT_TYPE_LATEST

from lib.contract.events import TelemetrySnapshot
from lib.service.metrics import render_metrics
from lib.service.routers.deps import ServicesDep, Viewer

router = APIRouter(tags=["telemetry"])


@router.get("/api/telemetry/snapshot", response_model=TelemetrySnapshot, responses={304: {"description": "Nothing has changed."}})
def get_telemetry_snapshot(
    response: Response, _: Viewer, services: ServicesDep, if_none_match: Annotated[str | None, Header()] = None
) -> TelemetrySnapshot | Response:
    """The readings the live feed carries; 304 while the feed has had no event since the ETag."""
    etag = f'"{services.feed.snapshot_id()}"'
    if if_none_match == etag:
        return Response(status_code=304, headers={"ETag": etag})
    response.headers["ETag"] = etag
    return services.telemetry.snapshot()


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}, "description": "Prometheus text format."}})
def get_metrics(_: Viewer, services: ServicesDep) -> Response:
    """Counters and gauges of queue, workers and index."""
    rendered = render_metrics(services.telemetry.snapshot(), statements=services.database.statements)
    return Response(rendered, media_type=CONTENT_TYPE_LATEST)
