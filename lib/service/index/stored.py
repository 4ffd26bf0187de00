"""One FAISS file: writing it durably, proving that it holds what was written, reading it for change."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, cast

import faiss
import numpy as np

from lib.service.index.durable import HashingSink, sha256_of
from lib.service.index.manifest import INDEX_FILE, FileFacts, Ids, hash_ids, read_whole

_BLOCK_BYTES = 1 << 22
_SAMPLES = 16


class DamagedIndex(Exception):
    """An index file does not hold what it should: its disk or its memory is at fault. Build a new generation."""


def ids_of(index: faiss.Index) -> Ids:
    """The ids of an IDMap2 index, in the order of its vectors."""
    return np.asarray(faiss.vector_to_array(cast("faiss.IndexIDMap2", index).id_map), np.int64)


def write_index(index: faiss.Index, path: Path) -> FileFacts:
    """Write ``index`` durably; the file's facts, taken from the bytes as they pass."""
    with path.open("wb", buffering=0) as file:
        with HashingSink(file) as sink:
            faiss.write_index(index, _writer_into(sink))
        os.fsync(file.fileno())
    return FileFacts(sha256=sink.sha256, size_bytes=sink.size_bytes)


def _writer_into(sink: HashingSink) -> faiss.IOWriter:
    untyped: Any = faiss  # its type stubs leave this class out
    writer: faiss.IOWriter = untyped.PyCallbackIOWriter(sink, _BLOCK_BYTES)
    return writer


def check_stored(path: Path, index: faiss.Index) -> None:
    """DamagedIndex unless the file reads as the same index: shape, ids, and a sample of vectors."""
    try:
        stored = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
    except RuntimeError as error:
        raise DamagedIndex(f"{path.name} cannot be read again: {error}") from error
    if (stored.d, stored.ntotal, stored.metric_type) != (index.d, index.ntotal, index.metric_type):
        raise DamagedIndex(f"{path.name} holds {stored.ntotal} vectors of {stored.d}, not {index.ntotal} of {index.d}.")
    ids = ids_of(index)
    if not np.array_equal(ids_of(stored), ids):
        raise DamagedIndex(f"{path.name} does not hold the ids that were written.")
    for sample in ids[:: max(1, len(ids) // _SAMPLES)].tolist():
        if not np.array_equal(stored.reconstruct(sample), index.reconstruct(sample)):
            raise DamagedIndex(f"{path.name} holds another vector for id {sample} than was written.")


def read_for_update(folder: Path) -> faiss.Index:
    """The index of a generation's folder, in memory and proven by its hash. DamagedIndex when it is not what was published.

    Never mapped: adding to a mapped index ends the process, removing from one too.
    """
    manifest = read_whole(folder)
    if manifest is None:
        raise DamagedIndex(f"{folder.name} is not a whole generation.")
    # Nearly half of all damaged files load and answer; only the hash tells.
    if sha256_of(folder / INDEX_FILE) != manifest.index_file.sha256:
        raise DamagedIndex(f"The index file of {folder.name} is not the one that was published.")
    index = faiss.read_index(str(folder / INDEX_FILE))
    if index.ntotal != manifest.vectors or hash_ids(ids_of(index)) != manifest.ids_sha256:
        raise DamagedIndex(f"The index file of {folder.name} and its manifest disagree.")
    return index
