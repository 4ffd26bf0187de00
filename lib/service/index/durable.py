"""Files that survive a power cut, and the lock of the one who writes them."""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

_LOCK_POLL_SECONDS = 0.05


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
    """What FAISS writes into: the bytes go to a file, and their hash and number are kept."""

    def __init__(self, file: FileIO) -> None:
        """Take an unbuffered file: FAISS hands over blocks of megabytes."""
        self._file = file
        self._hash = hashlib.sha256()
        self.size_bytes = 0

    def __call__(self, block: bytes) -> int:
        """Take one block; the number of bytes taken."""
        rest = memoryview(block)
        while rest:  # an unbuffered file may take less than it is given
            rest = rest[self._file.write(rest) :]
        self._hash.update(block)
        self.size_bytes += len(block)
        return len(block)

    @property
    def sha256(self) -> str:
        """The hash of everything taken so far."""
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
