"""Searching the served generation, while new ones are published."""

from __future__ import annotations

import threading

import faiss
import numpy as np
import pytest

from lib.service.index.generations import Generations
from lib.service.index.manifest import INDEX_FILE
from lib.service.index.pointer import POINTER_FILE
from lib.service.index.reader import IndexReader, IndexUnreadable


@pytest.fixture
def reader(generations) -> IndexReader:
    return IndexReader(generations.folder)


def test_without_a_generation_there_is_no_manifest_and_no_hit(reader, batch):
    assert reader.manifest() is None
    assert reader.search(batch(1)[1][0], 5) == (None, [])


@pytest.mark.parametrize("factory", ["IDMap2,Flat", "IDMap2,SQ8"])
def test_hits_come_best_first_with_ids_and_cosines(generations, reader, index_of, batch, factory):
    manifest = generations.publish(index_of(*range(100, 150), factory=factory), embedder="e", fingerprint="f", revision=0, job_id="a")
    found, hits = reader.search(batch(120)[1][0], 5)
    assert found == manifest == reader.manifest()
    assert [hits[0][0], len(hits)] == [120, 5]
    assert hits[0][1] == pytest.approx(1, abs=0.01)
    assert [score for _, score in hits] == sorted((score for _, score in hits), reverse=True)
    assert all(type(number) is int and type(score) is float for number, score in hits)


def test_fewer_vectors_than_asked_for_give_fewer_hits(publish, reader, batch):
    publish(1, 2, job_id="a")
    assert {number for number, _ in reader.search(batch(1)[1][0], 10)[1]} == {1, 2}


def test_an_empty_generation_answers_with_its_manifest_and_no_hit(publish, reader, batch):
    manifest = publish(job_id="a")
    assert reader.search(batch(1)[1][0], 10) == (manifest, [])


@pytest.mark.parametrize(("vector", "k"), [(np.zeros(8), 1), (np.full(16, np.nan), 1), (np.ones(16), 0)])
def test_a_query_that_makes_no_sense_is_refused(publish, reader, vector, k):
    publish(1, job_id="a")
    with pytest.raises(ValueError, match=r"finite numbers|the least is 1"):
        reader.search(vector.astype(np.float32), k)


@pytest.mark.feature("N2")
def test_a_new_generation_is_answered_from_as_soon_as_it_is_published(publish, reader, batch):
    publish(1, job_id="a")
    assert reader.search(batch(2)[1][0], 1)[1][0][0] == 1
    second = publish(1, 2, job_id="b")
    manifest, hits = reader.search(batch(2)[1][0], 1)
    assert (manifest, hits[0][0]) == (second, 2)


def test_the_file_is_opened_once_per_generation(publish, reader, batch, monkeypatch):
    opened = []
    read_index = faiss.read_index
    publish(1, job_id="a")
    publish(1, 2, job_id="b")
    monkeypatch.setattr(faiss, "read_index", lambda *args: opened.append(args[1]) or read_index(*args))
    for _ in range(5):
        reader.search(batch(1)[1][0], 1)
    assert opened == [faiss.IO_FLAG_MMAP_IFC]


@pytest.mark.feature("N2")
def test_the_open_generation_goes_on_answering_when_its_files_or_the_pointer_are_gone(generations, publish, reader, batch):
    first = publish(1, job_id="a")
    assert reader.manifest() == first
    (generations.folder / POINTER_FILE).unlink()
    (generations.folder_of(first) / INDEX_FILE).unlink()
    manifest, hits = reader.search(batch(1)[1][0], 1)
    assert (manifest, hits[0][0]) == (first, 1)


def test_a_pointer_to_what_cannot_be_opened_leaves_the_open_generation_answering(generations, publish, reader, batch):
    first = publish(1, job_id="a")
    assert reader.manifest() == first
    path = generations.folder_of(publish(2, job_id="b")) / INDEX_FILE
    path.write_bytes(b"\0" * path.stat().st_size)
    assert reader.search(batch(1)[1][0], 1)[0] == first
    third = publish(3, job_id="c")
    assert reader.search(batch(1)[1][0], 1)[0] == third


