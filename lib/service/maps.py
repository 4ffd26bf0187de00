"""The map as people ask for it, and embedding a part of it again."""

from __future__ import annotations

from pathlib import Path

from lib.contract.errors import ErrorCode
from lib.contract.maps import IndexMap, MapReading, RenewRequest
from lib.contract.model import utc_now
from lib.contract.operations import Started
from lib.service.config import Config
from lib.service.engine import JobQueue
from lib.service.errors import ServiceError
from lib.service.index.generations import Generations
from lib.service.index.maps import Maps
from lib.service.intentions import start_or_wait
from lib.service.jobs import Start
from lib.service.storage.database import Database


def get_map(config: Config) -> MapReading:
    """The newest map, and what is served by now."""
    served = Generations(config.index_dir).current()
    return MapReading(latest=Maps(config.maps_dir).newest(), generation=served.generation if served else None, taken_at=utc_now())


def start_renewal(database: Database, config: Config, queue: JobQueue, request: RenewRequest, start: Start) -> Started:
    """Start embedding a part of a map again; 404 when there is no such map."""
    find_points(config, request.map_id)
    return start_or_wait(database, queue, start, when_free=start.when_free)


def find_points(config: Config, map_id: str) -> tuple[IndexMap, Path]:
    """A map and the file of its points; 404 when there is no such map, or newer ones have taken its place."""
    maps = Maps(config.maps_dir)
    laid_out = maps.made_by(map_id)
    if laid_out is None:
        raise ServiceError(ErrorCode.NOT_FOUND, "There is no such map, or not any more.", action="Open the map on the Index page again.")
    return laid_out, maps.points_of(laid_out)
