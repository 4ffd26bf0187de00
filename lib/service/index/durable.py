"""Files that survive a power cut, and the lock of the one who writes them."""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from threading import Condition
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray

from lib.service.index.manifest import FileFacts

_LOCK_POLL_SECONDS = 0.05
_UNHASHED_BYTES = 1 << 25  # so much may wait to be hashed before the writer waits too
_SYNCED_BYTES = 1 << 25  # so much may wait for the disk before it is sent
_COPIED_BYTES = 1 << 22


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


class HashedFile:
    """A file that is written once, from its first byte to its last; its hashes are taken and it is made durable on the way.

    SHA-256 costs more than writing, and making durable waits for the disk: behind the writer one thread hashes what was written,
    another sends it to the disk, and the writer waits for neither. Use it as a context manager; ``facts`` are known afterwards.
    """

    def __init__(self, path: Path, *, sealed: bool = True) -> None:
        """Make or empty the file at ``path``. Not ``sealed``: XXH3 alone is taken, and SHA-256 by whoever seals the file later."""
        self.path = path
        self._sealed = sealed
        self._file = path.open("wb", buffering=0)
        self._sha256, self._xxh3 = hashlib.sha256(), xxhash.xxh3_128()
        self._unhashed: SimpleQueue[memoryview | None] = SimpleQueue()
        self._unsynced: SimpleQueue[int | None] = SimpleQueue()
        self._written, self._hashed, self._sent, self._room = 0, 0, 0, Condition()
        self._over, self._wanted = False, True
        self._threads = ThreadPoolExecutor(2)
        self._behind: list[Future[None]] = []

    def __enter__(self) -> HashedFile:
        """Ready to be written to."""
        self._behind = [self._threads.submit(self._hash), self._threads.submit(self._sync)]
        return self

    def __exit__(self, failure: object, *_: object) -> None:
        """Everything is hashed and durable, unless the writing failed."""
        self._wanted = failure is None
        try:
            if self._wanted:
                self._finish()
        finally:
            self.settle()
            self._threads.shutdown()
            self._file.close()

    def write(self, data: bytes | NDArray[np.uint8]) -> None:
        """Append these bytes, which must not change any more."""
        if self._over:
            raise ValueError(f"{self.path.name} is settled.")
        whole = memoryview(data) if isinstance(data, bytes) else data.reshape(-1).data
        rest = whole
        while rest:  # an unbuffered file may take less than it is given
            rest = rest[self._file.write(rest) :]
        self._xxh3.update(whole)
        self._written += len(whole)
        self._unhashed.put(whole)
        if self._written - self._sent >= _SYNCED_BYTES:
            self._sent = self._written
            self._unsynced.put(self._sent)
        with self._room:
            self._room.wait_for(lambda: self._written - self._hashed <= _UNHASHED_BYTES)

    def write_again(self, start: bytes) -> None:
        """Put other bytes in place of the first ones of a file that is complete; all of it is hashed anew."""
        self._finish()
        os.pwrite(self._file.fileno(), start, 0)
        os.fsync(self._file.fileno())
        self._sha256, self._xxh3 = (_digest(self.path, new) for new in (hashlib.sha256, xxhash.xxh3_128))

    def settle(self) -> None:
        """No more will come: the rest is hashed and made durable while the caller does something else."""
        if not self._over:
            self._over = True
            self._unhashed.put(None)
            self._unsynced.put(None)

    def _finish(self) -> None:
        self.settle()
        for task in self._behind:
            task.result()

    def _hash(self) -> None:
        while (data := self._unhashed.get()) is not None:
            if self._wanted and self._sealed:
                self._sha256.update(data)
            with self._room:
                self._hashed += len(data)
                self._room.notify()

    def _sync(self) -> None:
        more: int | None = 0
        while more is not None:
            more = self._unsynced.get()
            if self._wanted:
                os.fsync(self._file.fileno())

    @property
    def facts(self) -> FileFacts:
        """Of everything written."""
        return FileFacts(sha256=self._sha256.hexdigest() if self._sealed else None, xxh3=self._xxh3.hexdigest(), size_bytes=self._written)


def sha256_of(path: Path) -> str:
    """The hash of a file's bytes."""
    return str(_digest(path, hashlib.sha256).hexdigest())


def xxh3_of(path: Path) -> str:
    """A hash that tells damage at a tenth of the cost; against intent only ``sha256_of`` helps."""
    return str(_digest(path, xxhash.xxh3_128).hexdigest())


def _digest(path: Path, new: Callable[[], Any]) -> Any:
    with path.open("rb") as file:
        return hashlib.file_digest(file, new)


def file_facts(path: Path) -> FileFacts:
    """Of a file as it is."""
    return FileFacts(sha256=sha256_of(path), xxh3=xxh3_of(path), size_bytes=path.stat().st_size)


def copy_hashed(source: Path, target: Path) -> FileFacts:
    """Copy durably; the facts of what was copied."""
    with source.open("rb", buffering=0) as reading, HashedFile(target) as writing:
        while block := reading.read(_COPIED_BYTES):
            writing.write(block)
    return writing.facts


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
                raise FolderBusy(f"Another process is writing into the folder {path.parent.name}, and has not ended.") from None
            time.sleep(_LOCK_POLL_SECONDS)
        else:
            return
