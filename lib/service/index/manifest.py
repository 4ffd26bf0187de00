"""What a generation says about itself, and whether its folder is whole."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

INDEX_FILE = "index.faiss"
MANIFEST_FILE = "manifest.json"

_FOLDER_NAME = re.compile(r"generation-(\d{6,})")

Ids = NDArray[np.int64]


class FileFacts(BaseModel):
    """One file of a generation."""

    model_config = ConfigDict(frozen=True)

    sha256: str | None = None  #: of a file that is handed out; a generation just refreshed gets it when it is sealed
    size_bytes: int
    xxh3: str | None = None  #: XXH3 of 128 bits, to prove the file quickly; older manifests lack it


class Manifest(BaseModel):
    """One generation: what is in it, how it was made, and the hashes to prove it by."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    schema_version: Literal[1] = Field(1, alias="schema")
    generation: int = Field(ge=1)
    previous_generation: int | None  #: the one served when this was published
    factory: str
    metric: Literal["inner_product"] = "inner_product"
    dimension: int = Field(ge=1)
    vectors: int = Field(ge=0)
    embedder: str
    fingerprint: str
    revision: int  #: the table's vector revision it includes
    ids_sha256: str  #: see ``hash_ids``
    files: dict[str, FileFacts]
    faiss_version: str
    built_at: datetime
    build_seconds: float  #: building, writing and checking
    job_id: str

    @property
    def folder_name(self) -> str:
        """The name of its folder, which ``CURRENT`` holds when it is served."""
        return folder_name(self.generation)

    @property
    def index_file(self) -> FileFacts:
        """The facts of the FAISS file."""
        return self.files[INDEX_FILE]

    def to_json(self) -> bytes:
        """The bytes of ``manifest.json``: readable, and the same for the same facts."""
        return (self.model_dump_json(by_alias=True, indent=2) + "\n").encode()


def folder_name(generation: int) -> str:
    """``generation-000003`` for 3."""
    return f"generation-{generation:06d}"


def generation_of(name: str) -> int | None:
    """3 for ``generation-000003``; None when ``name`` is not a generation's."""
    match = _FOLDER_NAME.fullmatch(name)
    return int(match[1]) if match else None


def hash_ids(ids: Ids) -> str:
    """sha256 over the sorted ids as little-endian int64: equal exactly when the two sets of ids are."""
    return hashlib.sha256(np.sort(ids, kind="stable").astype("<i8", copy=False).tobytes()).hexdigest()


def read_whole(folder: Path) -> Manifest | None:
    """The manifest of a generation's folder; None when it is missing, unreadable, another's, or a file has not its size."""
    try:
        manifest = Manifest.model_validate_json((folder / MANIFEST_FILE).read_bytes())
        sizes = {name: (folder / name).stat().st_size for name in manifest.files}
    except (OSError, ValidationError):
        return None
    whole = (
        manifest.folder_name == folder.name
        and INDEX_FILE in sizes
        and all(sizes[name] == facts.size_bytes for name, facts in manifest.files.items())
    )
    return manifest if whole else None
