"""Reads one FAISS file in a process that may do nothing else: a request as JSON on stdin, one verdict as JSON on stdout.

Run by its path with ``python -I`` and an empty environment, so it imports nothing of ours. It is only given files whose
structure was walked already; the limits are for what nobody has thought of.
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import hashlib
import json
import os
import resource
import signal
import sys
from typing import Any

_BLOCK = 1 << 15
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG
_SELF_TRIES = 64
_NORM_TOLERANCE = 0.05


def _limit(request: dict[str, Any]) -> None:
    """So much memory and time as an honest file of this size needs; no file may be written, none but a few opened."""
    # Nobody listens any more once the process that started this one is gone, however it went.
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:  # noqa: PTH123 - nothing more is imported
        score.write("1000")  # should memory run out, this process goes and no other
    for what, most in (
        (resource.RLIMIT_AS, request["memory_bytes"]),
        (resource.RLIMIT_CPU, request["cpu_seconds"]),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 32),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (most, most))


def main() -> None:
    request = json.loads(sys.stdin.buffer.read())
    _limit(request)
    import faiss

    untyped: Any = faiss
    size = os.stat(request["path"]).st_size  # noqa: PTH116 - nothing more is imported than is needed
    untyped.set_deserialization_vector_byte_limit(size)
    untyped.set_deserialization_loop_limit(max(1 << 20, size // 8))
    faiss.omp_set_num_threads(1)
    try:
        index = untyped.read_index(request["path"], faiss.IO_FLAG_READ_ONLY)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the verdict
        words = str(error).replace(request["path"], "the file")  # where it lies is nobody's business
        _say({"unreadable": f"{type(error).__name__}: {words}"[:300]})
        return
    _say(_examine(untyped, index, request))


def _say(verdict: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(verdict))
    sys.stdout.flush()


def _examine(faiss: Any, index: Any, request: dict[str, Any]) -> dict[str, Any]:
    verdict: dict[str, Any] = {"dimension": index.d, "vectors": index.ntotal}
    if request["facts"]:
        ids, by_id, inner = _ids_of(faiss, index)
        verdict |= _facts_of_ids(ids, tell_all=request.get("ids", False))
        verdict |= _facts_of_vectors(index, inner, ids, by_id, request.get("sample") or [])
        if verdict["not_finite"]:
            return verdict
    if request.get("queries"):
        verdict["answers"] = _search(index, request)
    return verdict


def _ids_of(faiss: Any, index: Any) -> tuple[Any, bool, Any]:
    """(ids in the order in which the vectors are looked at, whether these are had by id alone, the index that holds them)."""
    import numpy as np

    if isinstance(index, faiss.IndexIDMap | faiss.IndexIDMap2):
        return np.asarray(faiss.vector_to_array(index.id_map), np.int64), False, faiss.downcast_index(index.index)
    if isinstance(index, faiss.IndexIVF):
        lists = index.invlists
        found = [
            faiss.rev_swig_ptr(lists.get_ids(number), lists.list_size(number)).copy() if lists.list_size(number) else np.empty(0, np.int64)
            for number in range(index.nlist)
        ]
        index.set_direct_map_type(faiss.DirectMap.Hashtable)
        return np.concatenate(found) if found else np.empty(0, np.int64), True, index
    return np.arange(index.ntotal, dtype=np.int64), False, index


def _facts_of_ids(ids: Any, *, tell_all: bool) -> dict[str, Any]:
    import numpy as np

    ordered = np.sort(ids)
    return {
        "ids_sha256": hashlib.sha256(ordered.astype("<i8", copy=False).tobytes()).hexdigest(),
        "first_id": int(ordered[0]) if len(ordered) else None,
        "last_id": int(ordered[-1]) if len(ordered) else None,
        "ids": base64.b64encode(ordered.astype("<i8", copy=False).tobytes()).decode() if tell_all else "",
        "repeated_ids": int(np.count_nonzero(np.diff(ordered) == 0)),
    }


def _vectors_at(inner: Any, ids: Any, by_id: bool, start: int, count: int) -> Any:
    """The vectors from one place on, decoded: float32 [count, dimension]."""
    import numpy as np

    if by_id:
        return np.vstack([inner.reconstruct(int(each)) for each in ids[start : start + count]])
    return inner.reconstruct_n(start, count)


def _facts_of_vectors(index: Any, inner: Any, ids: Any, by_id: bool, sample: list[int]) -> dict[str, Any]:
    """Lengths, doubles, what is not a number; and the vectors of the ids that were asked for."""
    import numpy as np

    chance = np.random.default_rng(6)
    mix = chance.integers(1, 1 << 62, index.d, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    wanted = np.asarray(sorted(sample), np.int64)
    norms, hashes, not_finite, found, kept = [], [], 0, [], []
    for start in range(0, index.ntotal, _BLOCK):
        block = np.ascontiguousarray(_vectors_at(inner, ids, by_id, start, min(_BLOCK, index.ntotal - start)), np.float32)
        not_finite += int(np.count_nonzero(~np.isfinite(block).all(axis=1)))
        with np.errstate(over="ignore", invalid="ignore"):
            norms.append(np.sqrt(np.einsum("ij,ij->i", block, block, dtype=np.float64)))
            hashes.append(block.view(np.uint32).astype(np.uint64) @ mix)
        here = np.flatnonzero(np.isin(ids[start : start + len(block)], wanted))
        found += ids[start : start + len(block)][here].tolist()
        kept.append(block[here])
    facts: dict[str, Any] = {"not_finite": not_finite, "found": found}
    if not_finite:
        return facts
    lengths = np.concatenate(norms) if norms else np.empty(0)
    facts |= {
        "duplicate_vectors": index.ntotal - len(np.unique(np.concatenate(hashes))) if hashes else 0,
        "zero_vectors": int(np.count_nonzero(lengths < 1e-6)),
        "off_norm": int(np.count_nonzero(np.abs(lengths - 1) > _NORM_TOLERANCE)),
        "norms": [float(lengths.min()), float(lengths.mean()), float(lengths.max())] if len(lengths) else None,
        "sample": base64.b64encode(np.concatenate(kept).astype("<f4").tobytes() if kept else b"").decode(),
    }
    places = chance.choice(index.ntotal, min(_SELF_TRIES, index.ntotal), replace=False) if index.ntotal else np.empty(0, np.int64)
    return facts | {"some_ids": ids[np.sort(places)[:8]].tolist()} | _self_hits(index, inner, ids, by_id, places)


def _self_hits(index: Any, inner: Any, ids: Any, by_id: bool, places: Any) -> dict[str, Any]:
    """How many vectors find themselves, or one that is exactly as near."""
    import numpy as np

    if not len(places):
        return {"self_tried": 0, "self_hits": 0}
    tried = np.vstack([_vectors_at(inner, ids, by_id, int(place), 1) for place in places])
    scores, found = index.search(np.ascontiguousarray(tried, np.float32), 1)
    itself = found[:, 0] == ids[places]
    as_near = np.isclose(scores[:, 0], np.einsum("ij,ij->i", tried, tried), rtol=1e-3)
    return {"self_tried": len(places), "self_hits": int(np.count_nonzero(itself | as_near))}


def _search(index: Any, request: dict[str, Any]) -> list[list[list[float]]]:
    import numpy as np

    queries = np.frombuffer(base64.b64decode(request["queries"]), "<f4").reshape(-1, index.d)
    scores, found = index.search(np.ascontiguousarray(queries), max(1, min(request["k"], index.ntotal)))
    return [
        [[int(ident), float(score)] for ident, score in zip(row, near, strict=True) if ident >= 0]
        for row, near in zip(found, scores, strict=True)
    ]


if __name__ == "__main__":
    main()
