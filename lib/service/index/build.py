"""Building an index from a stream of vectors, straight into its file: never more than a batch of it is in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from lib.service.index.durable import HashedFile
from lib.service.index.factory import UnknownFactory, check_factory, factory_of, lists_of
from lib.service.index.layout import Layout
from lib.service.index.lists import Learning, all_cores, empty_lists, ids_in_lists, sample_lists, write_lists
from lib.service.index.manifest import Ids
from lib.service.index.stored import Content, Written

Vectors = NDArray[np.float32]
#: ids int64 [n] and their vectors float32 [n, d], unit norm
Batch = tuple[Ids, Vectors]
#: hears how many vectors are done; what it raises ends the build, and nothing is left of it
Progress = Callable[[int], None]

#: A kind that learns value ranges learns them from the first vectors, as many as fit into this.
_TRAIN_BYTES = 32 << 20
_NORM_TOLERANCE = 1e-2


class BadVectors(ValueError):
    """A batch that must not enter an index: wrong shape, not of unit norm, not finite, or a negative or doubled id."""


def new_index(
    batches: Iterable[Batch],
    *,
    factory: str,
    dimension: int,
    expected: int = 0,
    learn_from: Callable[[], Vectors] | None = None,
    on_progress: Progress = lambda _: None,
    on_learning: Learning = lambda *_: None,
) -> Content:
    """A new index of all ``batches``, taken one at a time. Each id may come once. BadVectors, UnknownFactory.

    ``expected`` is how many vectors there will be: right, it saves a second look at the file. ``learn_from`` gives vectors from all
    over the table; a kind with lists learns them from these.
    """
    check_factory(factory)
    if lists_of(factory):
        if learn_from is None:
            raise UnknownFactory(f"{factory} needs vectors to learn its lists from.")
        return _new_lists(batches, factory, dimension, learn_from, on_progress, on_learning)

    def write(file: HashedFile, _: Path | None) -> Written:
        # Empty batches are left out: FAISS refuses to learn from none.
        full = (batch for batch in (checked(batch, dimension) for batch in batches) if len(batch[0]))
        empty: Any = faiss.index_factory(dimension, factory, faiss.METRIC_INNER_PRODUCT)
        trained = _train(empty, full)
        return _write(file, Layout(empty), trained, expected, on_progress)

    return write


def _new_lists(
    batches: Iterable[Batch],
    factory: str,
    dimension: int,
    learn_from: Callable[[], Vectors],
    on_progress: Progress,
    on_learning: Learning,
) -> Content:
    def write(file: HashedFile, _: Path | None) -> Written:
        on_progress(0)
        index = empty_lists(factory, dimension, learn_from(), on_learning)
        with all_cores():
            for batch in batches:
                ids, vectors = checked(batch, dimension)
                index.add_with_ids(vectors, ids)
                on_progress(index.ntotal)
        return written_lists(index, file)

    return write


def written_lists(index: Any, file: HashedFile) -> Written:
    """An index in lists goes into its file as it is; BadVectors when an id is in it twice."""
    ids = ids_in_lists(index)
    refuse_repeats(ids)
    write_lists(index, file)
    return Written(factory_of(index), index.d, ids, sample_lists(index))


def _write(file: HashedFile, layout: Layout, batches: Iterable[Batch], expected: int, on_progress: Progress) -> Written:
    parts, samples, done = [np.empty(0, np.int64)], dict[int, Vectors](), 0
    file.write(layout.head(expected))
    for ids, vectors in batches:
        codes = layout.encode(vectors)
        file.write(codes)
        parts.append(ids)
        samples[int(ids[0])] = layout.decode(codes[:1])[0]
        done += len(ids)
        on_progress(done)
    ids = np.concatenate(parts)
    refuse_repeats(ids)
    file.write(layout.tail(ids))
    if done != expected:
        file.write_again(layout.head(done))
    return Written(layout.factory, layout.dimension, ids, samples)


def _train(index: Any, batches: Iterator[Batch]) -> Iterator[Batch]:
    """The same batches, the first of them only after ``index`` has learnt its value ranges from them."""
    if index.is_trained:
        return batches
    head: list[Batch] = []
    for batch in batches:
        head.append(batch)
        if sum(vectors.nbytes for _, vectors in head) >= _TRAIN_BYTES:
            break
    # Of nothing there is nothing to learn: then the range is the one that every unit vector lies in.
    widest = np.stack([np.full(index.d, -1, np.float32), np.full(index.d, 1, np.float32)])
    index.train(np.concatenate([vectors for _, vectors in head]) if head else widest)
    return chain(head, batches)


def checked(batch: Batch, dimension: int) -> Batch:
    """The batch as FAISS takes it; BadVectors when it must not enter an index."""
    ids, vectors = np.ascontiguousarray(batch[0], np.int64), np.ascontiguousarray(batch[1], np.float32)
    if ids.ndim != 1 or vectors.shape != (len(ids), dimension):
        raise BadVectors(f"{len(ids)} ids came with vectors of shape {vectors.shape}; the index takes [n, {dimension}].")
    if ids.size and ids.min() < 0:
        raise BadVectors(f"The id {ids.min()} is negative; FAISS uses -1 for 'nothing found'.")
    squares = np.einsum("ij,ij->i", vectors, vectors)
    good = np.abs(squares - 1) <= 2 * _NORM_TOLERANCE  # false for NaN, which FAISS would take and never find
    if not good.all():
        worst = int(np.argmin(good))
        raise BadVectors(f"The vector of id {ids[worst]} has the norm {np.sqrt(squares[worst])}, not 1.")
    return ids, vectors


def refuse_repeats(ids: Ids) -> None:
    """BadVectors when an id comes twice: FAISS would take both without a word."""
    repeats = int(np.count_nonzero(np.diff(np.sort(ids)) == 0))
    if repeats:
        raise BadVectors(f"{repeats} ids came more than once.")
