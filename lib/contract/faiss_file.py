"""The structure of a FAISS file, walked without FAISS: every length is checked against the bytes that are left.

Reading a strange file with FAISS can read and write any other file, and take any amount of memory. This reads nothing but
numbers, allocates nothing of a size the file chooses, knows only the kinds named here, and refuses everything else: what it
passes, FAISS can be given. It looks at no vector: whether those are finite is for whoever reads them.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from lib.contract.faults import BadFile, Fault

MAX_DIMENSION = 1 << 16
MAX_LISTS = 1 << 20

_ID_MAPS = {"IxMp": "IDMap", "IxM2": "IDMap2"}
_FLATS = {"IxFI": "Flat", "IxF2": "Flat"}
_INSIDE_ID_MAP = frozenset({*_FLATS, "IxSQ"})
_METRICS = ("inner_product", "l2")
_NO_LISTS_OF_ITS_OWN = b"ilod"  # inverted lists in a file of their own, whose name stands in this one


@dataclass(frozen=True, kw_only=True)
class Structure:
    """What a walked file holds."""

    kind: str  #: as FAISS spells it in a factory: "IDMap2,Flat"
    dimension: int
    vectors: int
    metric: str  #: "inner_product" or "l2"
    has_ids: bool  #: whether each vector has an id of its own, or is called by its place


def walk_file(path: Path) -> Structure:
    """The structure of the FAISS file at ``path``; BadFile when it is not one that is known and whole."""
    if path.stat().st_size == 0:
        raise BadFile(Fault.BAD_STRUCTURE, "The file is empty.")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return walk_bytes(data)


def walk_bytes(data: bytes | mmap.mmap) -> Structure:
    """The same of bytes at hand."""
    walker = _Walker(data)
    found = walker.index()
    if walker.left:
        raise BadFile(Fault.BAD_STRUCTURE, f"{walker.left:,} bytes follow the end of the index.")
    return found


def _need(condition: bool, words: str) -> None:
    if not condition:
        raise BadFile(Fault.BAD_STRUCTURE, words)


@dataclass(frozen=True)
class _Header:
    dimension: int
    vectors: int
    metric: str


class _Walker:
    """Goes through the bytes once, from the first to the last."""

    def __init__(self, data: bytes | mmap.mmap) -> None:
        self._data, self._at = data, 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def index(self, allowed: Collection[str] | None = None) -> Structure:
        kind = self._fourcc()
        if allowed is not None and kind not in allowed:
            raise BadFile(Fault.UNKNOWN_KIND, f"The type {kind!r} is not known at this place.")
        if kind in _ID_MAPS:
            return self._id_map(_ID_MAPS[kind])
        if kind in _FLATS:
            return self._flat(kind)
        if kind == "IxSQ":
            return self._quantised()
        if kind in {"IwFl", "IwSq"}:
            return self._inverted(kind)
        if kind == "ilod":
            raise BadFile(Fault.NAMES_ANOTHER_FILE, "It begins with lists that lie in another file.")
        raise BadFile(Fault.UNKNOWN_KIND, f"The type {kind!r} is not one that is read here.")

    def _id_map(self, name: str) -> Structure:
        header = self._header()
        inner = self.index(_INSIDE_ID_MAP)
        count = self._vector(8)
        _need(count == header.vectors == inner.vectors, f"{header.vectors} vectors are announced, {inner.vectors} held, {count} have ids.")
        _need((header.dimension, header.metric) == (inner.dimension, inner.metric), "The outer and the inner index differ in shape.")
        return Structure(kind=f"{name},{inner.kind}", dimension=inner.dimension, vectors=count, metric=inner.metric, has_ids=True)

    def _flat(self, kind: str) -> Structure:
        header = self._header()
        _need(header.metric == ("inner_product" if kind == "IxFI" else "l2"), "The metric is not the one of this type.")
        size = self._vector(1, of=4)
        _need(size == header.vectors * header.dimension, f"{size} numbers for {header.vectors} vectors of {header.dimension}.")
        return self._made("Flat", header)

    def _quantised(self) -> Structure:
        header = self._header()
        code_size = self._scalar_quantizer(header.dimension)
        size = self._vector(1)
        _need(size == header.vectors * code_size, f"{size} bytes for {header.vectors} vectors of {code_size}.")
        return self._made("SQ8", header)

    def _scalar_quantizer(self, dimension: int) -> int:
        kind = self._number("i")
        self._number("i")
        _need(_is_finite(self._number("f")), "The range of the quantizer is not a number.")
        d, code_size = self._number("Q"), self._number("Q")
        start = self._at + 8
        count = self._vector(4)
        if kind != 0:
            raise BadFile(Fault.UNKNOWN_KIND, f"The quantizer {kind} is not the one of 8 bits.")
        _need(d == dimension and code_size == dimension, "The quantizer is of another dimension.")
        _need(count == 2 * dimension, "The quantizer has not learnt one range for each component.")
        learnt = struct.unpack_from(f"<{count}f", self._data, start)
        if not all(map(_is_finite, learnt)):
            raise BadFile(Fault.NOT_FINITE, "A value range of the quantizer is not a finite number.")
        return int(code_size)

    def _inverted(self, kind: str) -> Structure:
        header = self._header()
        lists, probes = self._number("Q"), self._number("Q")
        _need(1 <= lists <= MAX_LISTS and 1 <= probes <= lists, f"{lists} lists, {probes} of them searched.")
        coarse = self.index(_FLATS)
        _need((coarse.dimension, coarse.vectors) == (header.dimension, lists), "The lists' centres are of another shape.")
        _need(self._number("B") == 0 and self._vector(8) == 0, "It carries a map of its own, which is not read here.")
        code_size = 4 * header.dimension
        if kind == "IwSq":
            code_size = self._scalar_quantizer(header.dimension)
            _need(self._number("Q") == code_size and self._number("B") in (0, 1), "The codes are of another size.")
        self._lists(lists, code_size, header.vectors)
        return Structure(
            kind=f"IVF{lists},{'SQ8' if kind == 'IwSq' else 'Flat'}",
            dimension=header.dimension,
            vectors=header.vectors,
            metric=header.metric,
            has_ids=True,
        )

    def _lists(self, lists: int, code_size: int, vectors: int) -> None:
        kind = self._take(4)
        if kind == _NO_LISTS_OF_ITS_OWN:
            raise BadFile(Fault.NAMES_ANOTHER_FILE, "Its lists lie in another file, whose name it carries.")
        if kind != b"ilar":
            raise BadFile(Fault.UNKNOWN_KIND, f"Lists of the type {kind!r} are not read here.")
        _need(self._number("Q") == lists and self._number("Q") == code_size, "The lists are of another shape.")
        total = 0
        for size in self._list_sizes(lists):
            total += size
            _need(total <= vectors, f"The lists hold more than {vectors} vectors.")
            self._take(size * (code_size + 8))
        _need(total == vectors, f"The lists hold {total} of {vectors} vectors.")

    def _list_sizes(self, lists: int) -> list[int]:
        kind = self._take(4)
        start = self._at + 8
        count = self._vector(8)
        numbers = struct.unpack_from(f"<{count}Q", self._data, start)
        if kind == b"full":
            _need(count == lists, f"Sizes of {count} lists where there are {lists}.")
            return list(numbers)
        _need(kind == b"sprs" and count % 2 == 0, "The sizes of the lists are written in no known way.")
        places = numbers[0::2]
        _need(all(one < other for one, other in pairwise(places)), "A list comes twice.")
        _need(not places or places[-1] < lists, "A size is of a list there is not.")
        return list(numbers[1::2])

    def _header(self) -> _Header:
        dimension, vectors = self._number("i"), self._number("q")
        self._take(16)
        trained, metric = self._number("B"), self._number("i")
        _need(1 <= dimension <= MAX_DIMENSION, f"It says {dimension} components for a vector.")
        # Each vector has at least one byte, so no honest count is above the bytes there are.
        _need(0 <= vectors <= len(self._data), f"It says {vectors} vectors in {len(self._data)} bytes.")
        _need(trained == 1 or (trained == 0 and vectors == 0), "It holds vectors before it has learnt anything.")
        if metric not in (0, 1):
            raise BadFile(Fault.UNKNOWN_KIND, f"The metric {metric} is not one that is read here.")
        return _Header(dimension, vectors, _METRICS[metric])

    def _made(self, kind: str, header: _Header) -> Structure:
        return Structure(kind=kind, dimension=header.dimension, vectors=header.vectors, metric=header.metric, has_ids=False)

    def _vector(self, width: int, *, of: int = 1) -> int:
        """Steps over a counted row of numbers of ``width * of`` bytes; how many there were."""
        count = self._number("Q")
        _need(count <= self.left // (width * of), f"{count} numbers of {width * of} bytes are announced, {self.left} bytes are left.")
        self._take(count * width * of)
        return int(count)

    def _number(self, form: str) -> Any:
        return struct.unpack(f"<{form}", self._take(struct.calcsize(f"<{form}")))[0]

    def _fourcc(self) -> str:
        return self._take(4).decode("latin-1")

    def _take(self, size: int) -> bytes:
        """Step over ``size`` bytes; they are only copied when they are few."""
        _need(0 <= size <= self.left, f"{size} bytes are announced at byte {self._at}, {self.left} are left.")
        start = self._at
        self._at += size
        return self._data[start : start + size] if size <= 16 else b""


def _is_finite(number: float) -> bool:
    return number - number == 0
