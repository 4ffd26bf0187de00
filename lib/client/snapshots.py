"""Open a FAISS file or the unpacked set of a snapshot in a script of one's own, as safely as the service does.

::

    from lib.client.snapshots import open_snapshot

    saved = open_snapshot(Path("index.faiss"))       # or the folder of a set, which is then proved against its manifest
    print(saved.structure, saved.norms().mean())
    scores, ids = saved.search(vectors, k=10)
    print(saved.compare_ids(open_snapshot(Path("yesterday/"))))

The structure is walked before FAISS sees a byte: a file that is not a plain index of the known kinds is refused with a named
reason (``lib.contract.faults``), and so is one with ids or vectors that no index may have. What is opened is only read, never changed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from lib.contract.faiss_file import Structure, walk_file
from lib.contract.faults import BadFile, Fault

INDEX_FILE, MANIFEST_FILE = "index.faiss", "manifest.json"
_NAMED = ("ids.npy", INDEX_FILE)
_MANIFEST_BYTES = 1 << 16
_BLOCK = 1 << 14

Ids = NDArray[np.int64]
Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class IdComparison:
    """Ids of two files."""

    in_both: int
    only_here: Ids
    only_there: Ids


class SnapshotFile:
    """An opened file. ``manifest`` is null for a bare FAISS file."""

    def __init__(self, path: Path, structure: Structure, manifest: dict[str, Any] | None, index: Any) -> None:
        self.path, self.structure, self.manifest = path, structure, manifest
        self._index = index

    @property
    def ids(self) -> Ids:
        """The id of each vector, in the order in which they are kept; their places where the file has no ids."""
        if isinstance(self._index, faiss.IndexIDMap | faiss.IndexIDMap2):
            return np.asarray(faiss.vector_to_array(self._index.id_map), np.int64)
        if isinstance(self._index, faiss.IndexIVF):
            lists: Any = self._index.invlists
            sizes = [(number, lists.list_size(number)) for number in range(self._index.nlist)]
            found = [faiss.rev_swig_ptr(lists.get_ids(number), size).copy() for number, size in sizes if size]
            return np.concatenate([np.empty(0, np.int64), *found])
        return np.arange(self._index.ntotal, dtype=np.int64)

    def norms(self) -> NDArray[np.float32]:
        """The length of each vector, in the order in which they are kept."""
        lengths = [np.linalg.norm(block, axis=1) for block in self._blocks()]
        return np.concatenate([np.empty(0, np.float32), *lengths])

    def _blocks(self) -> Iterator[Vectors]:
        """Every vector, decoded, a few at a time, in the order of ``ids``."""
        mapped = self.structure.kind.startswith("IDMap")
        inner: Any = faiss.downcast_index(self._index.index) if mapped else self._index
        in_lists = isinstance(inner, faiss.IndexIVF)
        if in_lists:
            untyped: Any = faiss
            inner.set_direct_map_type(untyped.DirectMap.Hashtable)
        ids = self.ids
        for start in range(0, len(ids), _BLOCK):
            some = ids[start : start + _BLOCK]
            yield np.stack([inner.reconstruct(int(each)) for each in some]) if in_lists else inner.reconstruct_n(start, len(some))

    def search(self, vectors: Vectors, k: int = 10) -> tuple[Vectors, Ids]:
        """(scores, ids) of the ``k`` nearest of each of ``vectors`` [n, dimension], or of as many as there are.

        ValueError when they are of another shape, or ``k`` is below 1.
        """
        asked = np.ascontiguousarray(vectors, np.float32)
        if asked.ndim != 2 or asked.shape[1] != self.structure.dimension or not np.isfinite(asked).all():
            raise ValueError(f"A search takes finite numbers of the shape [n, {self.structure.dimension}].")
        if k < 1:
            raise ValueError(f"Asked for the {k} nearest; the least is 1.")
        scores, ids = self._index.search(asked, min(k, max(1, self.structure.vectors)))
        return scores, ids

    def compare_ids(self, other: SnapshotFile) -> IdComparison:
        """Which rows are in both, and which in only one."""
        here, there = self.ids, other.ids
        return IdComparison(len(np.intersect1d(here, there)), np.setdiff1d(here, there), np.setdiff1d(there, here))


def open_snapshot(path: Path) -> SnapshotFile:
    """Open a ``.faiss`` file or the folder of an unpacked set; BadFile when it is not what it should be."""
    manifest = _read_manifest(path) if path.is_dir() else None
    file = path / INDEX_FILE if path.is_dir() else path
    structure = walk_file(file)
    with _limits(file.stat().st_size):
        try:
            index = faiss.read_index(str(file), faiss.IO_FLAG_READ_ONLY)
        except RuntimeError as error:
            raise BadFile(Fault.UNREADABLE, str(error)[:300]) from error
    opened = SnapshotFile(path, structure, manifest, index)
    _check_ids(opened)
    if not all(np.isfinite(block).all() for block in opened._blocks()):
        raise BadFile(Fault.NOT_FINITE, "A vector holds something that is not a finite number.")
    return opened


def _check_ids(opened: SnapshotFile) -> None:
    ids, said = np.sort(opened.ids), opened.manifest
    if len(ids) and (ids[0] < 0 or not np.diff(ids).all()):
        raise BadFile(Fault.BAD_IDS, "An id is negative, or comes twice.")
    if said is None:
        return
    held = opened.structure
    if [said.get(name) for name in ("dimension", "vectors", "metric", "factory")] != [held.dimension, held.vectors, held.metric, held.kind]:
        words = f"The file holds {held.vectors:,} × {held.dimension} as {held.kind}; the manifest says otherwise."
        raise BadFile(Fault.MANIFEST_DISAGREES, words)
    if hashlib.sha256(ids.astype("<i8", copy=False).tobytes()).hexdigest() != said.get("ids_sha256"):
        raise BadFile(Fault.BAD_IDS, "The ids in the index are not the ones the manifest announces.")


@contextmanager
def _limits(size: int) -> Iterator[None]:
    """FAISS allocates no more than the file could hold. Its limits count for the whole process, so they end with the reading."""
    untyped: Any = faiss
    bytes_before, loops_before = untyped.get_deserialization_vector_byte_limit(), untyped.get_deserialization_loop_limit()
    untyped.set_deserialization_vector_byte_limit(size)
    untyped.set_deserialization_loop_limit(max(1 << 20, size // 8))
    try:
        yield
    finally:
        untyped.set_deserialization_vector_byte_limit(bytes_before)
        untyped.set_deserialization_loop_limit(loops_before)


def _read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a set, after each of its files has proved to be the one it names."""
    for name in (MANIFEST_FILE, *_NAMED):
        if not (folder / name).is_file():
            raise BadFile(Fault.BAD_ARCHIVE, f"The set has no {name}.")
    try:
        with (folder / MANIFEST_FILE).open("rb") as file:
            manifest = dict(json.loads(file.read(_MANIFEST_BYTES)))
        named = {name: manifest["files"][name]["sha256"] for name in _NAMED}
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise BadFile(Fault.BAD_MANIFEST, f"{MANIFEST_FILE} cannot be read: {error}") from error
    for name, sha256 in named.items():
        with (folder / name).open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                raise BadFile(Fault.WRONG_CHECKSUM, f"{name} is not the file the manifest names.")
    return manifest
