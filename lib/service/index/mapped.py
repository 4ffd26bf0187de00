"""An index file mapped into memory, and asked for what is nearest."""

from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from lib.service.index.stored import DamagedIndex

#: (entry id, score) of what a search found, best first
Hits = list[tuple[int, float]]


def open_mapped(path: Path) -> faiss.Index:
    """The index in the file at ``path``, which may be removed meanwhile; DamagedIndex when it cannot be opened."""
    try:
        return faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
    except RuntimeError as error:
        raise DamagedIndex(f"{path.name} cannot be opened: {error}") from error


def find_nearest(index: faiss.Index, vector: NDArray[np.float32], k: int) -> Hits:
    """The at most ``k`` nearest to ``vector``, float32 [d]."""
    faiss.omp_set_num_threads(1)  # counts for this thread only; many requests at once use the cores better than one does
    scores, ids = index.search(np.ascontiguousarray(vector, np.float32).reshape(1, -1), min(k, max(1, index.ntotal)))
    return [(int(found), float(score)) for found, score in zip(ids[0], scores[0], strict=True) if found >= 0]
