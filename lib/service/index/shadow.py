"""A small index beside production, and the vectors that were made for it: both lie in a folder of their own.

The vectors are kept in the order in which they were made, one record after the other, so that an attempt that died in the
middle has lost none of them, and a promotion can take them over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lib.service.index.build import new_index
from lib.service.index.durable import HashedFile
from lib.service.index.factory import FLAT, SQ8
from lib.service.index.manifest import Ids
from lib.service.index.mapped import Hits, find_nearest, open_mapped

Vectors = NDArray[np.float32]

_HASH_BYTES = 16
_NORM_TOLERANCE = 1e-2


def shadow_factory(whole: str, vectors: int) -> str:
    """The kind of index a sample is searched in: as exact or as compressed as the ``whole``. Lists would say nothing of so few."""
    return FLAT if whole == FLAT or not vectors else SQ8


def write_shadow(path: Path, ids: Ids, vectors: Vectors, *, dimension: int, factory: str = FLAT) -> int:
    """Write an index of these vectors; its size in bytes."""
    write = new_index([(ids, vectors)], factory=factory, dimension=dimension, expected=len(ids))
    with HashedFile(path) as file:
        write(file, None)
    return file.facts.size_bytes


class Shadow:
    """Such an index, mapped read-only. DamagedIndex when it cannot be opened."""

    def __init__(self, path: Path) -> None:
        self._index = open_mapped(path)

    def search(self, vector: Vectors, k: int) -> Hits:
        """The at most ``k`` nearest to ``vector``, float32 [d]."""
        return find_nearest(self._index, vector, k)


class KeptVectors:
    """The vectors one attempt has made with one model, by content hash."""

    def __init__(self, folder: Path, fingerprint: str, dimension: int) -> None:
        self._path = folder / file_name(fingerprint)
        self._record = _record_of(dimension)

    def add(self, made: Mapping[bytes, bytes]) -> None:
        """Keep these; a repeat does no harm."""
        with self._path.open("ab") as file:
            file.write(b"".join(content_hash + vector for content_hash, vector in made.items()))


def file_name(fingerprint: str) -> str:
    """What the vectors of a model are kept in."""
    return f"vectors-{fingerprint}.bin"


def read_kept(path: Path, dimension: int) -> Iterator[dict[bytes, bytes]]:
    """What such a file holds, in batches; a record that was cut off, or is no vector of unit length, is passed over."""
    record = _record_of(dimension)
    with path.open("rb") as file:
        while block := file.read(record.itemsize * 4096):
            rows = np.frombuffer(block[: len(block) // record.itemsize * record.itemsize], record)
            lengths = np.linalg.norm(rows["vector"], axis=1)
            whole = rows[np.abs(lengths - 1) <= _NORM_TOLERANCE]  # false for what is not finite
            yield {each["hash"].tobytes(): each["vector"].tobytes() for each in whole}


def _record_of(dimension: int) -> np.dtype[Any]:
    return np.dtype([("hash", f"V{_HASH_BYTES}"), ("vector", "<f4", (dimension,))])
