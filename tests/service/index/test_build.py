"""Building from a stream, and bringing a generation up to date."""

from __future__ import annotations

import faiss
import numpy as np
import pytest

from lib.service.index import build
from lib.service.index.build import BadVectors, build_index, update_index
from lib.service.index.factory import UnknownFactory
from lib.service.index.manifest import INDEX_FILE
from lib.service.index.stored import DamagedIndex, ids_of

FLAT, SQ8 = "IDMap2,Flat", "IDMap2,SQ8"


class CancelledError(Exception):
    pass


def nearest(index: faiss.Index, vector: np.ndarray) -> int:
    return int(index.search(vector.reshape(1, -1), 1)[1][0, 0])


@pytest.mark.feature("N2")
@pytest.mark.parametrize("factory", [FLAT, SQ8])
def test_every_vector_of_the_stream_is_found_under_its_own_id(batch, factory):
    batches = [batch(*range(40)), batch(), batch(*range(1000, 1040))]
    index = build_index(iter(batches), factory=factory, dimension=16)
    assert (index.ntotal, index.d, index.metric_type) == (80, 16, faiss.METRIC_INNER_PRODUCT)
    for ids, vectors in batches:
        assert [nearest(index, vector) for vector in vectors] == ids.tolist()


def test_a_quantised_index_trains_on_the_first_batches_and_keeps_them(batch, monkeypatch):
    monkeypatch.setattr(build, "_TRAIN_VECTORS", 50)
    seen = []
    index = build_index((batch(*range(n, n + 20)) for n in range(0, 100, 20)), factory=SQ8, dimension=16, on_progress=seen.append)
    assert sorted(ids_of(index)) == list(range(100))
    assert seen == [20, 40, 60, 80, 100]


@pytest.mark.parametrize("factory", [FLAT, SQ8])
def test_no_batches_build_an_empty_index(factory):
    assert build_index([], factory=factory, dimension=16).ntotal == 0


@pytest.mark.feature("N2")
def test_progress_counts_the_vectors_done_and_may_cancel_the_build(batch):
    taken = []

    def stream():
        for start in range(0, 100, 10):
            taken.append(start)
            yield batch(*range(start, start + 10))

    def cancel_at_thirty(done: int) -> None:
        if done >= 30:
            raise CancelledError

    with pytest.raises(CancelledError):
        build_index(stream(), factory=FLAT, dimension=16, on_progress=cancel_at_thirty)
    assert taken == [0, 10, 20]


def test_threads_are_given_back_after_a_build_and_after_a_cancelled_one(batch, monkeypatch):
    faiss.omp_set_num_threads(1)
    during = []

    def cancel(done: int) -> None:
        during.append(faiss.omp_get_max_threads())
        raise CancelledError

    monkeypatch.setattr(build.os, "sched_getaffinity", lambda _: {0, 1, 2})
    with pytest.raises(CancelledError):
        build_index([batch(1)], factory=FLAT, dimension=16, on_progress=cancel)
    assert (during, faiss.omp_get_max_threads()) == ([3], 1)


def test_an_id_that_comes_twice_in_a_build_is_refused(batch):
    with pytest.raises(BadVectors, match="1 ids came more than once"):
        build_index([batch(1, 2), batch(2, 3)], factory=FLAT, dimension=16)


@pytest.mark.parametrize(
    ("ids", "vectors", "words"),
    [
        ([1, 2], np.eye(16)[:1], "shape"),
        ([1], np.eye(8)[:1], "shape"),
        ([], np.eye(16)[:1], "shape"),
        ([1], np.eye(16)[:1] * 2, "norm 2.0"),
        ([1], np.zeros((1, 16)), "norm 0.0"),
        ([7], np.full((1, 16), np.nan), "id 7 has the norm nan"),
        ([-1], np.eye(16)[:1], "negative"),
    ],
)
def test_a_batch_that_would_spoil_the_index_is_refused(ids, vectors, words):
    with pytest.raises(BadVectors, match=words):
        build_index([(np.asarray(ids, np.int64), vectors.astype(np.float32))], factory=FLAT, dimension=16)


def test_a_kind_that_corrupts_is_never_built(batch):
    with pytest.raises(UnknownFactory):
        build_index([batch(1)], factory="IDMap2,IVF1,Flat", dimension=16)


@pytest.mark.feature("N2", "I6")
@pytest.mark.parametrize("factory", [FLAT, SQ8])
def test_an_update_removes_replaces_and_adds_in_one(generations, index_of, batch, factory):
    old = index_of(*range(50), factory=factory)
    manifest = generations.publish(old, embedder="e", fingerprint="f", revision=1, job_id="a")
    seen = []
    index = update_index(
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
    index = update_index(generations.folder_of(manifest), [batch(4, version=1)])
    learnt, new = batch(*range(50))[1], batch(4, version=1)[1][0]
    clipped = np.clip(new, learnt.min(axis=0), learnt.max(axis=0))
    assert np.abs(clipped - new).max() > 0.05
    assert np.allclose(index.reconstruct(4), clipped, atol=0.01)


def test_of_an_id_that_comes_twice_in_an_update_the_last_vector_counts(generations, publish, batch):
    folder = generations.folder_of(publish(1, 2, job_id="a"))
    index = update_index(folder, [batch(2, 5, version=1), batch(2, version=2)])
    assert sorted(ids_of(index)) == [1, 2, 5]
    assert np.array_equal(index.reconstruct(2), batch(2, version=2)[1][0])


def test_an_id_both_removed_and_upserted_is_present(generations, publish, batch):
    index = update_index(generations.folder_of(publish(1, 2, job_id="a")), [batch(2, version=1)], removals=[2, 1])
    assert ids_of(index).tolist() == [2]


def test_an_update_of_nothing_gives_the_same_index(generations, publish):
    assert sorted(ids_of(update_index(generations.folder_of(publish(1, 2, job_id="a")), []))) == [1, 2]


def test_an_update_may_fill_an_empty_generation(generations, index_of, batch):
    manifest = generations.publish(index_of(factory=SQ8), embedder="e", fingerprint="f", revision=0, job_id="a")
    index = update_index(generations.folder_of(manifest), [batch(1, 2, 3)])
    assert sorted(ids_of(index)) == [1, 2, 3]


@pytest.mark.feature("N2")
def test_a_cancelled_update_leaves_the_generation_and_the_folder_as_they_were(generations, publish, batch):
    manifest = publish(1, 2, 3, job_id="a")
    before = {path: path.read_bytes() for path in generations.folder.rglob("*") if path.is_file()}

    def cancel(done: int) -> None:
        if done:
            raise CancelledError

    with pytest.raises(CancelledError):
        update_index(generations.folder_of(manifest), [batch(2, version=1)], removals=[1], on_progress=cancel)
    assert {path: path.read_bytes() for path in generations.folder.rglob("*") if path.is_file()} == before


def test_an_update_refuses_a_generation_whose_bytes_changed(generations, publish, batch):
    folder = generations.folder_of(publish(1, 2, 3, job_id="a"))
    data = bytearray((folder / INDEX_FILE).read_bytes())
    data[100] ^= 1  # one bit inside a vector: FAISS would load it without a word
    (folder / INDEX_FILE).write_bytes(data)
    with pytest.raises(DamagedIndex, match="not the one that was published"):
        update_index(folder, [batch(4)])


def test_an_update_refuses_a_folder_that_is_not_whole(generations, publish, batch):
    folder = generations.folder_of(publish(1, job_id="a"))
    (folder / INDEX_FILE).unlink()
    with pytest.raises(DamagedIndex, match="not a whole generation"):
        update_index(folder, [batch(4)])
