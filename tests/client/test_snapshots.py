"""A FAISS file of one's own, opened in a script: walked before it is read, refused by name, searched and compared."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest

from lib.client.snapshots import open_snapshot
from lib.contract.faults import BadFile, Fault
from tests.faults.hostile import index_of, set_of

VECTORS = np.eye(6, 8, dtype=np.float32)


def write(path: Path, factory: str = "IDMap2,Flat", ids: range = range(10, 16), metric: int = faiss.METRIC_INNER_PRODUCT) -> Path:
    index = faiss.index_factory(8, factory, metric)
    data = np.vstack([VECTORS] * 20)
    index.train(data)
    if factory.startswith(("IDMap", "IVF")):
        index.add_with_ids(VECTORS, np.asarray(ids, np.int64))
    else:
        index.add(VECTORS)
    faiss.write_index(index, str(path))
    return path


@pytest.mark.parametrize("factory", ["IDMap2,Flat", "IDMap,Flat", "IDMap2,SQ8", "Flat", "IVF2,Flat", "IVF2,SQ8"])
def test_each_known_kind_is_opened_searched_and_measured(tmp_path: Path, factory: str) -> None:
    saved = open_snapshot(write(tmp_path / "own.faiss", factory))
    assert (saved.structure.kind, saved.structure.dimension, saved.structure.vectors, saved.manifest) == (factory, 8, 6, None)
    expected = list(range(6)) if factory == "Flat" else list(range(10, 16))
    assert sorted(saved.ids.tolist()) == expected
    scores, ids = saved.search(VECTORS[2:3], k=1)
    assert ids[0, 0] == expected[2]
    assert scores[0, 0] == pytest.approx(1, abs=0.05)
    assert saved.norms() == pytest.approx(np.ones(6), abs=0.05)
    for wrong in (VECTORS[:, :4], VECTORS[0], VECTORS * np.nan):
        with pytest.raises(ValueError, match="finite numbers"):
            saved.search(wrong)


def test_a_small_file_leaves_room_for_a_large_one(tmp_path: Path) -> None:
    open_snapshot(write(tmp_path / "small.faiss"))
    large = faiss.IndexFlatIP(256)
    large.add(np.zeros((2000, 256), np.float32))
    faiss.write_index(large, str(tmp_path / "large.faiss"))
    assert faiss.read_index(str(tmp_path / "large.faiss")).ntotal == 2000, "the limits of the first reading are gone"


def test_two_files_are_compared_by_their_ids(tmp_path: Path) -> None:
    one, other = (open_snapshot(write(tmp_path / f"{start}.faiss", ids=range(start, start + 6))) for start in (10, 12))
    compared = one.compare_ids(other)
    assert (compared.in_both, compared.only_here.tolist(), compared.only_there.tolist()) == (4, [10, 11], [16, 17])


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (lambda data: data[:-1], Fault.BAD_STRUCTURE),
        (lambda data: data + b"x", Fault.BAD_STRUCTURE),
        (lambda _: b"", Fault.BAD_STRUCTURE),
        (lambda data: b"IHNf" + data[4:], Fault.UNKNOWN_KIND),
        (lambda data: b"ilod" + data[4:], Fault.NAMES_ANOTHER_FILE),
        (lambda data: data[:8] + struct.pack("<q", 2**62) + data[16:], Fault.BAD_STRUCTURE),
    ],
)
def test_what_is_not_a_whole_known_file_is_refused_before_faiss_sees_it(tmp_path: Path, spoil, fault: Fault) -> None:
    path = write(tmp_path / "own.faiss")
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(BadFile) as refused:
        open_snapshot(path)
    assert refused.value.fault is fault
    assert str(refused.value).startswith(f"{fault}: ")


def of_ids(path: Path, *ids: int, vectors: np.ndarray = VECTORS) -> Path:
    index = faiss.index_factory(8, "IDMap2,Flat", faiss.METRIC_INNER_PRODUCT)
    index.add_with_ids(vectors[: len(ids)], np.asarray(ids, np.int64))
    faiss.write_index(index, str(path))
    return path


def test_ids_and_vectors_that_no_index_may_have_are_refused_as_the_service_refuses_them(tmp_path: Path) -> None:
    faults = []
    for path in (
        of_ids(tmp_path / "negative.faiss", -1, 2),
        of_ids(tmp_path / "twice.faiss", 2, 2),
        of_ids(tmp_path / "nan.faiss", 1, 2, vectors=VECTORS * np.nan),
    ):
        with pytest.raises(BadFile) as refused:
            open_snapshot(path)
        faults.append(refused.value.fault)
    assert faults == [Fault.BAD_IDS, Fault.BAD_IDS, Fault.NOT_FINITE]


def test_no_more_is_searched_for_than_there_is(tmp_path: Path) -> None:
    saved = open_snapshot(write(tmp_path / "own.faiss"))
    assert saved.search(VECTORS[:1], k=10**9)[1].shape == (1, 6)
    with pytest.raises(ValueError, match="the least is 1"):
        saved.search(VECTORS[:1], k=0)
    empty = open_snapshot(of_ids(tmp_path / "empty.faiss"))
    assert (empty.search(VECTORS[:1])[1].tolist(), len(empty.norms())) == ([[-1]], 0)


#: what is done to a sound set → why it is refused
SPOILT: dict[str, tuple[dict[str, Any], dict[str, bytes | None], Fault]] = {
    "another dimension": ({"dimension": 9}, {}, Fault.MANIFEST_DISAGREES),
    "another kind": ({"factory": "IDMap2,SQ8"}, {}, Fault.MANIFEST_DISAGREES),
    "other ids": ({"ids_sha256": "0" * 64}, {}, Fault.BAD_IDS),
    "another list of ids": ({}, {"ids.npy": b"x"}, Fault.WRONG_CHECKSUM),
    "another index": ({}, {"index.faiss": b"IxM2"}, Fault.WRONG_CHECKSUM),
    "no index": ({}, {"index.faiss": None}, Fault.BAD_ARCHIVE),
    "no list of ids": ({}, {"ids.npy": None}, Fault.BAD_ARCHIVE),
    "a manifest without end": ({}, {"manifest.json": b"[" * 60_000}, Fault.BAD_MANIFEST),
    "a manifest of another shape": ({}, {"manifest.json": b'{"files": []}'}, Fault.BAD_MANIFEST),
    "no manifest": ({}, {"manifest.json": None}, Fault.BAD_ARCHIVE),
}


@pytest.mark.parametrize("what", SPOILT)
def test_a_set_is_proved_against_its_manifest(tmp_path: Path, what: str) -> None:
    lies, changes, fault = SPOILT[what]
    for name, data in set_of(index_of("IDMap2,Flat")).items():
        (tmp_path / name).write_bytes(data)
    saved = open_snapshot(tmp_path)
    assert saved.manifest is not None
    assert (saved.manifest["generation"], saved.structure.kind) == (3, "IDMap2,Flat")
    for name, data in {**(set_of(index_of("IDMap2,Flat"), lies=lies) if lies else {}), **changes}.items():
        (tmp_path / name).unlink()
        if data is not None:
            (tmp_path / name).write_bytes(data)
    with pytest.raises(BadFile) as refused:
        open_snapshot(tmp_path)
    assert refused.value.fault is fault
