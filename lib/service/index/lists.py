"""An index in lists (IVF), for more vectors than can be compared with one by one: a search looks into the nearest lists only.

Its ids are its own; an id map around it would corrupt it at the first removal. It is built and changed in memory: which list a
vector belongs to is known only once the lists have been learnt.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from lib.service.index.durable import HashedFile
from lib.service.index.manifest import Ids

Vectors = NDArray[np.float32]
#: hears how many rounds of learning are done, and of how many; what it raises ends the build
Learning = Callable[[int, int], None]

#: So many lists are looked into by a search, and so many vectors are learnt from for each list.
PROBED = 64
LEARNT_FROM = 64
_SAMPLES = 16


@dataclass(frozen=True)
class ListFacts:
    """How evenly the vectors lie in the lists. An imbalance of 1 is perfect; of 2, a search looks at twice as many as it should."""

    lists: int
    empty: int
    median: int
    largest: int
    imbalance: float


def empty_lists(factory: str, dimension: int, learn_from: Vectors, on_learning: Learning = lambda *_: None) -> Any:
    """An index that has learnt its lists and holds nothing."""
    index: Any = faiss.index_factory(dimension, factory, faiss.METRIC_INNER_PRODUCT)
    index.cp.min_points_per_centroid, index.cp.max_points_per_centroid = 1, LEARNT_FROM
    with all_cores():
        _learn_centres(index, learn_from, on_learning)
        index.train(learn_from)  # what is left to learn: the ranges of the values
    index.nprobe = min(PROBED, index.nlist)
    return index


def _learn_centres(index: Any, learn_from: Vectors, on_learning: Learning) -> None:
    """As FAISS would by itself, but a round at a time: for millions of vectors all of them take a minute."""
    rounds, index.cp.niter = index.cp.niter, 1
    clustering: Any = faiss.Clustering(index.d, index.nlist, index.cp)
    for done in range(rounds):
        on_learning(done, rounds)
        clustering.train(learn_from, index.quantizer)  # goes on from the centres it has
    on_learning(rounds, rounds)


def write_lists(index: Any, file: HashedFile) -> None:
    """OSError when the disk is full: of a file that FAISS opens by itself it would be no more than words."""

    def write(part: bytes) -> int:
        file.write(part)
        return len(part)

    faiss.write_index(index, faiss.PyCallbackIOWriter(write))  # type: ignore[attr-defined]


def ids_in_lists(index: Any, on_progress: Callable[[int], None] = lambda _: None) -> Ids:
    """Every id, list by list. Told of on the way: they lie all over the file, and of one that nobody has read lately they take a while."""
    parts, done = [np.empty(0, np.int64)], 0
    for _, ids in _each_list(index):
        on_progress(done)
        parts.append(ids)
        done += len(ids)
    return np.concatenate(parts)


def vectors_in_lists(index: Any) -> Iterator[tuple[Ids, Vectors]]:
    """Every id with its vector as a search compares with it, a list at a time."""
    for number, ids in _each_list(index):
        yield ids, _decode(index, number, len(ids))


def sample_lists(index: Any) -> dict[int, Vectors]:
    """The first vector of some of the lists, by its id."""
    chosen = list(_each_list(index))
    return {int(ids[0]): _decode(index, number, 1)[0] for number, ids in chosen[:: max(1, len(chosen) // _SAMPLES)]}


def look_at_lists(index: Any) -> ListFacts:
    """How evenly they are filled."""
    sizes = np.asarray([index.invlists.list_size(number) for number in range(index.nlist)])
    return ListFacts(
        lists=len(sizes),
        empty=int(np.count_nonzero(sizes == 0)),
        median=int(np.median(sizes)),
        largest=int(sizes.max()),
        imbalance=round(float(index.invlists.imbalance_factor()), 3) if sizes.any() else 1.0,
    )


def _each_list(index: Any) -> Iterator[tuple[int, Ids]]:
    for number in range(index.nlist):
        if size := index.invlists.list_size(number):
            yield number, faiss.rev_swig_ptr(index.invlists.get_ids(number), size).astype(np.int64)


def _decode(index: Any, number: int, count: int) -> Vectors:
    codes = faiss.rev_swig_ptr(index.invlists.get_codes(number), count * index.code_size).reshape(count, -1).copy()
    vectors: Vectors = index.sq.decode(codes)
    return vectors + index.quantizer.reconstruct(number) if index.by_residual else vectors


@contextmanager
def all_cores() -> Iterator[None]:
    """Let FAISS use every core for the duration: workers otherwise keep to one thread each."""
    before = faiss.omp_get_max_threads()
    cores: Callable[[int], set[int]] | None = getattr(os, "sched_getaffinity", None)  # macOS does not tell which it may use
    faiss.omp_set_num_threads(len(cores(0)) if cores else os.cpu_count() or 1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)
