"""Files on their way in: announced, sent in slices, resumable. A name is shown, never used as a path."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
from collections.abc import AsyncIterator
from itertools import islice
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from lib.contract.errors import ErrorCode
from lib.contract.imports import FileSource, SheetColumns, Upload, UploadRequest
from lib.contract.model import utc_now
from lib.service.config import Config
from lib.service.errors import ServiceError
from lib.service.sheets.opening import open_file
from lib.service.sheets.reading import UnreadableSheet
from lib.service.storage import plans as rows
from lib.service.storage.audit import record_action
from lib.service.storage.database import Database
from lib.service.storage.mappings import find_mapping, source_key
from lib.service.storage.settings import get_setting
from lib.service.suggestions import suggest_columns

MIB = 1 << 20
WRITE_BYTES = 4 * MIB
SAMPLE_RECORDS = 5
#: How the names of files end that are inspected, not imported; they have a limit of their own.
INDEX_FILES = (".faiss", ".switchyard.tar")


class Uploads:
    """The uploads folder and its rows."""

    def __init__(self, database: Database, config: Config) -> None:
        self._database, self._folder = database, config.uploads_dir
        self._readers = BoundedSemaphore(2)

    def create_upload(self, request: UploadRequest, *, actor: str, request_id: str) -> Upload:
        """Announce a file; 413 when it is larger than the setting allows, 507 when the disk has no room for it."""
        upload_id = uuid4().hex
        with self._database.write() as connection:
            limited_by = "index.max_snapshot_mib" if request.name.lower().endswith(INDEX_FILES) else "import.max_upload_mib"
            limit = int(get_setting(connection, limited_by)) * MIB
            if request.size_bytes > limit:
                detail = f"The file has {request.size_bytes / MIB:,.1f} MiB; the limit is {limit // MIB:,} MiB."
                raise ServiceError(ErrorCode.TOO_LARGE, detail)
            self._check_room(request.size_bytes)
            values = {"upload_id": upload_id, "name": request.name, "size_bytes": request.size_bytes}
            rows.insert_upload(connection, **values, created_by=actor, created_at=utc_now())
            record_action(connection, actor=actor, action="create_upload", object_id=upload_id, after=values, request_id=request_id)
        (self._folder / upload_id).touch(mode=0o600)
        return Upload(**values)

    def _check_room(self, size_bytes: int) -> None:
        """Better said before the first byte than in the middle of it. What others fill meanwhile is found out then."""
        free = shutil.disk_usage(self._folder).free
        if size_bytes > free:
            detail = f"The file has {size_bytes / MIB:,.1f} MiB; the data folder's disk has {free / MIB:,.1f} MiB left."
            raise ServiceError(ErrorCode.NO_SPACE, detail)

    def get_upload(self, upload_id: str) -> Upload:
        """The upload and how much of it has arrived; 404 when there is none."""
        row = self._row(upload_id)
        received = (self._folder / upload_id).stat().st_size
        return Upload(upload_id=upload_id, name=row.name, size_bytes=row.size_bytes, received_bytes=received)

    def path_of_complete(self, upload_id: str) -> Path:
        """Where the whole file is; 409 while it is incomplete."""
        upload = self.get_upload(upload_id)
        if upload.received_bytes != upload.size_bytes:
            detail = f"{upload.received_bytes:,} of {upload.size_bytes:,} bytes have arrived."
            raise ServiceError(ErrorCode.UPLOAD_INCOMPLETE, detail)
        return self._folder / upload_id

    async def put_slice(self, upload_id: str, offset: int, body: AsyncIterator[bytes]) -> int:
        """Append a slice that begins at ``offset``; answers the new offset. What arrived of a broken slice is kept."""
        row = await asyncio.to_thread(self._row, upload_id)
        descriptor = os.open(self._folder / upload_id, os.O_WRONLY | os.O_APPEND)
        try:
            _lock(descriptor)
            size = os.fstat(descriptor).st_size
            if size != offset:
                raise ServiceError(ErrorCode.WRONG_OFFSET, f"The upload stands at byte {size:,}.", headers={"Upload-Offset": str(size)})
            return await _append(descriptor, body, size, limit=row.size_bytes)
        finally:
            os.close(descriptor)

    def get_columns(self, source: FileSource) -> SheetColumns:
        """The head of the file. Of a CSV file at most 64 KiB are read; a workbook is opened by a process of its own, two at a time."""
        path, name = self.path_of_complete(source.upload_id), self._row(source.upload_id).name
        columns = self._read_known_head(path, name, source)
        if not columns.columns:  # the tab has to be chosen first
            return columns
        found = suggest_columns(self._database, source.model_dump(), name, columns.columns, columns.sample)
        return columns.model_copy(update={"suggested": found.mapping, "suggestions": found.columns, "missing": found.missing})

    def _read_known_head(self, path: Path, name: str, source: FileSource) -> SheetColumns:
        remembered = self._as_last_time(source, name)
        if remembered != source:
            with contextlib.suppress(UnreadableSheet):  # what was remembered does not fit any more
                return self._read_head(path, name, remembered)
        try:
            return self._read_head(path, name, source)
        except UnreadableSheet as error:
            raise ServiceError(ErrorCode.UNREADABLE_SOURCE, error.detail, action=error.action) from error

    def _read_head(self, path: Path, name: str, source: FileSource) -> SheetColumns:
        with self._readers, open_file(path, source, name, guess=True) as sheet:
            columns = sheet.header
            records = islice(sheet.records(), SAMPLE_RECORDS) if columns else ()
            sample = [(record.cells + [""] * len(columns))[: len(columns)] for record in records]
            return SheetColumns(columns=columns, sample=sample, read_as=sheet.read_as, tabs=list(sheet.tabs))

    def _as_last_time(self, source: FileSource, name: str) -> FileSource:
        """With the tab and the encoding of the last import of this source, where the person says nothing of them."""
        with self._database.read() as connection:
            last = find_mapping(connection, source_key(source.model_dump(), name))
        if last is None:
            return source
        known = {"sheet": source.sheet or last.source.get("sheet"), "encoding": source.encoding or last.source.get("encoding")}
        return source.model_copy(update=known)

    def _row(self, upload_id: str) -> sa.Row[Any]:
        with self._database.read() as connection:
            row = rows.get_upload(connection, upload_id)
        if row is None or not (self._folder / upload_id).is_file():
            action = "It may have been removed by age: upload the file again."
            raise ServiceError(ErrorCode.NOT_FOUND, "There is no such upload.", action=action)
        return row


def _lock(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        size = os.fstat(descriptor).st_size
        detail = "Another slice of this upload is arriving now."
        raise ServiceError(ErrorCode.WRONG_OFFSET, detail, headers={"Upload-Offset": str(size)}) from error


async def _append(descriptor: int, body: AsyncIterator[bytes], size: int, *, limit: int) -> int:
    waiting = bytearray()

    async def write() -> None:
        nonlocal waiting
        chunk, waiting = bytes(waiting), bytearray()
        await asyncio.to_thread(_write_all, descriptor, chunk)

    try:
        async for chunk in body:
            size += len(chunk)
            if size > limit:
                raise ServiceError(ErrorCode.TOO_LARGE, f"More than the {limit:,} bytes that were announced.")
            waiting += chunk
            if len(waiting) >= WRITE_BYTES:
                await write()
    finally:
        if size <= limit:
            await write()
    return size


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
