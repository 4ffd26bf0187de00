"""Files up in slices that resume, files down whole or not at all."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Protocol

from lib.client.errors import TimedOut, Unexpected, Unreachable, WrongOffset
from lib.client.transport import Call, Transport, retrying
from lib.contract.imports import Upload

#: Broken slices in a row without one new byte after which an upload gives up.
UPLOAD_TRIES = 5
DOWNLOAD_CHUNK_BYTES = 1 << 20


class Uploads(Protocol):
    """The three calls an upload is made of."""

    def create_upload(self, name: str, size_bytes: int) -> Upload:
        """Announce a file."""

    def get_upload_offset(self, upload_id: str) -> int:
        """How many bytes have arrived."""

    def put_upload_slice(self, upload_id: str, offset: int, data: bytes) -> int:
        """Send one slice; the new offset."""


def upload_in_slices(
    uploads: Uploads, name: str, data: BinaryIO | bytes, slice_bytes: int, on_progress: Callable[[int, int], None] | None
) -> Upload:
    """Send all of ``data`` (seekable if a file); after a broken slice go on from where the service says it stands."""
    file = io.BytesIO(data) if isinstance(data, bytes) else data
    size = file.seek(0, os.SEEK_END)
    upload = uploads.create_upload(name, size)
    offset, broken = 0, 0
    while offset < size:
        file.seek(offset)
        try:
            reached = uploads.put_upload_slice(upload.upload_id, offset, file.read(slice_bytes))
        except (Unreachable, TimedOut, WrongOffset):
            broken += 1
            if broken >= UPLOAD_TRIES:
                raise
            time.sleep(0.1 * broken)
            reached = uploads.get_upload_offset(upload.upload_id)
        if not 0 <= reached <= size:
            raise Unexpected(f"an upload of {size:,} bytes that stands at {reached:,}")
        broken = 0 if reached > offset else max(broken, 1)
        offset = reached
        if on_progress is not None:
            on_progress(offset, size)
    return upload.model_copy(update={"received_bytes": offset})


def download_to(transport: Transport, api_path: str, path: Path) -> Path:
    """Write the file at ``api_path`` to ``path``: complete and with the digest the service announced, or not at all."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    try:
        retrying(lambda: _download(transport, api_path, Path(temporary)))
        Path(temporary).replace(path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            Path(temporary).unlink()
    return path


def _download(transport: Transport, api_path: str, target: Path) -> None:
    digest = hashlib.sha256()
    call = Call("GET", api_path, headers={"Accept-Encoding": "identity"})  # compressed on the way it would have another digest
    with transport.stream(call) as response, target.open("wb") as file:
        for chunk in response.iter_content(DOWNLOAD_CHUNK_BYTES):
            digest.update(chunk)
            file.write(chunk)
        announced = response.headers.get("Repr-Digest", "")
    if announced != f"sha-256=:{base64.b64encode(digest.digest()).decode()}:":
        raise Unexpected(f"a file whose digest is not the announced one ({announced or 'none announced'})")
