"""A saved copy as one file: a plain tar, laid out before a byte of it is read, so that any part of it can be sent from disk.

The same copy gives the same bytes: neither times nor owners are in it.
"""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from lib.service.index.manifest import INDEX_FILE, MANIFEST_FILE
from lib.service.index.saved import IDS_FILE

#: The files of a complete set in the order of the tar: what says what the rest must be comes first.
MEMBERS = (MANIFEST_FILE, IDS_FILE, INDEX_FILE)
SUFFIX = ".switchyard.tar"

_BLOCK = tarfile.BLOCKSIZE
_READ_BYTES = 1 << 18


@dataclass(frozen=True)
class BundleFacts:
    """What the one file is."""

    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class _Part:
    """A stretch of the tar: bytes at hand, or a whole file on disk."""

    size_bytes: int
    data: bytes | None = None
    path: Path | None = None


class Bundle:
    """The tar of the copy in ``folder``; FileNotFoundError when the copy is not complete."""

    def __init__(self, folder: Path) -> None:
        self._parts: list[_Part] = []
        for name in MEMBERS:
            path = folder / name
            size = path.stat().st_size
            self._add_bytes(tar_header(name, size))
            self._parts.append(_Part(size, path=path))
            self._add_bytes(bytes(-size % _BLOCK))
        self._add_bytes(bytes(2 * _BLOCK))
        self.size_bytes = sum(part.size_bytes for part in self._parts)

    def facts(self) -> BundleFacts:
        """Its digest, by reading all of it."""
        digest = hashlib.sha256()
        for block in self.read(0, self.size_bytes):
            digest.update(block)
        return BundleFacts(digest.hexdigest(), self.size_bytes)

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        """The bytes from ``start`` to before ``stop``, a block at a time. All files are open before the first block comes:

        a copy that is deleted while it is read is read to its end.
        """
        with ExitStack() as opened:
            stretches = [self._open(part, first, last, opened) for part, first, last in self._within(start, stop)]
            for stretch in stretches:
                yield from stretch

    def _within(self, start: int, stop: int) -> Iterator[tuple[_Part, int, int]]:
        """(part, its first byte wanted, the one behind its last)."""
        at = 0
        for part in self._parts:
            first, last = max(start - at, 0), min(stop - at, part.size_bytes)
            at += part.size_bytes
            if first < last:
                yield part, first, last

    @staticmethod
    def _open(part: _Part, first: int, last: int, opened: ExitStack) -> Iterable[bytes]:
        if part.path is None:
            return ((part.data or b"")[first:last],)
        return _read_file(opened.enter_context(part.path.open("rb", buffering=0)), first, last)

    def _add_bytes(self, data: bytes) -> None:
        self._parts.append(_Part(len(data), data=data))


def tar_header(name: str, size: int) -> bytes:
    """The block before a file of the set: its name and size, and nothing that could differ."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    return info.tobuf(tarfile.GNU_FORMAT)


def _read_file(file: FileIO, first: int, last: int) -> Iterator[bytes]:
    file.seek(first)
    while first < last:
        block = file.read(min(_READ_BYTES, last - first))
        if not block:
            raise OSError("A file of the set has become shorter while it was read.")
        first += len(block)
        yield block
