"""Searching the served generation, from any number of threads, while new ones are published."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from lib.service.index.generations import Generations
from lib.service.index.manifest import INDEX_FILE, Manifest, hash_ids
from lib.service.index.mapped import Hits, find_nearest, open_mapped
from lib.service.index.pointer import PointerMark, mark_pointer
from lib.service.index.stored import DamagedIndex, ids_of

_OPEN_ATTEMPTS = 5
#: So long a question waits for the new generation before it is answered from the one before: most are opened within milliseconds.
_PATIENCE_SECONDS = 0.25


class IndexUnreadable(Exception):
    """There is a generation, but its file cannot be opened, and no earlier one is open to answer from."""


@dataclass(frozen=True)
class _Open:
    """A generation mapped into memory. It stays good after its files are removed, until the last search drops it."""

    manifest: Manifest
    index: faiss.Index
    mark: PointerMark
    consistent: bool  #: it holds exactly the ids its manifest says


class IndexReader:
    """Answers from the served generation; goes on answering from the one before while a new one takes long to open."""

    def __init__(self, folder: Path) -> None:
        """Take the generations' folder; nothing is opened before the first question."""
        self._folder = folder
        self._generations = Generations(folder)
        self._open: _Open | None = None
        self._opening = threading.Lock()

    def manifest(self) -> Manifest | None:
        """The generation that a search would answer from now; None when there is none. IndexUnreadable."""
        opened = self._fresh()
        return opened.manifest if opened else None

    def ids_consistent(self) -> bool | None:
        """Whether the generation holds exactly the ids its manifest says; looked at when it is opened. None: there is none."""
        opened = self._fresh()
        return opened.consistent if opened else None

    def search(self, vector: NDArray[np.float32], k: int) -> tuple[Manifest | None, Hits]:
        """The generation asked and its at most ``k`` nearest (id, score), best first; (None, []) when there is no generation.

        ``vector`` is float32 [d]; ValueError when it has another dimension or is not finite, or ``k`` is below 1. IndexUnreadable.
        """
        opened = self._fresh()
        if opened is None:
            return None, []
        query = np.asarray(vector, np.float32)
        if query.size != opened.index.d or not np.isfinite(query).all():
            raise ValueError(f"A query of generation {opened.manifest.generation} is {opened.index.d} finite numbers.")
        if k < 1:
            raise ValueError(f"Asked for the {k} nearest; the least is 1.")
        return opened.manifest, find_nearest(opened.index, query, k)

    def _fresh(self) -> _Open | None:
        """What to answer from: reopened when the pointer was replaced. One thread reopens; others wait a moment, then take what is open."""
        opened = self._open
        if opened is not None and opened.mark == mark_pointer(self._folder):
            return opened
        if not self._opening.acquire(timeout=-1 if opened is None else _PATIENCE_SECONDS):
            return opened
        try:
            self._open = self._reopen(self._open)
            return self._open
        finally:
            self._opening.release()

    def _reopen(self, opened: _Open | None) -> _Open | None:
        """What the pointer names now, or ``opened`` again when that cannot be had. Looks again when a file was swept meanwhile."""
        failure: DamagedIndex | None = None
        for _ in range(_OPEN_ATTEMPTS):
            mark = mark_pointer(self._folder)  # before the manifest: a change in between is seen at the next search
            manifest = self._generations.current()
            if manifest is None:
                return opened
            if opened is not None and opened.manifest == manifest:
                return replace(opened, mark=mark)
            try:
                index = open_mapped(self._generations.folder_of(manifest) / INDEX_FILE)
                return _Open(manifest, index, mark, consistent=hash_ids(ids_of(index)) == manifest.ids_sha256)
            except DamagedIndex as error:
                failure = error
        if opened is None:
            raise IndexUnreadable(f"The served generation cannot be opened: {failure}") from failure
        return opened
