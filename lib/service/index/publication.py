"""One publish under way: a folder aside that is filled, made durable, given its name, and pointed at."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

from lib.service.index.durable import HashedFile, copy_hashed, sync_folder, write_synced
from lib.service.index.manifest import INDEX_FILE, MANIFEST_FILE, FileFacts, Manifest, folder_name
from lib.service.index.pointer import read_pointer, write_pointer
from lib.service.index.stored import Content, DamagedIndex, Written, check_stored

#: How the names of folders aside begin.
BUILDING = "building-"
_JOB_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class PublishStep(StrEnum):
    """The moments of a publish, in order. Up to ``RENAMED`` the old generation is served, from ``POINTED`` on the new one."""

    BEGUN = "begun"  #: the folder aside is there
    WRITTEN = "written"  #: the FAISS file is complete
    CHECKED = "checked"  #: it is durable, was read again and holds what the index holds
    SYNCED = "synced"  #: so are the manifest and the folder's names
    RENAMED = "renamed"  #: the folder has its final name
    POINTED = "pointed"  #: CURRENT names it


class Publication:
    """The folder aside of one job, among the generations in ``folder``. Each step is told to ``on_step``, which may end it there."""

    def __init__(self, folder: Path, job_id: str, on_step: Callable[[PublishStep], None]) -> None:
        if not _JOB_ID.fullmatch(job_id):
            raise ValueError(f"{job_id!r} cannot be part of a folder's name.")
        self._folder, self._aside, self._on_step = folder, folder / f"{BUILDING}{job_id}", on_step

    def write(self, content: Content, served: Path | None, *, sealed: bool) -> tuple[Written, FileFacts]:
        """Have ``content`` write the index file, from the generation in the folder ``served`` if it likes. DamagedIndex."""
        self._begin()
        with HashedFile(self._aside / INDEX_FILE, sealed=sealed) as file:
            written = content(file, served)
            self._on_step(PublishStep.WRITTEN)
            file.settle()
            check_stored(file.path, written)
        self._on_step(PublishStep.CHECKED)
        return written, file.facts

    def copy(self, path: Path, facts: Manifest) -> FileFacts:
        """Take a copy of the index file at ``path``; DamagedIndex when it has another hash than ``facts`` say."""
        self._begin()
        copied = copy_hashed(path, self._aside / INDEX_FILE)
        self._on_step(PublishStep.WRITTEN)
        if copied.sha256 != facts.index_file.sha256:
            raise DamagedIndex("The file is not the one its manifest tells of.")
        self._on_step(PublishStep.CHECKED)
        return copied

    def install(self, manifest: Manifest) -> None:
        """Make of the folder aside the generation of this manifest, and have it served."""
        write_synced(self._aside / MANIFEST_FILE, manifest.to_json())
        sync_folder(self._aside)
        self._on_step(PublishStep.SYNCED)
        self._aside.rename(self._folder / manifest.folder_name)
        sync_folder(self._folder)
        self._on_step(PublishStep.RENAMED)
        write_pointer(self._folder, manifest.generation)
        self._on_step(PublishStep.POINTED)

    def abandon(self, generation: int) -> None:
        """Leave nothing of a failed publish, unless its generation is served already."""
        remove(self._aside)
        if read_pointer(self._folder) != generation:
            remove(self._folder / folder_name(generation))

    def _begin(self) -> None:
        remove(self._aside)  # of an attempt that died
        self._aside.mkdir()
        self._on_step(PublishStep.BEGUN)


def remove(path: Path) -> None:
    """The file or folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
