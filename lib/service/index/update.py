"""Bringing an index up to date: the file of the served generation, copied with only what changed written anew."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from lib.service.index.build import Batch, Progress, checked, written_lists
from lib.service.index.durable import HashedFile
from lib.service.index.factory import lists_of
from lib.service.index.layout import Codes, LaidOut, Layout
from lib.service.index.manifest import INDEX_FILE, Ids, Manifest
from lib.service.index.stored import Content, DamagedIndex, Written, check_ids, ids_of, prove, whole

_SAMPLES = 16

Places = NDArray[np.int64]


def updated_index(batches: Iterable[Batch], *, removals: Ids | Iterable[int] = (), on_progress: Progress = lambda _: None) -> Content:
    """The served index without ``removals`` and with the upserts of ``batches``; the served generation itself is not touched.

    An id in both ends up present; of an id that comes twice the last vector counts. The upserts are held in memory, encoded. A
    quantised index keeps the value ranges it learnt when it was built and clips what lies outside; a rebuild learns them anew. DamagedIndex
    when the generation is not what was published (build a new one), BadVectors.
    """

    def write(file: HashedFile, served: Path | None) -> Written:
        if served is None:
            raise DamagedIndex("There is no generation to start from.")
        manifest = whole(served)
        in_lists, xxh3 = lists_of(manifest.factory), manifest.index_file.xxh3
        if in_lists or not xxh3:  # else it is proven while it is copied
            prove(served)
        if in_lists:
            return _update_lists(file, served, manifest, batches, removals, on_progress)
        old = LaidOut.open(served / INDEX_FILE)
        check_ids(old.ids, manifest)
        on_progress(0)
        ids, codes = _collect(batches, old.layout, on_progress)
        return _write(file, old, xxh3, _plan(old.ids, ids, np.fromiter(removals, np.int64)), codes)

    return write


def _update_lists(
    file: HashedFile, served: Path, manifest: Manifest, batches: Iterable[Batch], removals: Ids | Iterable[int], on_progress: Progress
) -> Written:
    """In memory: what goes into which list FAISS knows."""
    index: Any = faiss.read_index(str(served / INDEX_FILE))
    check_ids(ids_of(index), manifest)
    on_progress(0)
    parts = [checked(batch, index.d) for batch in batches]
    ids = np.concatenate([np.empty(0, np.int64), *(each for each, _ in parts)])
    vectors = np.concatenate([np.empty((0, index.d), np.float32), *(each for _, each in parts)])
    unique, from_the_end = np.unique(ids[::-1], return_index=True)
    # Adding takes an id a second time without a word: an upsert is always remove, then add.
    index.remove_ids(np.union1d(unique, np.fromiter(removals, np.int64)))
    if len(unique):
        index.add_with_ids(vectors[len(ids) - 1 - from_the_end], unique)
    on_progress(len(ids))
    return written_lists(index, file)


@dataclass(frozen=True)
class _Change:
    """The ids of the new file, and some of its places, in order, with where their codes come from.

    A source is the number of an upsert, or, inverted bit by bit, a place of the old file.
    """

    ids: Ids
    places: Places
    sources: Places


def _collect(batches: Iterable[Batch], layout: Layout, on_progress: Progress) -> tuple[Ids, Codes]:
    """All upserts as they come, encoded."""
    ids, codes = [np.empty(0, np.int64)], [np.empty((0, layout.code_bytes), np.uint8)]
    done = 0
    for batch in batches:
        some_ids, vectors = checked(batch, layout.dimension)
        ids.append(some_ids)
        codes.append(layout.encode(vectors))
        done += len(some_ids)
        on_progress(done)
    return np.concatenate(ids), np.concatenate(codes)


def _plan(old: Ids, upserts: Ids, removals: Ids) -> _Change:
    """Replaced where they are; new ones in the places of removed ones, then behind the last; what stays empty is filled from the end."""
    ids, from_the_end = np.unique(upserts[::-1], return_index=True)
    numbers = len(upserts) - 1 - from_the_end  # the last of each id
    order = np.argsort(old, kind="stable")
    held = np.isin(ids, old)
    replaced = order[np.searchsorted(old, ids[held], sorter=order)]
    holes = np.flatnonzero(np.isin(old, np.setdiff1d(removals, ids)))
    new = ids[~held]
    filled, empty = holes[: len(new)], holes[len(new) :]
    behind = np.arange(len(old), len(old) + len(new) - len(filled))
    places = np.concatenate([replaced, filled, behind])
    all_ids = np.concatenate([old, np.empty(len(behind), np.int64)])
    all_ids[places] = np.concatenate([ids[held], new])
    return _closed(_Change(all_ids, places, np.concatenate([numbers[held], numbers[~held]])), empty)


def _closed(change: _Change, empty: Places) -> _Change:
    """The same with no place left empty, its places in order."""
    size = len(change.ids) - len(empty)
    last = np.setdiff1d(np.arange(size, len(change.ids)), empty)
    into = empty[empty < size]
    moved = ~last
    changed = np.isin(change.places, last)
    moved[np.searchsorted(last, change.places[changed])] = change.sources[changed]
    ids = change.ids.copy()
    ids[into] = ids[last]
    stay = change.places < size
    places, sources = np.concatenate([change.places[stay], into]), np.concatenate([change.sources[stay], moved])
    order = np.argsort(places)
    return _Change(ids[:size], places[order], sources[order])


def _write(file: HashedFile, old: LaidOut, xxh3: str | None, change: _Change, codes: Codes) -> Written:
    layout, size, done = old.layout, len(change.ids), 0
    file.write(layout.head(size))
    for block in old.blocks(xxh3):
        kept = block[: max(0, size - done)]
        first, last = np.searchsorted(change.places, [done, done + len(kept)])
        kept[change.places[first:last] - done] = _find(old, change.sources[first:last], codes)
        file.write(kept)
        done += len(block)
    behind = np.searchsorted(change.places, done)
    file.write(_find(old, change.sources[behind:], codes))
    file.write(layout.tail(change.ids))
    return Written(layout.factory, layout.dimension, change.ids, _samples(old, change, codes))


def _find(old: LaidOut, sources: Places, codes: Codes) -> Codes:
    """The code of each source."""
    found = np.empty((len(sources), old.layout.code_bytes), np.uint8)
    fresh = sources >= 0
    found[fresh] = codes[sources[fresh]]
    found[~fresh] = old.codes[~sources[~fresh]]
    return found


def _samples(old: LaidOut, change: _Change, codes: Codes) -> dict[int, NDArray[np.float32]]:
    """Some of what changed, and some of what did not."""
    size = len(change.ids)
    changed = np.arange(len(change.places))[:: max(1, len(change.places) // _SAMPLES)]
    same = np.setdiff1d(np.arange(min(len(old.ids), size))[:: max(1, size // _SAMPLES)], change.places)
    places, sources = np.concatenate([change.places[changed], same]), np.concatenate([change.sources[changed], ~same])
    if not len(places):
        return {}
    return dict(zip(change.ids[places].tolist(), old.layout.decode(_find(old, sources, codes)), strict=True))
