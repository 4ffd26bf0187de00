"""Bringing an index up to date: the file of the served generation, copied with only what changed written anew."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lib.service.index.build import Batch, Progress, checked
from lib.service.index.durable import HashedFile
from lib.service.index.layout import Codes, LaidOut
from lib.service.index.manifest import INDEX_FILE, Ids
from lib.service.index.stored import Content, DamagedIndex, Written, check_ids, prove

_BLOCK_BYTES = 4 << 20
_SAMPLES = 16

Places = NDArray[np.int64]


def updated_index(batches: Iterable[Batch], *, removals: Ids | Iterable[int] = (), on_progress: Progress = lambda _: None) -> Content:
    """The served index without ``removals`` and with the upserts of ``batches``; the served generation itself is not touched.

    An id in both ends up present; of an id that comes twice the last vector counts. The upserts are held in memory. A quantised
    index keeps the value ranges it learnt when it was built and clips what lies outside; a rebuild learns them anew. DamagedIndex
    when the generation is not what was published (build a new one), BadVectors.
    """

    def write(path: Path, served: Path | None) -> Written:
        if served is None:
            raise DamagedIndex("There is no generation to start from.")
        manifest = prove(served)
        old = LaidOut.open(served / INDEX_FILE)
        check_ids(old.ids, manifest)
        on_progress(0)
        change = _plan(old, _collect(batches, old.layout.dimension, on_progress), np.fromiter(removals, np.int64))
        return _write(path, old, change)

    return write


@dataclass(frozen=True)
class _Change:
    """The ids of the new file, and the codes to write at some of their places, in the order of the places."""

    ids: Ids
    places: Places
    codes: Codes


def _collect(batches: Iterable[Batch], dimension: int, on_progress: Progress) -> Batch:
    """All upserts, the last of each id."""
    ids, vectors = [np.empty(0, np.int64)], [np.empty((0, dimension), np.float32)]
    done = 0
    for batch in batches:
        some_ids, some_vectors = checked(batch, dimension)
        ids.append(some_ids)
        vectors.append(some_vectors)
        done += len(some_ids)
        on_progress(done)
    everything = np.concatenate(ids)
    unique, from_the_end = np.unique(everything[::-1], return_index=True)
    return unique, np.concatenate(vectors)[len(everything) - 1 - from_the_end]


def _plan(old: LaidOut, upserts: Batch, removals: Ids) -> _Change:
    """Replaced where they are; new ones in the places of removed ones, then behind the last; what stays empty is filled from the end."""
    ids, codes = upserts[0], old.layout.encode(upserts[1])
    order = np.argsort(old.ids, kind="stable")
    held = np.isin(ids, old.ids)
    places = order[np.searchsorted(old.ids, ids[held], sorter=order)]
    holes = np.flatnonzero(np.isin(old.ids, np.setdiff1d(removals, ids)))
    new = ids[~held]
    filled, empty = holes[: len(new)], holes[len(new) :]
    behind = np.arange(len(old.ids), len(old.ids) + len(new) - len(filled))
    targets = np.concatenate([places, filled, behind])
    all_ids = np.concatenate([old.ids, np.empty(len(behind), np.int64)])
    all_ids[targets] = np.concatenate([ids[held], new])
    return _closed(old, _Change(all_ids, targets, np.concatenate([codes[held], codes[~held]])), empty)


def _closed(old: LaidOut, change: _Change, empty: Places) -> _Change:
    """The same with no place left empty, its places in order."""
    size = len(change.ids) - len(empty)
    last = np.setdiff1d(np.arange(size, len(change.ids)), empty)
    into = empty[empty < size]
    moved = old.codes[last]
    changed = np.isin(change.places, last)
    moved[np.searchsorted(last, change.places[changed])] = change.codes[changed]
    ids = change.ids.copy()
    ids[into] = ids[last]
    stay = change.places < size
    places, codes = np.concatenate([change.places[stay], into]), np.concatenate([change.codes[stay], moved])
    order = np.argsort(places)
    return _Change(ids[:size], places[order], codes[order])


def _write(path: Path, old: LaidOut, change: _Change) -> Written:
    layout, size = old.layout, len(change.ids)
    kept, step = min(len(old.ids), size), max(1, _BLOCK_BYTES // layout.code_bytes)
    with HashedFile(path) as file:
        file.write(layout.head(size))
        for start in range(0, kept, step):
            block = old.codes[start : min(start + step, kept)]
            first, last = np.searchsorted(change.places, [start, start + len(block)])
            if last > first:
                block = np.array(block)
                block[change.places[first:last] - start] = change.codes[first:last]
            file.write(block)
        file.write(change.codes[np.searchsorted(change.places, kept) :])
        file.write(layout.tail(change.ids))
    return Written(layout.factory, layout.dimension, change.ids, file.facts, _samples(old, change))


def _samples(old: LaidOut, change: _Change) -> dict[int, NDArray[np.float32]]:
    """Some of what changed, and some of what did not."""
    size = len(change.ids)
    changed = np.arange(len(change.places))[:: max(1, len(change.places) // _SAMPLES)]
    some = np.setdiff1d(np.arange(min(len(old.ids), size))[:: max(1, size // _SAMPLES)], change.places)
    places, codes = np.concatenate([change.places[changed], some]), np.concatenate([change.codes[changed], old.codes[some]])
    return dict(zip(change.ids[places].tolist(), old.layout.decode(codes), strict=True)) if len(places) else {}
