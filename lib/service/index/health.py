"""Looking into a generation: its ids, what is odd about its vectors, and how many of the true nearest a search finds."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from lib.service.index.build import Batch
from lib.service.index.factory import FLAT
from lib.service.index.lists import ListFacts, look_at_lists, vectors_in_lists
from lib.service.index.manifest import INDEX_FILE, Ids, Manifest
from lib.service.index.mapped import Hits, find_nearest
from lib.service.index.stored import DamagedIndex, ids_of

_BATCH = 8192
_EXAMPLES = 10
#: How far from 1 a length may be: flat vectors are stored as they came, SQ8 rounds each number to one of 256.
_NORM_TOLERANCE = {FLAT: 0.01}
_QUANTISED_TOLERANCE = 0.05

Progress = Callable[[int], None]
#: hears what is done (phase, done, total); what it raises ends the looking
Tell = Callable[[str, int, int], None]


@dataclass
class OddVectors:
    """How many vectors are odd in which way, and some of their ids."""

    vectors: int = 0
    not_finite: int = 0
    zero: int = 0
    off_norm: int = 0
    duplicate_groups: int = 0
    duplicate_surplus: int = 0
    largest_group: int = 0
    examples: dict[str, list[int]] = field(default_factory=dict)


@dataclass(frozen=True)
class MeasuredRecall:
    """Per sampled vector, which part of its true nearest the index found; and how long searching took."""

    ratios: NDArray[np.float64]
    search_seconds: float
    exact_seconds: float


class OpenGeneration:
    """One generation mapped read-only, to be looked into. DamagedIndex when it cannot be opened."""

    def __init__(self, folder: Path, manifest: Manifest, tell: Tell = lambda *_: None) -> None:
        self.manifest = manifest
        try:
            self._index: Any = faiss.read_index(str(folder / INDEX_FILE), faiss.IO_FLAG_MMAP_IFC)
        except RuntimeError as error:
            raise DamagedIndex(f"The file of generation {manifest.generation} cannot be opened: {error}") from error
        self.ids: Ids = ids_of(self._index, lambda done: tell("opening the index", done, manifest.vectors))

    @property
    def exact(self) -> bool:
        """Whether a search compares with every vector as it is."""
        return self.manifest.factory == FLAT

    def count_ids(self) -> tuple[Ids, Ids]:
        """Each id once, in order, and how often it is there."""
        return np.unique(self.ids, return_counts=True)  # without the counts numpy would hash, which takes twenty times as long

    def look_at_lists(self) -> ListFacts | None:
        """How evenly the lists are filled; None for a kind without lists."""
        return look_at_lists(self._index) if isinstance(self._index, faiss.IndexIVF) else None

    def search(self, vector: NDArray[np.float32], k: int) -> Hits:
        """The at most ``k`` nearest to ``vector``, float32 [d]."""
        return find_nearest(self._index, vector, k)

    def vectors(self) -> Iterable[tuple[Ids, NDArray[np.float32]]]:
        """Every id with its vector as the index holds it, in batches."""
        if isinstance(self._index, faiss.IndexIVF):
            yield from vectors_in_lists(self._index)
            return
        for start in range(0, len(self.ids), _BATCH):
            ids = self.ids[start : start + _BATCH]
            yield ids, self._index.index.reconstruct_n(start, len(ids))

    def find_odd(self, on_progress: Progress = lambda _: None) -> OddVectors:
        """Look at every vector once."""
        odd, seen, first = OddVectors(), Counter[bytes](), dict[bytes, int]()
        tolerance = _NORM_TOLERANCE.get(self.manifest.factory, _QUANTISED_TOLERANCE)
        for ids, vectors in self.vectors():
            finite = np.logical_and.reduce(np.isfinite(vectors), axis=1)
            norms = np.linalg.norm(np.where(finite[:, None], vectors, 0), axis=1)
            zero = finite & (norms < 1e-3)
            off = finite & ~zero & (np.abs(norms - 1) > tolerance)
            for name, hit in (("not_finite", ~finite), ("zero", zero), ("off_norm", off)):
                _note(odd, name, ids[hit])
            for ident, vector in zip(ids.tolist(), vectors, strict=True):
                mark = hashlib.blake2b(vector.tobytes(), digest_size=16).digest()
                seen[mark] += 1
                first.setdefault(mark, ident)
            odd.vectors += len(ids)
            on_progress(odd.vectors)
        groups = [(mark, count) for mark, count in seen.most_common() if count > 1]
        odd.duplicate_groups, odd.duplicate_surplus = len(groups), sum(count - 1 for _, count in groups)
        odd.largest_group = groups[0][1] if groups else 0
        odd.examples["duplicate"] = [first[mark] for mark, _ in groups[:_EXAMPLES]]
        return odd

    def measure_recall(self, sample: Batch, everything: Iterable[Batch], *, k: int, tell: Tell = lambda *_: None) -> MeasuredRecall:
        """Ask the index for the neighbours of a sample, and compare with the true ones among ``everything``."""
        _, queries = sample
        found, times = [], []
        for done, query in enumerate(queries):
            tell("searching for sampled rows", done, len(queries))
            began = time.perf_counter()
            found.append({ident for ident, _ in self.search(query, k)})
            times.append(time.perf_counter() - began)
        began = time.perf_counter()
        nearest = _true_nearest(queries, everything, k, lambda done: tell("measuring recall", done, len(self.ids)))
        exact = (time.perf_counter() - began) / max(1, len(queries))
        ratios = np.asarray([len(mine & true) / max(1, len(true)) for mine, true in zip(found, nearest, strict=True)])
        return MeasuredRecall(ratios, search_seconds=float(np.median(times)) if times else 0.0, exact_seconds=exact)


def _note(odd: OddVectors, name: str, ids: Ids) -> None:
    setattr(odd, name, getattr(odd, name) + len(ids))
    known = odd.examples.setdefault(name, [])
    known += ids[: _EXAMPLES - len(known)].tolist()


def _true_nearest(queries: NDArray[np.float32], everything: Iterable[Batch], k: int, on_progress: Progress) -> list[set[int]]:
    """The k nearest of each query among all batches, without ever holding more than one batch."""
    best_scores, best_ids = np.full((len(queries), k), -np.inf, np.float32), np.full((len(queries), k), -1, np.int64)
    done = 0
    for ids, vectors in everything:
        scores = np.concatenate([best_scores, queries @ vectors.T], axis=1)
        candidates = np.concatenate([best_ids, np.broadcast_to(ids, (len(queries), len(ids)))], axis=1)
        top = np.argpartition(-scores, min(k, scores.shape[1] - 1), axis=1)[:, :k]
        best_scores, best_ids = np.take_along_axis(scores, top, axis=1), np.take_along_axis(candidates, top, axis=1)
        done += len(ids)
        on_progress(done)
    return [{ident for ident in row.tolist() if ident >= 0} for row in best_ids]
