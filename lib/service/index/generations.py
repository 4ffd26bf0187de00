"""The generations of one index on disk: built aside, checked, made durable, renamed, then pointed at.

::

    CURRENT                       holds "generation-000003"
    generation-000003/            index.faiss, manifest.json
    generation-000002/            the one before, for "go back"
    TURNED_BACK                   holds "generation-000002" once people went back to it
    building-<job_id>/            of a publish under way, or left over from one that died
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import faiss

from lib.service.index.durable import FolderBusy, exclusive, file_facts, sync_folder, write_synced
from lib.service.index.manifest import INDEX_FILE, MANIFEST_FILE, Manifest, folder_name, generation_of, hash_ids, read_whole
from lib.service.index.pointer import FRESH_POINTER_FILE, read_pointer, turn_back, turned_back_to, write_pointer
from lib.service.index.publication import BUILDING, Publication, PublishStep, remove
from lib.service.index.stored import Content, DamagedIndex

_FRESH_MANIFEST_FILE = f"{MANIFEST_FILE}.new"
_LOCK_FILE = ".lock"
_LOCK_SECONDS = 60.0


class Superseded(Exception):
    """Another generation was published since the one this index was made from; publishing would undo it."""


#: (the publish under way, the number of the new generation, the one served) → what was written
_Make = Callable[[Publication, int, Manifest | None], Manifest]


class Generations:
    """One folder of generations. One process publishes at a time; any number may read meanwhile."""

    def __init__(
        self, folder: Path, *, on_step: Callable[[PublishStep], None] = lambda _: None, lock_seconds: float = _LOCK_SECONDS
    ) -> None:
        """Take the folder (made by the first publish). ``on_step`` hears of every step; what it raises ends the publish there."""
        self.folder = folder
        self._on_step = on_step
        self._lock_seconds = lock_seconds

    def current(self) -> Manifest | None:
        """The served generation. Without a good pointer, or when its folder is damaged: the newest whole one. None: there is none."""
        pointed = self._read(read_pointer(self.folder))
        return pointed or next(iter(self.list_generations()), None)

    def previous(self) -> Manifest | None:
        """The generation to go back to: the one served before the current one, if it is whole, else the newest older whole one."""
        current = self.current()
        if current is None:
            return None
        older = [manifest for manifest in self.list_generations() if manifest.generation < current.generation]
        served = [manifest for manifest in older if manifest.generation == current.previous_generation]
        return next(iter(served + older), None)

    def list_generations(self) -> list[Manifest]:
        """Every whole generation, newest first."""
        manifests = (self._read(generation) for generation in sorted(self._numbers(), reverse=True))
        return [manifest for manifest in manifests if manifest is not None]

    def published_by(self, job_id: str) -> Manifest | None:
        """The newest generation that this job published. One renamed but never pointed at does not count: it was not served."""
        current = self.current()
        if current is None:
            return None
        mine = (manifest for manifest in self.list_generations() if manifest.job_id == job_id)
        return next((manifest for manifest in mine if manifest.generation <= current.generation), None)

    def folder_of(self, manifest: Manifest) -> Path:
        """The folder that holds this generation's files."""
        return self.folder / manifest.folder_name

    def publish(
        self,
        content: Content,
        *,
        embedder: str,
        fingerprint: str,
        revision: int,
        job_id: str,
        based_on: int | None = None,
        sealed: bool = True,
    ) -> Manifest:
        """Make the index that ``content`` writes the served generation; on an error the old one stays. Safe to repeat after death.

        ``based_on`` is the generation an update is made from (0: none was there): Superseded when another is served by now. A job
        that has published this revision or a later one gets that generation back and writes nothing. FolderBusy when another
        publish does not end. Not ``sealed``: SHA-256, which takes longer than all else of an update, is left to ``seal``.
        """
        begun = time.monotonic()

        def make(publication: Publication, generation: int, served: Manifest | None) -> Manifest:
            written, facts = publication.write(content, self.folder_of(served) if served else None, sealed=sealed)
            return Manifest(
                generation=generation,
                previous_generation=served.generation if served else None,
                factory=written.factory,
                dimension=written.dimension,
                vectors=len(written.ids),
                embedder=embedder,
                fingerprint=fingerprint,
                revision=revision,
                ids_sha256=hash_ids(written.ids),
                files={INDEX_FILE: facts},
                faiss_version=faiss.__version__,
                built_at=datetime.now(UTC),
                build_seconds=round(time.monotonic() - begun, 3),
                job_id=job_id,
            )

        return self._publish(make, revision=revision, job_id=job_id, based_on=based_on)

    def publish_file(self, path: Path, facts: Manifest, *, revision: int, job_id: str, build_seconds: float = 0.0) -> Manifest:
        """Make a copy of the index file at ``path``, which ``facts`` tell of, the served generation; else as ``publish``.

        The file is not opened, only copied: DamagedIndex when the copy has another hash than ``facts`` say.
        """
        begun = time.monotonic()

        def make(publication: Publication, generation: int, served: Manifest | None) -> Manifest:
            copied = publication.copy(path, facts)
            changes = {
                "generation": generation,
                "previous_generation": served.generation if served else None,
                "revision": revision,
                "files": {INDEX_FILE: copied},
                "built_at": datetime.now(UTC),
                "build_seconds": round(build_seconds + time.monotonic() - begun, 3),
                "job_id": job_id,
            }
            return Manifest.model_validate({name: getattr(facts, name) for name in Manifest.model_fields} | changes)

        return self._publish(make, revision=revision, job_id=job_id, based_on=None)

    def _publish(self, make: _Make, *, revision: int, job_id: str, based_on: int | None) -> Manifest:
        publication = Publication(self.folder, job_id, self._on_step)
        self.folder.mkdir(parents=True, exist_ok=True)
        with exclusive(self.folder / _LOCK_FILE, timeout_seconds=self._lock_seconds):
            done = self.published_by(job_id)
            if done is not None and done.revision >= revision:
                return self._mended(done)
            served = self.current()
            if based_on is not None and based_on != (served.generation if served else 0):
                raise Superseded(f"Made from generation {based_on}, but {served.folder_name if served else 'none'} is served by now.")
            generation = self._next_generation()
            try:
                manifest = make(publication, generation, served)
                publication.install(manifest)
            except BaseException:
                publication.abandon(generation)
                raise
        return manifest

    def go_back(self, generation: int) -> Manifest:
        """Serve a generation that is on disk again; LookupError when it is not whole. The one served until now stays.

        It is served until something is published: see ``turned_back_to``.
        """
        with exclusive(self.folder / _LOCK_FILE, timeout_seconds=self._lock_seconds):
            manifest = self._read(generation)
            if manifest is None:
                raise LookupError(f"Generation {generation} is not on disk any more.")
            turn_back(self.folder, generation, newest=max(self._numbers()))
            return manifest

    def turned_back_to(self) -> int | None:
        """The generation people went back to, if it is still served: nothing that nobody asked for may take its place."""
        return turned_back_to(self.folder)

    def seal(self, manifest: Manifest) -> Manifest:
        """The same generation with the SHA-256 of its file, written down; DamagedIndex when the file is not what was published.

        What is served stays served meanwhile. A generation that was swept meanwhile is a FileNotFoundError.
        """
        if manifest.index_file.sha256:
            return manifest
        folder = self.folder_of(manifest)
        facts = file_facts(folder / INDEX_FILE)
        if facts.xxh3 != manifest.index_file.xxh3:
            raise DamagedIndex(f"{INDEX_FILE} of {folder.name} has another hash than its manifest.")
        whole = manifest.model_copy(update={"files": {INDEX_FILE: facts}})
        with exclusive(self.folder / _LOCK_FILE, timeout_seconds=self._lock_seconds):
            write_synced(folder / _FRESH_MANIFEST_FILE, whole.to_json())
            (folder / _FRESH_MANIFEST_FILE).replace(folder / MANIFEST_FILE)
            sync_folder(folder)
            if read_pointer(self.folder) == manifest.generation:
                write_pointer(self.folder, manifest.generation)  # by which readers know that there is news
        return whole

    def sweep(self) -> list[str]:
        """Remove what no publish under way needs and nobody can go back to; the names removed. Nothing while a publish is under way."""
        if not self.folder.is_dir():
            return []
        try:
            with exclusive(self.folder / _LOCK_FILE, timeout_seconds=0):
                return self._sweep()
        except FolderBusy:
            return []

    def _sweep(self) -> list[str]:
        current, previous = self.current(), self.previous()
        keep = {manifest.folder_name for manifest in (current, previous) if manifest}
        leftovers = [path for path in self.folder.iterdir() if path.name.startswith(BUILDING) or path.name == FRESH_POINTER_FILE]
        if current:  # newer ones stay: their numbers must not be given again, and the pointer may have been turned back
            older = [self.folder / folder_name(number) for number in self._numbers() if number < current.generation]
            leftovers += [path for path in older if path.name not in keep]
        for path in leftovers:
            remove(path)
        return sorted(path.name for path in leftovers)

    def _mended(self, done: Manifest) -> Manifest:
        """``done`` again. Where ``CURRENT`` names nothing that is whole, it names what is served from here on."""
        served = self.current()
        if served is not None and read_pointer(self.folder) != served.generation:
            write_pointer(self.folder, served.generation)
        return done

    def _next_generation(self) -> int:
        return max([*self._numbers(), read_pointer(self.folder) or 0]) + 1

    def _numbers(self) -> list[int]:
        """The numbers of all generation folders, whole or not."""
        try:
            names = [path.name for path in self.folder.iterdir()]
        except FileNotFoundError:
            return []
        return [number for number in map(generation_of, names) if number is not None]

    def _read(self, generation: int | None) -> Manifest | None:
        return None if generation is None else read_whole(self.folder / folder_name(generation))
