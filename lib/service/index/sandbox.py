"""A strange FAISS file is read by a process of its own, never by this one: started by exec, with limits, and believed only as JSON."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lib.contract.faults import BadFile, Fault
from lib.service.index.manifest import Ids

_CHILD = Path(__file__).with_name("sandbox_child.py")
_MIB = 1 << 20
#: What Python, numpy and FAISS need before the first byte of the file.
_OWN_MEMORY_BYTES = 2048 * _MIB
_OWN_CPU_SECONDS = 30
#: How often whoever waits for the child looks around.
_LOOK_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True)
class Examined:
    """What the child said of a file: facts of its ids and vectors, and what its searches found."""

    dimension: int
    vectors: int
    facts: dict[str, Any] = field(default_factory=dict)
    ids: Ids = field(default_factory=lambda: np.empty(0, np.int64))  #: all of them, sorted; none when no sample was asked for
    found: Ids = field(default_factory=lambda: np.empty(0, np.int64))  #: those of the sample's ids that the file has …
    sample: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 0), np.float32))  #: … and their vectors
    answers: list[list[tuple[int, float]]] = field(default_factory=list)  #: per query: (id, score), best first


def examine(
    path: Path,
    *,
    facts: bool = True,
    sample: Ids | None = None,
    queries: NDArray[np.float32] | None = None,
    k: int = 10,
    while_waiting: Callable[[], None] = lambda: None,
) -> Examined:
    """Read the walked file at ``path`` in a child; BadFile when it cannot be read within the limits, or holds what no index may.

    ``while_waiting`` is called about twice a second; what it raises ends the child.
    """
    size = path.stat().st_size
    request = {
        "path": str(path.resolve()),
        "memory_bytes": 4 * size + _OWN_MEMORY_BYTES,
        "cpu_seconds": _OWN_CPU_SECONDS + size // (2 * _MIB),
        "facts": facts,
        "ids": sample is not None,  # of very short vectors there can be so many that their ids alone would fill this process
        "sample": [] if sample is None else sample.tolist(),
        "queries": None if queries is None or not len(queries) else base64.b64encode(queries.astype("<f4").tobytes()).decode(),
        "k": k,
    }
    said = _ask(request, while_waiting)
    if "unreadable" in said:
        raise BadFile(Fault.UNREADABLE, said["unreadable"])
    if facts:
        _check(said)
    found = np.asarray(said.pop("found", []), np.int64)
    vectors = np.frombuffer(base64.b64decode(said.pop("sample", "")), "<f4").reshape(-1, said["dimension"])
    answers = [[(int(ident), float(score)) for ident, score in row] for row in said.pop("answers", [])]
    ids = np.frombuffer(base64.b64decode(said.pop("ids", "")), "<i8").astype(np.int64)
    return Examined(dimension=said["dimension"], vectors=said["vectors"], facts=said, ids=ids, found=found, sample=vectors, answers=answers)


def _ask(request: dict[str, Any], while_waiting: Callable[[], None]) -> dict[str, Any]:
    limit = 4 * request["cpu_seconds"]
    with _start_child() as child:
        try:
            out, trouble = _hear(child, json.dumps(request).encode(), time.monotonic() + limit, while_waiting)
        except subprocess.TimeoutExpired as late:
            raise BadFile(Fault.UNREADABLE, f"Reading it did not end within {limit:g} seconds.") from late
        finally:
            child.kill()
    try:
        said = json.loads(out)
    except ValueError as silent:
        end = f"by signal {-child.returncode}" if child.returncode < 0 else f"with {child.returncode}"
        last = trouble.decode(errors="replace").strip().splitlines()
        raise BadFile(Fault.UNREADABLE, f"The process that read it ended {end}{': ' + last[-1][:200] if last else ''}.") from silent
    if not isinstance(said, dict):
        raise BadFile(Fault.UNREADABLE, "The process that read it said nothing of use.")
    return said


def _start_child() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-I", str(_CHILD)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"},
        cwd="/",
        start_new_session=True,
    )


def _hear(child: subprocess.Popen[bytes], request: bytes, until: float, while_waiting: Callable[[], None]) -> tuple[bytes, bytes]:
    """(what it said, what it complained of), once it has ended; TimeoutExpired when it has not ended by then."""
    asked: bytes | None = request
    while True:
        try:
            return child.communicate(asked, timeout=_LOOK_SECONDS)
        except subprocess.TimeoutExpired:
            if time.monotonic() > until:
                raise
        asked = None  # it has been sent, or is still being sent
        while_waiting()


def _check(said: dict[str, Any]) -> None:
    if said["not_finite"]:
        raise BadFile(Fault.NOT_FINITE, f"{said['not_finite']:,} vectors hold something that is not a finite number.")
    if said["repeated_ids"]:
        raise BadFile(Fault.BAD_IDS, f"{said['repeated_ids']:,} ids come more than once.")
    if said["first_id"] is not None and said["first_id"] < 0:
        raise BadFile(Fault.BAD_IDS, f"The id {said['first_id']} is negative.")
