"""Open a FAISS file or the unpacked set of a snapshot in a script of one's own, as safely as the service does.

::

    from lib.client.snapshots import open_snapshot

    saved = open_snapshot(Path("index.faiss"))       # or the folder of a set, which is then proved against its manifest
    print(saved.structure, saved.norms().mean())
    scores, ids = saved.search(vectors, k=10)
    print(saved.compare_ids(open_snapshot(Path("yesterday/"))))

The structure is walked before FAISS sees a byte: a file that is not a plain index of the known kinds is refused with a named
reason (``lib.contract.faults``). What is opened is only read, never changed.
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
_MANIFEST_BYTES = 1 << 16

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
        mapped = self.structure.kind.startswith("IDMap")
        inner: Any = faiss.downcast_index(self._index.index) if mapped else self._index
        if isinstance(inner, faiss.IndexIVF):
            untyped: Any = faiss
            inner.set_direct_map_type(untyped.DirectMap.Hashtable)
            vectors = np.asarray([inner.reconstruct(int(each)) for each in self.ids], np.float32).reshape(-1, inner.d)
        else:
            vectors = inner.reconstruct_n(0, inner.ntotal)
        return np.asarray(np.linalg.norm(vectors, axis=1), np.float32)

    def search(self, vectors: Vectors, k: int = 10) -> tuple[Vectors, Ids]:
        """(scores, ids) of the ``k`` nearest of each of ``vectors`` [n, dimension]; ValueError when they are of another shape."""
        asked = np.ascontiguousarray(vectors, np.float32)
        if asked.ndim != 2 or asked.shape[1] != self.structure.dimension or not np.isfinite(asked).all():
            raise ValueError(f"A search takes finite numbers of the shape [n, {self.structure.dimension}].")
        scores, ids = self._index.search(asked, k)
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
    return SnapshotFile(path, structure, manifest, index)


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
    try:
        with (folder / MANIFEST_FILE).open("rb") as file:
            manifest = json.loads(file.read(_MANIFEST_BYTES))
        named = {INDEX_FILE: manifest["files"][INDEX_FILE]["sha256"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadFile(Fault.BAD_MANIFEST, f"{MANIFEST_FILE} cannot be read: {error}") from error
    for name, sha256 in named.items():
        with (folder / name).open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                raise BadFile(Fault.WRONG_CHECKSUM, f"{name} is not the file the manifest names.")
    return dict(manifest)
