"""HEAD wherever there is a GET: the same headers, and no body."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: What a request's scope holds when only the head of the answer is wanted: routes that would read a file need not.
HEAD_ONLY = "switchyard.head_only"
#: These answer HEAD themselves, or never end.
_APART = ("/api/uploads/", "/ui/sse")


class HeadAsGet:
    """Has GET routes answer HEAD."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; one for a head as one for the whole, whose body is then left out."""
        if scope["type"] != "http" or scope["method"] != "HEAD" or scope["path"].startswith(_APART):
            await self._app(scope, receive, send)
            return

        async def send_head(message: Message) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        await self._app({**scope, "method": "GET", HEAD_ONLY: True}, receive, send_head)
