"""Saved copies of a generation: a folder of its own with the FAISS file, the ids and a manifest of both.

The same generation and the same table give the same bytes, manifest included.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import faiss
import numpy as np
from pydantic import AfterValidator, AwareDatetime, ConfigDict, Field

from lib.service.index.durable import copy_hashed, sync_folder, write_synced
from lib.service.index.manifest import INDEX_FILE, MANIFEST_FILE, Manifest
from lib.service.index.stored import DamagedIndex, ids_of

IDS_FILE = "ids.npy"
_MOST = (1 << 63) - 1


def _printable(words: str) -> str:
    if not words.isprintable():
        raise ValueError("it holds signs that cannot be shown")
    return words


#: What pages show and databases keep.
Printable = Annotated[str, AfterValidator(_printable)]


class SavedManifest(Manifest):
    """The manifest of a saved copy, as strictly as one that comes back from outside is read."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    generation: int = Field(ge=1, le=_MOST)
    vectors: int = Field(ge=0, le=_MOST)
    dimension: int = Field(ge=1, le=_MOST)
    revision: int = Field(ge=0, le=_MOST)
    embedder: Printable = Field(max_length=200)
    faiss_version: Printable = Field(max_length=50)
    built_at: AwareDatetime
    table_sha256: str


@dataclass(frozen=True)
class SavedFacts:
    """What one saved copy takes up."""

    size_bytes: int


def save_copy(generation: Path, manifest: Manifest, folder: Path, *, table_sha256: str, quickly: bool = False) -> SavedFacts:
    """Copy the generation to ``folder``; DamagedIndex when its file is not what its manifest says. Safe to repeat.

    ``quickly``: a second name for the same file instead of a copy that was proven byte by byte. A published file is never written
    again, so both stay good when either is removed.
    """
    building = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(parents=True)
    try:
        if not (quickly and _link(generation / INDEX_FILE, building / INDEX_FILE)):
            copied = copy_hashed(generation / INDEX_FILE, building / INDEX_FILE)
            if copied.sha256 != manifest.index_file.sha256:
                raise DamagedIndex(f"The file of generation {manifest.generation} has changed since it was published.")
        ids = np.sort(ids_of(faiss.read_index(str(building / INDEX_FILE), faiss.IO_FLAG_MMAP_IFC)))
        buffer = io.BytesIO()
        np.save(buffer, ids, allow_pickle=False)
        write_synced(building / IDS_FILE, buffer.getvalue())
        write_synced(building / MANIFEST_FILE, _manifest_bytes(manifest, ids_file=buffer.getvalue(), table_sha256=table_sha256))
        sync_folder(building)
        shutil.rmtree(folder, ignore_errors=True)
        building.rename(folder)
        sync_folder(folder.parent)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return SavedFacts(size_bytes=sum(path.stat().st_size for path in folder.iterdir()))


def _link(source: Path, target: Path) -> bool:
    """Whether the file system took it."""
    try:
        os.link(source, target)
    except OSError:
        return False
    return True


def _manifest_bytes(manifest: Manifest, *, ids_file: bytes, table_sha256: str) -> bytes:
    facts = json.loads(manifest.to_json())
    facts["files"][IDS_FILE] = {"sha256": hashlib.sha256(ids_file).hexdigest(), "size_bytes": len(ids_file)}
    facts["table_sha256"] = table_sha256
    return (json.dumps(facts, indent=2, sort_keys=True) + "\n").encode()
