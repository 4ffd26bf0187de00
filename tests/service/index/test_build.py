"""Building from a stream into a file."""

from __future__ import annotations

import faiss
import numpy as np
import pytest

from lib.service.index import build
from lib.service.index.build import BadVectors, new_index
from lib.service.index.durable import HashedFile, file_facts
from lib.service.index.factory import UnknownFactory
from lib.service.index.stored import ids_of
from tests.service.index.files import made_of

FLAT, SQ8 = "IDMap2,Flat", "IDMap2,SQ8"


class CancelledError(Exception):
    pass


def nearest(index: faiss.Index, vector: np.ndarray) -> int:
    return int(index.search(vector.reshape(1, -1), 1)[1][0, 0])


@pytest.mark.feature("N2")
@pytest.mark.parametrize("factory", [FLAT, SQ8])
def test_every_vector_of_the_stream_is_found_under_its_own_id(batch, factory):
    batches = [batch(*range(40)), batch(), batch(*range(1000, 1040))]
    index = made_of(new_index(iter(batches), factory=factory, dimension=16))
    assert (index.ntotal, index.d, index.metric_type) == (80, 16, faiss.METRIC_INNER_PRODUCT)
    for ids, vectors in batches:
        assert [nearest(index, vector) for vector in vectors] == ids.tolist()


def test_a_quantised_index_trains_on_the_first_batches_and_keeps_them(batch, monkeypatch):
    monkeypatch.setattr(build, "_TRAIN_BYTES", 50 * 16 * 4)
    seen = []
    index = made_of(new_index((batch(*range(n, n + 20)) for n in range(0, 100, 20)), factory=SQ8, dimension=16, on_progress=seen.append))
    assert sorted(ids_of(index)) == list(range(100))
    assert seen == [20, 40, 60, 80, 100]


@pytest.mark.parametrize("factory", [FLAT, SQ8])
def test_no_batches_build_an_empty_index(factory):
    assert made_of(new_index([], factory=factory, dimension=16)).ntotal == 0


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
        made_of(new_index(stream(), factory=FLAT, dimension=16, on_progress=cancel_at_thirty))
    assert taken == [0, 10, 20]


def test_an_id_that_comes_twice_in_a_build_is_refused(batch):
    with pytest.raises(BadVectors, match="1 ids came more than once"):
        made_of(new_index([batch(1, 2), batch(2, 3)], factory=FLAT, dimension=16))


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
        made_of(new_index([(np.asarray(ids, np.int64), vectors.astype(np.float32))], factory=FLAT, dimension=16))


def test_a_kind_that_corrupts_is_never_built(batch):
    with pytest.raises(UnknownFactory):
        new_index([batch(1)], factory="IDMap2,IVF1,Flat", dimension=16)


@pytest.mark.feature("N2")
@pytest.mark.parametrize("factory", [FLAT, SQ8])
@pytest.mark.parametrize("expected", [0, 40, 41])
def test_the_file_is_byte_for_byte_what_faiss_would_have_written(batch, tmp_path, factory, expected):
    """However many vectors were expected."""
    content = new_index([batch(*range(25)), batch(*range(30, 45))], factory=factory, dimension=16, expected=expected)
    with HashedFile(tmp_path / "ours") as file:
        written = content(file, None)
    index = faiss.index_factory(16, factory, faiss.METRIC_INNER_PRODUCT)
    ids, vectors = batch(*range(25), *range(30, 45))
    index.train(vectors)
    index.add_with_ids(vectors, ids)
    faiss.write_index(index, str(tmp_path / "theirs"))
    assert (tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()
    assert file.facts == file_facts(tmp_path / "ours")
    assert (written.factory, written.dimension, written.ids.tolist()) == (factory, 16, ids.tolist())
