"""Files that survive a power cut, and the lock of the one who writes them."""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from threading import BoundedSemaphore

_LOCK_POLL_SECONDS = 0.05
_BLOCKS_AHEAD = 8
_SYNC_EVERY_BYTES = 64 << 20


class FolderBusy(Exception):
    """Another process holds the lock of the index folder."""


def sync_folder(folder: Path) -> None:
    """Make the names in ``folder`` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_synced(path: Path, data: bytes) -> None:
    """Write a whole file and make its bytes durable (its name is durable after ``sync_folder``)."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


class HashingSink:
    """What FAISS writes into: the bytes go to a file, and their hash and number are kept.

    Hashing costs as much as writing, and making durable waits for the disk: both go on in threads of their own while the next
    block is written. Use it as a context manager; ``sha256`` is known afterwards.
    """

    def __init__(self, file: FileIO) -> None:
        """Take an unbuffered file: FAISS hands over blocks of megabytes."""
        self._file = file
        self._hash = hashlib.sha256()
        self._hasher, self._syncer = ThreadPoolExecutor(1), ThreadPoolExecutor(1)
        self._ahead = BoundedSemaphore(_BLOCKS_AHEAD)
        self._synced_bytes, self._syncs = 0, list[Future[None]]()
        self.size_bytes = 0

    def __enter__(self) -> HashingSink:
        """Ready to be written into."""
        return self

    def __exit__(self, *_: object) -> None:
        """Everything is hashed; what was written last is not durable before the caller's own fsync."""
        self._hasher.shutdown()
        self._syncer.shutdown()
        for sync in self._syncs:
            sync.result()  # the system tells of a failed write once: it must not get lost here

    def __call__(self, block: bytes) -> int:
        """Take one block; the number of bytes taken."""
        self._ahead.acquire()  # a slow hash must not let the whole file pile up in memory
        self._hasher.submit(self._update, block)
        rest = memoryview(block)
        while rest:  # an unbuffered file may take less than it is given
            rest = rest[self._file.write(rest) :]
        self.size_bytes += len(block)
        if self.size_bytes - self._synced_bytes >= _SYNC_EVERY_BYTES:
            self._synced_bytes = self.size_bytes
            self._syncs.append(self._syncer.submit(os.fsync, self._file.fileno()))
        return len(block)

    def _update(self, block: bytes) -> None:
        try:
            self._hash.update(block)
        finally:
            self._ahead.release()

    @property
    def sha256(self) -> str:
        """The hash of everything taken."""
        return self._hash.hexdigest()


def sha256_of(path: Path) -> str:
    """The hash of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def copy_hashed(source: Path, target: Path) -> str:
    """Copy durably; the hash of what was copied."""
    digest = hashlib.sha256()
    with source.open("rb") as reading, target.open("wb") as writing:
        while block := reading.read(1 << 22):
            digest.update(block)
            writing.write(block)
        writing.flush()
        os.fsync(writing.fileno())
    return digest.hexdigest()


@contextmanager
def exclusive(path: Path, *, timeout_seconds: float) -> Iterator[None]:
    """Hold the lock file ``path``; FolderBusy when it stays taken. The system frees it when its holder dies, however it dies."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _take(descriptor, path, time.monotonic() + timeout_seconds)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, path: Path, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise FolderBusy(f"Another process holds {path}.") from None
            time.sleep(_LOCK_POLL_SECONDS)
        else:
            return
