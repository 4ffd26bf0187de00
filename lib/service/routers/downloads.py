"""A file as an answer: resumable by Range, cacheable by its digest, and with problem documents where it cannot serve."""

from __future__ import annotations

import base64
from pathlib import Path

from fastapi.responses import FileResponse, Response
from starlette.types import Message, Receive, Scope, Send

from lib.contract.errors import ErrorCode
from lib.service.errors import ServiceError, problem_response


class _BadRange(Exception):
    """The range is malformed, or beyond the file's end."""


class _Download(FileResponse):
    """Starlette's own answers to a bad range are plain text; here they are problems like any other."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        size: str | None = None

        async def send_unless_refused(message: Message) -> None:
            nonlocal size
            if message["type"] == "http.response.start" and message["status"] in (400, 416):
                size = dict(message["headers"]).get(b"content-range", b"").decode() or None
                raise _BadRange
            await send(message)

        try:
            await super().__call__(scope, receive, send_unless_refused)
        except _BadRange:
            headers = {"Content-Range": size} if size else None
            await problem_response(ServiceError(ErrorCode.BAD_RANGE, headers=headers))(scope, receive, send)


def download(path: Path, *, sha256: str, name: str, media_type: str, if_none_match: str | None) -> Response:
    """The file at ``path``, called ``name`` for the person; 304 when they have exactly this one."""
    digest = base64.b64encode(bytes.fromhex(sha256)).decode()
    headers = {"ETag": f'"{sha256}"', "Repr-Digest": f"sha-256=:{digest}:", "Cache-Control": "private, no-cache"}
    if if_none_match and f'"{sha256}"' in if_none_match:
        return Response(status_code=304, headers=headers)
    return _Download(path, media_type=media_type, filename=name, headers=headers)
