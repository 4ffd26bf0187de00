"""The kind with lists: built in memory, brought up to date, and looked into."""

from __future__ import annotations

import faiss
import numpy as np
import pytest

from lib.service.index.build import BadVectors, new_index
from lib.service.index.durable import HashedFile
from lib.service.index.factory import UnknownFactory
from lib.service.index.health import OpenGeneration
from lib.service.index.manifest import INDEX_FILE
from lib.service.index.reader import IndexReader
from lib.service.index.stored import DamagedIndex, ids_of
from lib.service.index.update import updated_index
from tests.service.index.files import read_proven

LISTS = "IVF8,SQ8"
TOLD = {"embedder": "e", "fingerprint": "f"}


@pytest.fixture
def lists_of(batch):
    def build(*ids: int):
        vectors = batch(*ids)[1]
        return new_index([batch(*ids[:30]), batch(*ids[30:])], factory=LISTS, dimension=16, learn_from=lambda: vectors)

    return build


@pytest.mark.feature("N2")
def test_every_vector_is_found_under_its_own_id_and_the_lists_are_told(generations, lists_of, batch):
    manifest = generations.publish(lists_of(*range(10, 90)), revision=1, job_id="a", **TOLD)
    assert (manifest.factory, manifest.vectors, manifest.dimension) == (LISTS, 80, 16)
    index = read_proven(generations.folder_of(manifest))
    assert isinstance(index, faiss.IndexIVFScalarQuantizer), "no id map around lists: it corrupts them at a removal"
    assert index.nprobe == 8
    reader = IndexReader(generations.folder)
    for ident, vector in zip(*batch(10, 55, 89), strict=True):
        assert reader.search(vector, 1)[1][0][0] == ident
    assert reader.ids_consistent()
    told = []
    opened = OpenGeneration(generations.folder_of(manifest), manifest, lambda *words: told.append(words))
    assert (told[0], len(told)) == (("opening the index", 0, 80), 8), "a word for each list: one that was not read lately takes a while"
    held = {int(ident): vector for ids, vectors in opened.vectors() for ident, vector in zip(ids, vectors, strict=True)}
    assert sorted(held) == list(range(10, 90))
    assert max(np.abs(held[ident] - batch(ident)[1][0]).max() for ident in held) < 0.05
    facts = opened.look_at_lists()
    assert (facts.lists, facts.largest >= 10, facts.median <= facts.largest, facts.imbalance >= 1) == (8, True, True, True)


@pytest.mark.feature("N2", "I6")
def test_an_update_removes_replaces_and_adds(generations, lists_of, batch):
    first = generations.publish(lists_of(*range(60)), revision=1, job_id="a", **TOLD)
    content = updated_index([batch(3, 4, version=1), batch(3, 100, version=2)], removals=[7, 8, 4000])
    second = generations.publish(content, revision=2, job_id="b", based_on=first.generation, **TOLD)
    index = read_proven(generations.folder_of(second))
    assert (second.factory, sorted(ids_of(index))) == (LISTS, [n for n in range(60) if n not in {7, 8}] + [100])
    for ident, version in ((3, 2), (4, 1), (100, 2), (20, 0)):
        assert index.search(batch(ident, version=version)[1], 1)[1][0, 0] == ident
    third = generations.publish(updated_index([], removals=range(200)), revision=3, job_id="c", **TOLD)
    assert (third.vectors, IndexReader(generations.folder).search(batch(1)[1][0], 3)[1]) == (0, [])


def test_a_damaged_file_is_not_brought_up_to_date_and_one_with_another_vector_is_not_served(generations, lists_of, batch):
    manifest = generations.publish(lists_of(*range(60)), revision=1, job_id="a", **TOLD)
    content = lists_of(*range(60))

    def spoiled(file, served):
        written, path = content(file, served), file.path
        data = bytearray(path.read_bytes())
        index = faiss.read_index(str(path))
        first = bytes(faiss.rev_swig_ptr(index.invlists.get_codes(0), 16))
        data[data.index(first)] ^= 0x40
        path.write_bytes(data)
        return written

    with pytest.raises(DamagedIndex, match="another vector"):
        generations.publish(spoiled, revision=2, job_id="b", **TOLD)
    path = generations.folder_of(manifest) / INDEX_FILE
    path.write_bytes(path.read_bytes()[:-1] + b"\x7f")
    with pytest.raises(DamagedIndex, match="not the one that was published"):
        generations.publish(updated_index([batch(1)]), revision=2, job_id="b", **TOLD)
    assert generations.current() == manifest


def test_what_would_spoil_it_is_refused(generations, batch):
    with pytest.raises(UnknownFactory, match="learn"):
        new_index([batch(1)], factory=LISTS, dimension=16)
    twice = new_index([batch(*range(20)), batch(3)], factory=LISTS, dimension=16, learn_from=lambda: batch(*range(20))[1])
    with pytest.raises(BadVectors, match="more than once"):
        generations.publish(twice, revision=1, job_id="a", **TOLD)


@pytest.mark.feature("N2")
def test_the_lists_are_learnt_in_rounds_that_are_told_and_can_be_the_last(generations, batch):
    told = []

    def learning(done: int, rounds: int) -> None:
        told.append((done, rounds))
        if done == 3:
            raise InterruptedError

    vectors = batch(*range(60))[1]
    content = new_index([batch(*range(60))], factory=LISTS, dimension=16, learn_from=lambda: vectors, on_learning=learning)
    with pytest.raises(InterruptedError):
        generations.publish(content, revision=1, job_id="a", **TOLD)
    assert told == [(0, 10), (1, 10), (2, 10), (3, 10)]
    assert (generations.current(), list(generations.folder.glob("building-*"))) == (None, [])


def test_a_full_disk_ends_the_publish_of_lists_with_the_systems_own_error(generations, lists_of, monkeypatch):
    """FAISS would tell of it in words only, and a job that failed could not say that the disk is full."""

    def full(self, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(HashedFile, "write", full)
    with pytest.raises(OSError, match="No space left"):
        generations.publish(lists_of(*range(60)), revision=1, job_id="a", **TOLD)
    assert generations.current() is None
