"""Files on their way out: resumable, with a digest, never held in memory."""

from __future__ import annotations

import base64
import re
from pathlib import Path

from fastapi.responses import FileResponse, Response, StreamingResponse

from lib.contract.errors import ErrorCode
from lib.service.errors import ServiceError
from lib.service.index.bundle import Bundle

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


def download(path: Path, *, sha256: str, name: str, media_type: str, if_none_match: str | None) -> Response:
    """The file at ``path``, called ``name`` for the person; 304 when they have exactly this one."""
    headers = _identity(sha256)
    if if_none_match and f'"{sha256}"' in if_none_match:
        return Response(status_code=304, headers=headers)
    return FileResponse(path, media_type=media_type, filename=name, headers=headers)


def download_bundle(
    bundle: Bundle, *, sha256: str, name: str, wanted: str | None, if_none_match: str | None, if_range: str | None
) -> Response:
    """A bundle as one file, or the one range of it that is ``wanted``; its bytes are read from disk as they are sent."""
    headers = _identity(sha256) | {"Accept-Ranges": "bytes", "Content-Disposition": f'attachment; filename="{name}"'}
    if if_none_match and f'"{sha256}"' in if_none_match:
        return Response(status_code=304, headers=headers)
    size, part = bundle.size_bytes, None
    if wanted and (if_range is None or if_range == f'"{sha256}"'):
        part = _part_of(wanted, size)
    start, stop = part or (0, size)
    headers["Content-Length"] = str(stop - start)
    if part:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    return StreamingResponse(bundle.read(start, stop), 206 if part else 200, headers, media_type="application/x-tar")


def _part_of(wanted: str, size: int) -> tuple[int, int] | None:
    """(first byte, byte after the last); None when the header asks for what one answer cannot give, which is then all of it."""
    match = _RANGE.fullmatch(wanted.strip())
    if match is None or not (match[1] or match[2]):
        return None
    start = int(match[1]) if match[1] else max(0, size - int(match[2]))
    stop = min(size, int(match[2]) + 1) if match[1] and match[2] else size
    if start >= stop:
        raise ServiceError(ErrorCode.BAD_RANGE, headers={"Content-Range": f"bytes */{size}"})
    return start, stop


def _identity(sha256: str) -> dict[str, str]:
    digest = base64.b64encode(bytes.fromhex(sha256)).decode()
    return {"ETag": f'"{sha256}"', "Repr-Digest": f"sha-256=:{digest}:", "Cache-Control": "private, no-cache"}
