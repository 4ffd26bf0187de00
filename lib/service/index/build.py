"""Building an index from a stream of vectors, and bringing one up to date."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from lib.service.index.factory import check_factory
from lib.service.index.manifest import Ids
from lib.service.index.stored import DamagedIndex, ids_of, read_for_update

Vectors = NDArray[np.float32]
#: ids int64 [n] and their vectors float32 [n, d], unit norm
Batch = tuple[Ids, Vectors]
#: hears how many vectors are done; what it raises ends the build, and nothing is left of it
Progress = Callable[[int], None]

_TRAIN_VECTORS = 100_000
_NORM_TOLERANCE = 1e-2


class BadVectors(ValueError):
    """A batch that must not enter an index: wrong shape, not of unit norm, not finite, or a negative or doubled id."""


def build_index(batches: Iterable[Batch], *, factory: str, dimension: int, on_progress: Progress = lambda _: None) -> faiss.Index:
    """A new index of all ``batches``, taken one at a time. Each id may come once. BadVectors, UnknownFactory."""
    check_factory(factory)
    index = faiss.index_factory(dimension, factory, faiss.METRIC_INNER_PRODUCT)
    added = _add(index, batches, on_progress)
    _check_count(index, added)
    return index


def update_index(
    folder: Path, upserts: Iterable[Batch], *, removals: Ids | Iterable[int] = (), on_progress: Progress = lambda _: None
) -> faiss.Index:
    """The index of a generation's folder without ``removals`` and with ``upserts``; the generation itself is not touched.

    An id in both ends up present; of an id that comes twice the last vector counts. The upserts are held in memory until all
    are known, because one removal of a thousand ids costs what one of a single id does. A quantised index keeps the value
    ranges it learnt when it was built and clips what lies outside; a rebuild learns them anew. DamagedIndex when the
    generation is not what was published (build a new one), BadVectors.
    """
    index = read_for_update(folder)
    on_progress(0)
    batches = [_checked(index, batch) for batch in upserts]
    changed = np.concatenate([np.empty(0, np.int64), *(ids for ids, _ in batches)])
    gone = np.union1d(changed, np.fromiter(removals, np.int64))
    before = index.ntotal
    # Adding takes an id a second time without a word: an upsert is always remove, then add.
    removed = int(index.remove_ids(faiss.IDSelectorBatch(gone))) if gone.size else 0
    added = _add(index, _last_of_each(batches, changed), on_progress)
    _check_count(index, before - removed + added)
    return index


def _add(index: faiss.Index, batches: Iterable[Batch], on_progress: Progress) -> int:
    """Add all batches, training first when the kind needs it; how many vectors were added."""
    done = 0
    with _all_cores():
        # Empty batches are left out: FAISS refuses to train on none, and an untrained index refuses them.
        full = (batch for batch in (_checked(index, batch) for batch in batches) if len(batch[0]))
        for ids, vectors in _trained(index, full):
            index.add_with_ids(vectors, ids)
            done += len(ids)
            on_progress(done)
    return done


def _trained(index: faiss.Index, batches: Iterator[Batch]) -> Iterator[Batch]:
    """The same batches, the first of them only after ``index`` has learnt its value ranges from them."""
    if index.is_trained:
        return batches
    head: list[Batch] = []
    for batch in batches:
        head.append(batch)
        if sum(len(ids) for ids, _ in head) >= _TRAIN_VECTORS:
            break
    if head:
        index.train(np.concatenate([vectors for _, vectors in head])[:_TRAIN_VECTORS])
    return chain(head, batches)


def _checked(index: faiss.Index, batch: Batch) -> Batch:
    ids, vectors = np.ascontiguousarray(batch[0], np.int64), np.ascontiguousarray(batch[1], np.float32)
    if ids.ndim != 1 or vectors.shape != (len(ids), index.d):
        raise BadVectors(f"{len(ids)} ids came with vectors of shape {vectors.shape}; the index takes [n, {index.d}].")
    if ids.size and ids.min() < 0:
        raise BadVectors(f"The id {ids.min()} is negative; FAISS uses -1 for 'nothing found'.")
    squares = np.einsum("ij,ij->i", vectors, vectors)
    good = np.abs(squares - 1) <= 2 * _NORM_TOLERANCE  # false for NaN, which FAISS would take and never find
    if not good.all():
        worst = int(np.argmin(good))
        raise BadVectors(f"The vector of id {ids[worst]} has the norm {np.sqrt(squares[worst])}, not 1.")
    return ids, vectors


def _last_of_each(batches: list[Batch], changed: Ids) -> Iterator[Batch]:
    """The batches without the earlier vectors of an id that comes again later."""
    _, from_the_end = np.unique(changed[::-1], return_index=True)
    keep = np.zeros(len(changed), bool)
    keep[len(changed) - 1 - from_the_end] = True
    start = 0
    for ids, vectors in batches:
        chosen = keep[start : start + len(ids)]
        start += len(ids)
        yield ids[chosen], vectors[chosen]


def _check_count(index: faiss.Index, expected: int) -> None:
    if index.ntotal != expected:
        raise DamagedIndex(f"The index holds {index.ntotal} vectors where there should be {expected}.")
    repeats = int(np.count_nonzero(np.diff(np.sort(ids_of(index))) == 0))
    if repeats:
        raise BadVectors(f"{repeats} ids came more than once.")


@contextmanager
def _all_cores() -> Iterator[None]:
    """Let FAISS use every core for the duration: workers otherwise keep to one thread each."""
    before = faiss.omp_get_max_threads()
    # The cores this process may use, where the system tells (macOS does not).
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    faiss.omp_set_num_threads(cores)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)
