"""Sets whose manifest fits an index that is not what it seems."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from lib.service.index.bundle import Bundle
from lib.service.index.manifest import hash_ids
from lib.service.index.stored import ids_of


def shuffled(folder: Path, share: float = 0.1) -> bytes:
    """The set in ``folder`` with some vectors under each other's ids, its manifest made to fit: a lie that only the vectors tell."""
    index = faiss.read_index(str(folder / "index.faiss"))
    ids = ids_of(index)
    vectors = index.index.reconstruct_n(0, index.ntotal)
    some = np.random.default_rng(1).choice(len(ids), max(2, int(len(ids) * share)), replace=False)
    vectors[np.sort(some)] = vectors[np.roll(np.sort(some), 1)]
    lie = faiss.index_factory(index.d, "IDMap2,Flat", faiss.METRIC_INNER_PRODUCT)
    lie.add_with_ids(vectors, ids)
    return rebuilt(folder, faiss.serialize_index(lie).tobytes())


def without_rows(folder: Path, *, keep: int) -> bytes:
    """The set in ``folder`` with only the first of its rows, all of it made to fit: it says it is complete, and is not."""
    index = faiss.read_index(str(folder / "index.faiss"))
    ids, vectors = ids_of(index)[:keep], index.index.reconstruct_n(0, keep)
    less = faiss.index_factory(index.d, "IDMap2,Flat", faiss.METRIC_INNER_PRODUCT)
    less.add_with_ids(vectors, ids)
    return rebuilt(folder, faiss.serialize_index(less).tobytes(), ids=np.sort(ids), vectors=keep, ids_sha256=hash_ids(ids))


def rebuilt(folder: Path, data: bytes, ids: np.ndarray | None = None, **lies: Any) -> bytes:
    """The set of ``folder`` with another index file, and a manifest that fits it but for ``lies``."""
    aside = folder.with_name(f"{folder.name}-aside")
    shutil.copytree(folder, aside)
    (aside / "index.faiss").unlink()
    (aside / "index.faiss").write_bytes(data)
    manifest = json.loads((aside / "manifest.json").read_bytes())
    if ids is not None:
        np.save(aside / "ids.npy", ids)
        listed = (aside / "ids.npy").read_bytes()
        manifest["files"]["ids.npy"] = {"sha256": hashlib.sha256(listed).hexdigest(), "size_bytes": len(listed)}
    manifest["files"]["index.faiss"] = {"sha256": hashlib.sha256(data).hexdigest(), "size_bytes": len(data)}
    (aside / "manifest.json").write_bytes(json.dumps(manifest | lies).encode())
    bundle = Bundle(aside)
    whole = b"".join(bundle.read(0, bundle.size_bytes))
    shutil.rmtree(aside)
    return whole
