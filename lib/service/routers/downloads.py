"""Files on their way out: resumable, with a digest, never held in memory."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Header, Request
from fastapi.responses import FileResponse, Response, StreamingResponse

from lib.contract.errors import ErrorCode
from lib.service.errors import ServiceError
from lib.service.head_requests import HEAD_ONLY
from lib.service.index.bundle import Bundle

#: No file has more bytes than these digits can count; longer numbers are not worth reading.
_RANGE = re.compile(r"bytes=([0-9]{0,20})-([0-9]{0,20})", re.IGNORECASE)


@dataclass(frozen=True)
class Wanted:
    """What a request says it wants of a file."""

    head_only: bool
    range_: str | None
    if_none_match: str | None
    if_range: str | None

    def part_of(self, sha256: str, size: int) -> tuple[int, int] | None:
        """(first byte, byte after the last); None when all of it is wanted, or what one answer cannot give."""
        if self.head_only or not self.range_ or self.if_range not in (None, f'"{sha256}"'):
            return None
        match = _RANGE.fullmatch(self.range_.strip())
        if match is None or not (match[1] or match[2]):
            return None
        start = int(match[1]) if match[1] else max(0, size - int(match[2]))
        stop = min(size, int(match[2]) + 1) if match[1] and match[2] else size
        if start >= stop:
            raise ServiceError(ErrorCode.BAD_RANGE, headers={"Content-Range": f"bytes */{size}"})
        return start, stop


def _wanted(
    request: Request,
    range_: Annotated[str | None, Header(alias="Range")] = None,
    if_none_match: Annotated[str | None, Header()] = None,
    if_range: Annotated[str | None, Header()] = None,
) -> Wanted:
    return Wanted(request.scope.get(HEAD_ONLY, False), range_, if_none_match, if_range)


WantedOfFile = Annotated[Wanted, Depends(_wanted)]


def download(path: Path, *, sha256: str, name: str, media_type: str, if_none_match: str | None, head_only: bool = False) -> Response:
    """The file at ``path``, called ``name`` for the person; 304 when they have exactly this one."""
    headers = _identity(sha256)
    if _has(if_none_match, sha256):
        return Response(status_code=304, headers=headers)
    whole = FileResponse(path, media_type=media_type, filename=name, headers=headers, stat_result=path.stat())
    return Response(headers=dict(whole.headers)) if head_only else whole


def download_bundle(bundle: Bundle, wanted: Wanted, *, sha256: str, name: str) -> Response:
    """A bundle as one file, or the one range of it that is wanted; its bytes are read from disk as they are sent.

    FileNotFoundError when its files are gone.
    """
    headers = _identity(sha256) | {"Accept-Ranges": "bytes", "Content-Disposition": f'attachment; filename="{name}"'}
    if _has(wanted.if_none_match, sha256):
        return Response(status_code=304, headers=headers)
    size = bundle.size_bytes
    part = wanted.part_of(sha256, size)
    start, stop = part or (0, size)
    headers["Content-Length"] = str(stop - start)
    if wanted.head_only:
        return Response(headers=headers, media_type="application/x-tar")
    if part:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    blocks = bundle.read(start, stop)
    first = next(blocks)  # its files are open before anything is promised
    return StreamingResponse(chain([first], blocks), 206 if part else 200, headers, media_type="application/x-tar")


def _has(if_none_match: str | None, sha256: str) -> bool:
    """Whether the caller has exactly this file already."""
    return if_none_match is not None and (if_none_match.strip() == "*" or f'"{sha256}"' in if_none_match)


def _identity(sha256: str) -> dict[str, str]:
    digest = base64.b64encode(bytes.fromhex(sha256)).decode()
    return {"ETag": f'"{sha256}"', "Repr-Digest": f"sha-256=:{digest}:", "Cache-Control": "private, no-cache"}
