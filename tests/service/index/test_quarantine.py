"""Each named reason for refusing a file, provoked by the one thing that is wrong with it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import psutil
import pytest

from lib.contract.faults import FAULTS, BadFile, Fault
from lib.service.index import sandbox
from lib.service.index.quarantine import check_structure, stage_copy, stage_upload
from lib.service.index.sandbox import examine
from tests.faults.console import until
from tests.faults.hostile import Corpus, index_of, on_disk_lists, set_of, tar_of, vectors

ROOT = Path(__file__).parents[3]
SET = "mine.switchyard.tar"
GOOD = index_of("IDMap2,Flat")


def read(folder: Path, data: bytes, name: str = SET, **told: Any) -> None:
    """Everything that happens to a file before it may be compared with anything."""
    path = folder / "upload"
    path.write_bytes(data)
    staged = stage_upload(path, name, folder / "quarantine", **({"sha256": None, "limit_bytes": 1 << 20} | told))
    check_structure(staged)
    examine(staged.index_path)


def lie(**lies: Any) -> bytes:
    return tar_of(set_of(GOOD, lies=lies))


def without_an_id() -> bytes:
    files = set_of(GOOD)
    return tar_of(files | {"ids.npy": files["ids.npy"][:-8]})


def with_an_id_twice() -> bytes:
    index = faiss.index_factory(8, "IDMap2,Flat", faiss.METRIC_INNER_PRODUCT)
    index.add_with_ids(vectors(2), np.array([4, 4], np.int64))
    return bytes(faiss.serialize_index(index))


def not_a_number() -> bytes:
    index = faiss.index_factory(8, "IDMap2,Flat", faiss.METRIC_INNER_PRODUCT)
    data = vectors(2)
    data[1, 3] = np.nan
    index.add_with_ids(data, np.array([4, 5], np.int64))
    return bytes(faiss.serialize_index(index))


CASES: dict[str, tuple[Fault, Callable[[], bytes], dict[str, Any]]] = {
    "another ending": (Fault.WRONG_EXTENSION, lambda: GOOD, {"name": "index.pkl"}),
    "too long": (Fault.TOO_LARGE, lambda: GOOD, {"name": "a.faiss", "limit_bytes": 100}),
    "another checksum than was told": (Fault.WRONG_CHECKSUM, lambda: GOOD, {"name": "a.faiss", "sha256": "0" * 64}),
    "a file that is not the one named": (Fault.WRONG_CHECKSUM, without_an_id, {}),
    "a cut set": (Fault.BAD_ARCHIVE, lambda: lie()[:-600], {}),
    "something after the end": (Fault.BAD_ARCHIVE, lambda: lie() + bytes(512), {}),
    "unknown words in the manifest": (Fault.BAD_MANIFEST, lambda: lie(run="rm"), {}),
    "a number that is text": (Fault.BAD_MANIFEST, lambda: lie(dimension="8"), {}),
    "a number beyond all": (Fault.BAD_MANIFEST, lambda: lie(revision=2**80), {}),
    "a sign nobody can see": (Fault.BAD_MANIFEST, lambda: lie(embedder="wordllama\0"), {}),
    "an escape where a name should be": (Fault.BAD_MANIFEST, lambda: lie(**{"\x1b[2J\0": 1}), {}),
    "another version": (Fault.BAD_MANIFEST, lambda: lie(schema=2), {}),
    "a path for a name": (Fault.BAD_MANIFEST, lambda: lie(files={"../x": {"sha256": "", "size_bytes": 1}}), {}),
    "another dimension than is told": (Fault.MANIFEST_DISAGREES, lambda: lie(dimension=9), {}),
    "another kind than is told": (Fault.MANIFEST_DISAGREES, lambda: lie(factory="IDMap2,SQ8"), {}),
    "another count than is told": (Fault.MANIFEST_DISAGREES, lambda: lie(vectors=2**40), {}),
    "other ids than are told": (Fault.BAD_IDS, lambda: lie(ids_sha256="0" * 64), {}),
    "an id twice": (Fault.BAD_IDS, with_an_id_twice, {"name": "a.faiss"}),
    "a graph": (Fault.UNKNOWN_KIND, lambda: index_of("HNSW8"), {"name": "a.faiss"}),
    "a map over lists": (Fault.UNKNOWN_KIND, lambda: index_of("IDMap2,IVF4,SQ8"), {"name": "a.faiss"}),
    "lists in another file": (Fault.NAMES_ANOTHER_FILE, lambda: on_disk_lists(index_of("IVF4,Flat")), {"name": "a.faiss"}),
    "nothing": (Fault.BAD_STRUCTURE, lambda: b"", {"name": "a.faiss"}),
    "a byte too many": (Fault.BAD_STRUCTURE, lambda: GOOD + b"x", {"name": "a.faiss"}),
    "not a number": (Fault.NOT_FINITE, not_a_number, {"name": "a.faiss"}),
}
#: Those that only concern serving it are provoked in test_restore.py.
ELSEWHERE = {Fault.NO_MANIFEST, Fault.WRONG_KIND, Fault.WRONG_DIMENSION, Fault.WRONG_METRIC, Fault.WRONG_MODEL, Fault.WRONG_NORMS}


@pytest.mark.feature("N5")
@pytest.mark.parametrize("wrong", CASES)
def test_each_wrong_is_refused_by_its_name(tmp_path: Path, wrong: str) -> None:
    fault, make, told = CASES[wrong]
    with pytest.raises(BadFile) as refused:
        read(tmp_path, make(), **told)
    assert refused.value.fault is fault, refused.value.detail
    assert len(refused.value.detail) > 10
    assert refused.value.detail.isprintable()
    assert str(tmp_path) not in refused.value.detail


@pytest.mark.feature("N5")
def test_a_child_that_needs_too_much_is_a_refusal_and_harms_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "_OWN_MEMORY_BYTES", 1 << 20)
    with pytest.raises(BadFile) as refused:
        read(tmp_path, GOOD, "a.faiss")
    assert refused.value.fault is Fault.UNREADABLE
    assert {fault for fault, _, _ in CASES.values()} | ELSEWHERE | {Fault.UNREADABLE} == set(FAULTS), "no fault is left untried"


@pytest.mark.feature("N5")
def test_ids_are_told_only_to_who_compares_them_for_of_thin_vectors_there_can_be_any_number(tmp_path: Path) -> None:
    file = tmp_path / "a.faiss"
    file.write_bytes(GOOD)
    told, kept = examine(file, sample=np.array([3], np.int64)), examine(file)
    assert (told.ids.tolist(), told.found.tolist()) == (list(range(1, 25)), [3])
    assert (kept.ids.tolist(), kept.facts["ids_sha256"]) == ([], told.facts["ids_sha256"])


STARTER = """
import json, sys
from lib.service.index.sandbox import _start_child
child = _start_child()
print(child.pid, flush=True)
child.communicate(json.dumps({"path": sys.argv[1], "memory_bytes": 4 << 30, "cpu_seconds": 60}).encode())
"""


@pytest.mark.feature("N5")
@pytest.mark.faults
def test_a_child_whose_starter_was_killed_ends_too(tmp_path: Path) -> None:
    pipe = tmp_path / "a.faiss"
    os.mkfifo(pipe)  # who reads it waits for ever

    def is_read() -> bool:
        with suppress(OSError):  # nobody has opened it yet
            writers.append(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
        return bool(writers)

    writers: list[int] = []
    with subprocess.Popen([sys.executable, "-c", STARTER, str(pipe)], cwd=ROOT, stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        child = psutil.Process(int(starter.stdout.readline()))
        until(is_read)
        starter.kill()
    until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
    os.close(writers[0])


@pytest.mark.feature("N5")
def test_a_child_that_hangs_is_ended_when_whoever_waits_for_it_gives_up_and_when_its_time_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging, told = tmp_path / "hanging.py", tmp_path / "pid"
    hanging.write_text(f"import os, pathlib, time\npathlib.Path({str(told)!r}).write_text(str(os.getpid()))\ntime.sleep(600)\n")
    monkeypatch.setattr(sandbox, "_CHILD", hanging)
    monkeypatch.setattr(sandbox, "_LOOK_SECONDS", 0.05)
    file = tmp_path / "a.faiss"
    file.write_bytes(GOOD)

    def give_up() -> None:
        if told.exists() and told.read_text():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        examine(file, while_waiting=give_up)
    assert not psutil.pid_exists(int(told.read_text())), "it was ended, and waited for"
    monkeypatch.setattr(sandbox, "_OWN_CPU_SECONDS", 0)
    with pytest.raises(BadFile, match="did not end within"):
        examine(file)
    assert not psutil.pid_exists(int(told.read_text()))


@pytest.mark.feature("N5")
def test_every_trick_of_an_archive_is_refused_and_nothing_is_written_outside(tmp_path: Path) -> None:
    corpus, seen = Corpus(1), set()
    while len(seen) < 12:
        hostile = corpus.odd_archive()
        seen.add(hostile.how)
        with pytest.raises(BadFile) as refused:
            read(tmp_path, hostile.data)
        assert refused.value.fault in {Fault.BAD_ARCHIVE, Fault.WRONG_CHECKSUM}, hostile.how
    assert {path.name for path in tmp_path.iterdir()} == {"upload", "quarantine"}


def test_a_sound_set_is_read_and_a_snapshot_that_lost_a_file_is_not(tmp_path: Path) -> None:
    data = lie()
    read(tmp_path, data, sha256=hashlib.sha256(data).hexdigest())
    source = tmp_path / "snapshot"
    source.mkdir()
    for name, content in set_of(GOOD).items():
        (source / name).write_bytes(content)
    assert stage_copy(source, tmp_path / "again").manifest is not None
    (source / "ids.npy").unlink()
    (source / "ids.npy").symlink_to("/etc/passwd")
    with pytest.raises(BadFile) as refused:
        stage_copy(source, tmp_path / "again")
    assert refused.value.fault is Fault.BAD_ARCHIVE
