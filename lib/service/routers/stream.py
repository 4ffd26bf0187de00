"""`GET /ui/sse`: the live feed as server-sent events."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query
from sse_starlette import EventSourceResponse
from sse_starlette.sse import SendTimeoutError
from starlette.types import Message, Receive, Scope, Send

from lib.contract.errors import ErrorCode, FieldError
from lib.contract.events import Topic
from lib.service.errors import ServiceError
from lib.service.routers.deps import ServicesDep, Viewer

router = APIRouter(tags=["telemetry"])

PING_SECONDS = 5
#: A listener that takes nothing for this long is dropped; it resumes when it comes back.
SEND_TIMEOUT_SECONDS = 30.0


class FeedResponse(EventSourceResponse):
    """The feed's bytes as they are, with a comment now and then that keeps the line alive."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until either side ends."""
        unfinished = False

        async def send_and_note(message: Message) -> None:
            nonlocal unfinished
            await send(message)
            unfinished = message.get("more_body", message["type"] == "http.response.start")

        try:
            await super().__call__(scope, receive, send_and_note)
        except SendTimeoutError:
            return  # a listener that does not read is no error of ours, and no traceback
        if unfinished:  # the server is going down: uvicorn calls a response without an end an error
            await send({"type": "http.response.body", "body": b"", "more_body": False})


@router.get(
    "/ui/sse",
    response_class=FeedResponse,
    summary="The live feed",
    responses={200: {"description": "An event per changed reading, until either side ends.", "content": {"text/event-stream": {}}}},
)
async def listen(
    _: Viewer,
    services: ServicesDep,
    topics: Annotated[str, Query(description="comma-separated topics; empty for all", max_length=200)] = "",
    last_event_id: Annotated[str | None, Header(alias="Last-Event-ID", max_length=64)] = None,
) -> FeedResponse:
    """Whole readings as they change. Send ``Last-Event-ID`` to miss nothing; ``reset`` says that something was missed."""
    return FeedResponse(
        services.feed.stream(last_event_id, _chosen(topics)), ping=PING_SECONDS, send_timeout=SEND_TIMEOUT_SECONDS, sep="\n"
    )


def _chosen(topics: str) -> frozenset[Topic]:
    names = [name.strip() for name in topics.split(",") if name.strip()]
    if unknown := sorted(set(names) - set(Topic)):
        detail = f"There is no topic {', '.join(unknown)}. Topics: {', '.join(Topic)}."
        raise ServiceError(ErrorCode.INVALID, detail, errors=[FieldError(pointer="/query/topics", detail=detail)])
    return frozenset(map(Topic, names)) or frozenset(Topic)
