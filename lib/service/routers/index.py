"""The index: what is served, and searching it."""

from __future__ import annotations

from fastapi import APIRouter

from lib.contract.errors import ErrorCode, FieldError
from lib.contract.index import IndexReading, SearchRequest, SearchResult
from lib.service.embedders import EmbeddingFailed
from lib.service.errors import ServiceError
from lib.service.index.reader import IndexUnreadable
from lib.service.routers.deps import ServicesDep, Viewer

router = APIRouter(prefix="/api/index", tags=["index"])


@router.get("")
def get_index(_: Viewer, services: ServicesDep) -> IndexReading:
    """The served generation, and what of the table it lacks."""
    return services.search.read_index()


@router.post("/search")
def search_index(body: SearchRequest, _: Viewer, services: ServicesDep) -> SearchResult:
    """The entries nearest in meaning, best first."""
    try:
        return services.search.search_index(body)
    except IndexUnreadable as unreadable:
        raise ServiceError(ErrorCode.INTERNAL, str(unreadable), action="Rebuild the index on the Index page.") from unreadable
    except EmbeddingFailed as failure:
        detail = f"This text cannot be searched for: {failure.detail}"
        raise ServiceError(ErrorCode.INVALID, detail, errors=[FieldError(pointer="/body/text", detail=failure.detail)]) from failure
