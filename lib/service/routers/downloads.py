"""A file as an answer: resumable by Range, checked and cached by its digest."""

from __future__ import annotations

import base64
from pathlib import Path

from fastapi.responses import FileResponse, Response


def download(path: Path, *, sha256: str, name: str, media_type: str, if_none_match: str | None) -> Response:
    """The file at ``path``, called ``name`` for the person; 304 when they have exactly this one."""
    digest = base64.b64encode(bytes.fromhex(sha256)).decode()
    headers = {"ETag": f'"{sha256}"', "Repr-Digest": f"sha-256=:{digest}:", "Cache-Control": "private, no-cache"}
    if if_none_match and f'"{sha256}"' in if_none_match:
        return Response(status_code=304, headers=headers)
    return FileResponse(path, media_type=media_type, filename=name, headers=headers)
