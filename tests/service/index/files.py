"""Index files beside the service's own ways: read with FAISS as any other program would, or made by it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import faiss

from lib.service.index.durable import HashedFile, file_facts
from lib.service.index.manifest import INDEX_FILE
from lib.service.index.stored import Content, Written, ids_of, prove


def read_proven(folder: Path) -> Any:
    """The index of a generation's folder, whose bytes must be the ones its manifest names: by both of their hashes, once it is sealed."""
    told, found = prove(folder).index_file, file_facts(folder / INDEX_FILE)
    assert told == (found if told.sha256 else found.model_copy(update={"sha256": None}))
    return faiss.read_index(str(folder / INDEX_FILE))


def made_of(content: Content, served: Path | None = None) -> Any:
    """What FAISS reads of what this writes."""
    with tempfile.TemporaryDirectory() as folder:
        with HashedFile(Path(folder) / INDEX_FILE) as file:
            content(file, served)
        return faiss.read_index(str(file.path))


def of_faiss(index: Any, factory: str = "IDMap2,Flat") -> Content:
    """An index that was put together by hand, as wrong as it may be."""

    def write(file: HashedFile, _: Path | None) -> Written:
        file.write(faiss.serialize_index(index))
        return Written(factory, index.d, ids_of(index))

    return write
