"""How an index of this service's two kinds lies in its file: a head, a code for each vector, an id for each vector.

FAISS writes the head and makes the codes; what is between them is known here, so that a file can be written while its vectors
stream by, and a new one made from an old one by writing anew only what changed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import xxhash
from numpy.typing import NDArray

from lib.contract.faiss_file import walk_file
from lib.contract.faults import BadFile
from lib.service.index.factory import FACTORIES, factory_of
from lib.service.index.manifest import Ids
from lib.service.index.stored import DamagedIndex

Codes = NDArray[np.uint8]
Vectors = NDArray[np.float32]

#: Where the head holds the number of vectors: in the outer index, and in the one inside it.
_COUNTS = (8, 45)
_NUMBER = struct.Struct("<q")
#: So much of a file is looked at at once.
BLOCK_BYTES = 1 << 20


class Layout:
    """One kind and dimension, with whatever the kind has learnt."""

    def __init__(self, empty: faiss.Index) -> None:
        """Take a trained index that holds nothing."""
        self.factory, self.dimension = factory_of(empty), int(empty.d)
        self._inner: Any = faiss.downcast_index(empty.index)  # type: ignore[attr-defined]  # an IDMap2, as the caller knows
        self._outer = empty  # the inner one lives as long as this does
        self.code_bytes: int = self._inner.sa_code_size()
        # Behind the head of an empty index come two numbers: no codes, no ids.
        self._head = faiss.serialize_index(empty).tobytes()[: -2 * _NUMBER.size]

    def head(self, vectors: int) -> bytes:
        """All that comes before the first code."""
        head = bytearray(self._head)
        for place in _COUNTS:
            _NUMBER.pack_into(head, place, vectors)
        return bytes(head) + _NUMBER.pack(vectors * self.dimension)

    def tail(self, ids: Ids) -> bytes:
        """All that comes after the last code."""
        return _NUMBER.pack(len(ids)) + ids.astype("<i8", copy=False).tobytes()

    def encode(self, vectors: Vectors) -> Codes:
        """The code of each vector."""
        codes: Codes = self._inner.sa_encode(vectors) if len(vectors) else np.empty((0, self.code_bytes), np.uint8)
        return codes

    def decode(self, codes: Codes) -> Vectors:
        """What a search compares with, for each code."""
        vectors: Vectors = self._inner.sa_decode(codes)
        return vectors


@dataclass(frozen=True)
class LaidOut:
    """A file of a known layout."""

    layout: Layout
    codes: Codes  #: mapped, for looking at a few
    ids: Ids
    _path: Path
    _codes_at: int

    def blocks(self, xxh3: str | None) -> Iterator[Codes]:
        """All codes, some at a time, for the caller to keep and to change.

        After the last it is DamagedIndex when what was read, or the rest of the file, is not what ``xxh3`` was taken of.
        """
        width, count, hashed = self.layout.code_bytes, len(self.codes), xxhash.xxh3_128()
        step = max(1, BLOCK_BYTES // width)
        with self._path.open("rb") as file:
            hashed.update(file.read(self._codes_at))
            for start in range(0, count, step):
                block = np.empty((min(step, count - start), width), np.uint8)
                if file.readinto(block.data) < block.nbytes:
                    raise DamagedIndex(f"{self._path.name} became shorter while it was read.")
                hashed.update(block.data)
                yield block
            hashed.update(file.read())
        if xxh3 is not None and hashed.hexdigest() != xxh3:
            raise DamagedIndex(f"The index file of {self._path.parent.name} is not the one that was published.")

    @classmethod
    def open(cls, path: Path) -> LaidOut:
        """DamagedIndex when the file is not of one of the two kinds, or not whole."""
        try:
            structure = walk_file(path)
        except (BadFile, OSError) as bad:
            raise DamagedIndex(f"{path.name} cannot be read: {bad}") from bad
        if structure.kind not in FACTORIES:
            raise DamagedIndex(f"{path.name} is {structure.kind}, which cannot be changed in parts.")
        data = np.asarray(np.memmap(path, np.uint8, "r"))  # as a plain array: slices of a mapping are slow to make
        vectors, width = structure.vectors, structure.dimension * (4 if structure.kind.endswith("Flat") else 1)
        ids_at = len(data) - 8 * vectors
        codes_at = ids_at - _NUMBER.size - width * vectors
        empty = bytearray(data[: codes_at - _NUMBER.size].tobytes() + bytes(2 * _NUMBER.size))
        for place in _COUNTS:
            _NUMBER.pack_into(empty, place, 0)
        layout = Layout(faiss.deserialize_index(np.frombuffer(empty, np.uint8)))
        codes = data[codes_at : codes_at + width * vectors].reshape(vectors, width)
        return cls(layout, codes, np.frombuffer(data[ids_at:].tobytes(), "<i8").astype(np.int64), path, codes_at)
