"""Bringing a generation up to date: its file copied, with only what changed written anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest

from lib.service.index import layout
from lib.service.index.build import Batch, new_index
from lib.service.index.manifest import INDEX_FILE, MANIFEST_FILE
from lib.service.index.stored import DamagedIndex, ids_of
from lib.service.index.update import updated_index
from tests.service.index.files import made_of, read_proven

FLAT, SQ8 = "IDMap2,Flat", "IDMap2,SQ8"


class CancelledError(Exception):
    pass


def updated(folder: Path, batches: list[Batch], **more: Any) -> Any:
    return made_of(updated_index(batches, **more), folder)


def nearest(index: faiss.Index, vector: np.ndarray) -> int:
    return int(index.search(vector.reshape(1, -1), 1)[1][0, 0])


@pytest.mark.feature("N2", "I6")
@pytest.mark.parametrize("factory", [FLAT, SQ8])
def test_an_update_removes_replaces_and_adds_in_one(generations, index_of, batch, factory):
    old = index_of(*range(50), factory=factory)
    manifest = generations.publish(old, embedder="e", fingerprint="f", revision=1, job_id="a")
    seen = []
    index = updated(
        generations.folder_of(manifest),
        [batch(3, 4, version=1), batch(100)],
        removals=np.array([7, 8, 4000], np.int64),
        on_progress=seen.append,
    )
    assert sorted(ids_of(index)) == [n for n in range(50) if n not in {7, 8}] + [100]
    assert nearest(index, batch(3, version=1)[1]) == 3
    assert nearest(index, batch(3)[1]) != 3
    assert nearest(index, batch(20)[1]) == 20
    assert seen == [0, 2, 3]


def test_an_update_of_a_quantised_index_clips_to_the_ranges_learnt_at_its_build(generations, index_of, batch):
    manifest = generations.publish(index_of(*range(50), factory=SQ8), embedder="e", fingerprint="f", revision=1, job_id="a")
    index = updated(generations.folder_of(manifest), [batch(4, version=1)])
    learnt, new = batch(*range(50))[1], batch(4, version=1)[1][0]
    clipped = np.clip(new, learnt.min(axis=0), learnt.max(axis=0))
    assert np.abs(clipped - new).max() > 0.05
    assert np.allclose(index.reconstruct(4), clipped, atol=0.01)


def test_of_an_id_that_comes_twice_in_an_update_the_last_vector_counts(generations, publish, batch):
    folder = generations.folder_of(publish(1, 2, job_id="a"))
    index = updated(folder, [batch(2, 5, version=1), batch(2, version=2)])
    assert sorted(ids_of(index)) == [1, 2, 5]
    assert np.array_equal(index.reconstruct(2), batch(2, version=2)[1][0])


def test_an_id_both_removed_and_upserted_is_present(generations, publish, batch):
    index = updated(generations.folder_of(publish(1, 2, job_id="a")), [batch(2, version=1)], removals=[2, 1])
    assert ids_of(index).tolist() == [2]


def test_an_update_of_nothing_gives_the_same_index(generations, publish):
    assert sorted(ids_of(updated(generations.folder_of(publish(1, 2, job_id="a")), []))) == [1, 2]


def test_an_update_may_fill_an_empty_generation(generations, index_of, batch):
    manifest = generations.publish(index_of(factory=SQ8), embedder="e", fingerprint="f", revision=0, job_id="a")
    index = updated(generations.folder_of(manifest), [batch(1, 2, 3)])
    assert sorted(ids_of(index)) == [1, 2, 3]


@pytest.mark.feature("N2")
def test_a_cancelled_update_leaves_the_generation_and_the_folder_as_they_were(generations, publish, batch):
    manifest = publish(1, 2, 3, job_id="a")
    before = {path: path.read_bytes() for path in generations.folder.rglob("*") if path.is_file()}

    def cancel(done: int) -> None:
        if done:
            raise CancelledError

    with pytest.raises(CancelledError):
        updated(generations.folder_of(manifest), [batch(2, version=1)], removals=[1], on_progress=cancel)
    assert {path: path.read_bytes() for path in generations.folder.rglob("*") if path.is_file()} == before


def test_an_update_refuses_a_generation_whose_bytes_changed(generations, publish, batch):
    folder = generations.folder_of(publish(1, 2, 3, job_id="a"))
    data = bytearray((folder / INDEX_FILE).read_bytes())
    data[100] ^= 1  # one bit inside a vector: FAISS would load it without a word
    (folder / INDEX_FILE).write_bytes(data)
    with pytest.raises(DamagedIndex, match="not the one that was published"):
        updated(folder, [batch(4)])


def test_an_update_refuses_a_folder_that_is_not_whole(generations, publish, batch):
    folder = generations.folder_of(publish(1, job_id="a"))
    (folder / INDEX_FILE).unlink()
    with pytest.raises(DamagedIndex, match="not a whole generation"):
        updated(folder, [batch(4)])


@pytest.mark.feature("N2")
@pytest.mark.parametrize("factory", [FLAT, SQ8])
def test_any_update_holds_what_a_removal_and_an_addition_by_faiss_would(generations, batch, monkeypatch, factory):
    """Growing, shrinking to nothing, in many blocks: the same ids, each with the same code, and every file whole."""
    monkeypatch.setattr(layout, "BLOCK_BYTES", 3 * 64)
    chance = np.random.default_rng(5)
    told = {"embedder": "e", "fingerprint": "f"}
    manifest = generations.publish(new_index([batch(*range(40))], factory=factory, dimension=16), revision=0, job_id="first", **told)
    for turn in range(1, 25):
        folder = generations.folder_of(manifest)
        theirs = faiss.read_index(str(folder / INDEX_FILE))
        some = batch(*chance.choice(80, chance.integers(0, 30), replace=False), version=turn)
        gone = np.arange(80) if turn % 8 == 0 else chance.choice(80, chance.integers(0, 30), replace=False)
        theirs.remove_ids(np.union1d(some[0], gone))
        if len(some[0]):
            theirs.add_with_ids(some[1], some[0])
        manifest = generations.publish(updated_index([some], removals=gone), revision=turn, job_id=f"job-{turn}", **told)
        ours = read_proven(generations.folder_of(manifest))
        assert sorted(ids_of(ours)) == sorted(ids_of(theirs))
        assert all(np.array_equal(ours.reconstruct(number), theirs.reconstruct(number)) for number in ids_of(theirs).tolist())
        generations.sweep()


def test_an_update_of_a_generation_from_before_the_quick_hash_is_proven_by_the_slow_one(generations, publish, batch):
    folder = generations.folder_of(publish(1, 2, 3, job_id="a"))
    manifest = json.loads((folder / MANIFEST_FILE).read_bytes())
    del manifest["files"][INDEX_FILE]["xxh3"]
    (folder / MANIFEST_FILE).write_text(json.dumps(manifest))
    assert sorted(ids_of(updated(folder, [batch(4)]))) == [1, 2, 3, 4]
    flip = bytearray((folder / INDEX_FILE).read_bytes())
    flip[100] ^= 1
    (folder / INDEX_FILE).write_bytes(flip)
    with pytest.raises(DamagedIndex, match="not the one that was published"):
        updated(folder, [batch(4)])