def test_a_generation_that_cannot_be_opened_at_first_is_an_error_and_not_an_empty_answer(generations, publish, reader, batch):
    path = generations.folder_of(publish(1, job_id="a")) / INDEX_FILE
    path.write_bytes(b"\0" * path.stat().st_size)
    with pytest.raises(IndexUnreadable, match="cannot be opened"):
        reader.search(batch(1)[1][0], 1)
    publish(1, job_id="b")
    assert reader.search(batch(1)[1][0], 1)[1][0][0] == 1


def test_a_file_swept_between_pointer_and_open_is_looked_for_again(generations, publish, reader, batch, monkeypatch):
    publish(1, job_id="a")
    read_index = faiss.read_index

    def sweep_first(path: str, flags: int) -> faiss.Index:
        monkeypatch.setattr(faiss, "read_index", read_index)
        for number in (2, 3, 4):
            publish(number, job_id=f"job-{number}")
        generations.sweep()
        return read_index(path, flags)

    monkeypatch.setattr(faiss, "read_index", sweep_first)
    manifest, hits = reader.search(batch(1)[1][0], 1)
    assert (manifest.generation, hits[0][0]) == (4, 4)


def test_one_thread_reopens_while_the_others_answer_from_the_old_generation(publish, reader, batch, monkeypatch):
    first = publish(1, job_id="a")
    assert reader.manifest() == first
    second = publish(2, job_id="b")
    opening, may_open = threading.Event(), threading.Event()
    read_index = faiss.read_index

    def slow(path: str, flags: int) -> faiss.Index:
        opening.set()
        assert may_open.wait(5)
        return read_index(path, flags)

    monkeypatch.setattr(faiss, "read_index", slow)
    thread = threading.Thread(target=reader.manifest)
    thread.start()
    assert opening.wait(5)
    assert reader.search(batch(1)[1][0], 1)[0] == first
    may_open.set()
    thread.join()
    assert reader.search(batch(1)[1][0], 1)[0] == second


def test_what_is_opened_within_a_moment_is_waited_for(publish, reader, batch, monkeypatch):
    first = publish(1, job_id="a")
    assert reader.manifest() == first
    second = publish(2, job_id="b")
    opening, may_open = threading.Event(), threading.Event()
    read_index = faiss.read_index

    def slow(path: str, flags: int) -> faiss.Index:
        opening.set()
        assert may_open.wait(5)
        return read_index(path, flags)

    monkeypatch.setattr(faiss, "read_index", slow)
    monkeypatch.setattr("lib.service.index.reader._PATIENCE_SECONDS", 5.0)  # however slow the machine is
    thread = threading.Thread(target=reader.manifest)
    thread.start()
    assert opening.wait(5)
    threading.Timer(0.1, may_open.set).start()
    assert reader.search(batch(1)[1][0], 1)[0] == second, "and not from the one before, as somebody who has just published would wonder at"
    thread.join()


@pytest.mark.feature("N2")
def test_searches_never_miss_while_generations_are_published_and_swept(generations, publish, reader, batch):
    """Generation g holds the ids 100 g to 100 g + 9 only, so an answer mixed from two generations would show."""
    publish(*range(100, 110), job_id="job-1")
    query, wrong, answers, done = batch(1)[1][0], [], [0, 0, 0], threading.Event()

    def ask(slot: int) -> None:
        latest = 0
        while not done.is_set():
            manifest, hits = reader.search(query, 10)
            expected = set(range(100 * manifest.generation, 100 * manifest.generation + 10)) if manifest else set()
            if {number for number, _ in hits} != expected or not hits or manifest.generation < latest:
                wrong.append((manifest, hits))
            latest = manifest.generation if manifest else latest
            answers[slot] += 1

    threads = [threading.Thread(target=ask, args=(slot,)) for slot in range(3)]
    for thread in threads:
        thread.start()
    try:
        writer = Generations(generations.folder)
        for number in range(2, 22):
            publish(*range(100 * number, 100 * number + 10), job_id=f"job-{number}", into=writer)
            writer.sweep()
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert wrong == []
    assert min(answers) > 20
    assert reader.manifest().generation == 21
