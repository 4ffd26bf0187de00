"""Where one may go."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from lib.contract.places import MIN_LETTERS, PlacePage
from lib.service import places
from lib.service.routers.deps import ServicesDep, Viewer

router = APIRouter(prefix="/api/places", tags=["places"])


@router.get("")
def find_places(
    _: Viewer,
    services: ServicesDep,
    text: Annotated[str, Query(min_length=MIN_LETTERS, max_length=200)],
    limit: Annotated[int, Query(ge=1, le=50)] = 10,
) -> PlacePage:
    """Jobs, plans, snapshots and rows that ``text`` may mean: the likeliest first."""
    return places.find_places(services.database, text, limit)
