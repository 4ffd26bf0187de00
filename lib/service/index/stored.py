"""What was written as the file of a generation, and the proof that the file holds it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import faiss
import numpy as np
from numpy.typing import NDArray

from lib.service.index.durable import HashedFile, sha256_of, xxh3_of
from lib.service.index.lists import ids_in_lists, sample_lists
from lib.service.index.manifest import INDEX_FILE, Ids, Manifest, hash_ids, read_whole


class DamagedIndex(Exception):
    """An index file does not hold what it should: its disk or its memory is at fault. Build a new generation."""


@dataclass(frozen=True)
class Written:
    """What went into a file: all of its ids in their order, and some of its vectors as they must be read again."""

    factory: str
    dimension: int
    ids: Ids
    samples: dict[int, NDArray[np.float32]] = field(default_factory=dict)


#: (the file to write, the folder of the generation served now) → what was written; what it raises ends the publish
Content = Callable[[HashedFile, Path | None], Written]


def ids_of(index: faiss.Index, on_progress: Callable[[int], None] = lambda _: None) -> Ids:
    """The ids of an index, in the order of its vectors."""
    if isinstance(index, faiss.IndexIVF):
        return ids_in_lists(index, on_progress)
    return np.asarray(faiss.vector_to_array(cast("faiss.IndexIDMap2", index).id_map), np.int64)


def check_stored(path: Path, written: Written) -> None:
    """DamagedIndex unless FAISS reads the file as what was written: shape, ids, and a sample of vectors."""
    try:
        stored = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
    except RuntimeError as error:
        raise DamagedIndex(f"{path.name} cannot be read again: {error}") from error
    if (stored.d, stored.ntotal, stored.metric_type) != (written.dimension, len(written.ids), faiss.METRIC_INNER_PRODUCT):
        raise DamagedIndex(f"{path.name} holds {stored.ntotal} vectors of {stored.d}, not {len(written.ids)} of {written.dimension}.")
    if not np.array_equal(ids_of(stored), written.ids):
        raise DamagedIndex(f"{path.name} does not hold the ids that were written.")
    in_lists = sample_lists(stored) if isinstance(stored, faiss.IndexIVF) else {}
    for ident, vector in written.samples.items():
        if not np.array_equal(in_lists[ident] if ident in in_lists else stored.reconstruct(ident), vector):
            raise DamagedIndex(f"{path.name} holds another vector for id {ident} than was written.")


def whole(folder: Path) -> Manifest:
    """The manifest of a generation's folder; DamagedIndex when it is not whole."""
    manifest = read_whole(folder)
    if manifest is None:
        raise DamagedIndex(f"{folder.name} is not a whole generation.")
    return manifest


def prove(folder: Path) -> Manifest:
    """The manifest of a generation's folder; DamagedIndex when its file is not the one that was published.

    Nearly half of all damaged files load and answer; only a hash tells.
    """
    manifest = whole(folder)
    path, facts = folder / INDEX_FILE, manifest.index_file
    same = xxh3_of(path) == facts.xxh3 if facts.xxh3 else sha256_of(path) == facts.sha256
    if not same:
        raise DamagedIndex(f"The index file of {folder.name} is not the one that was published.")
    return manifest


def check_ids(ids: Ids, manifest: Manifest) -> None:
    """DamagedIndex unless these are the ids the manifest announces."""
    if len(ids) != manifest.vectors or hash_ids(ids) != manifest.ids_sha256:
        raise DamagedIndex(f"The index file of {manifest.folder_name} and its manifest disagree.")
