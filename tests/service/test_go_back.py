"""Going back is one pointer, however large the index is."""

from __future__ import annotations

import time

import numpy as np
import pytest

from lib.service.index.build import new_index
from lib.service.index.generations import Generations
from tests.service.road import Road, sheet

VECTORS = 200_000
LIMIT_SECONDS = 5.0  # M3 and N5 promise it


@pytest.mark.feature("N5", "M3")
def test_going_back_from_two_hundred_thousand_vectors_and_the_first_search_after_it_take_less_than_five_seconds(road: Road) -> None:
    road.fill(sheet(1, 2, 3))
    generations = Generations(road.works.config.index_dir)
    served = generations.current()
    assert served is not None
    vectors = np.random.default_rng(1).normal(size=(VECTORS, served.dimension)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    told = {"embedder": served.embedder, "fingerprint": served.fingerprint, "revision": served.revision}
    for number in (1, 2):
        ids = np.arange(number, number + VECTORS, dtype=np.int64)
        content = new_index([(ids, vectors)], factory="IDMap2,Flat", dimension=served.dimension, expected=VECTORS)
        generations.publish(content, job_id=f"large-{number}", **told)
    assert road.api.post("/api/index/search", json={"text": "anything"}).json()["generation"] == 3
    began = time.process_time()  # of all threads; on a machine that is busy with something else the clock on the wall tells of that
    answer = road.api.post("/api/index/go-back", json={"expected": 3})
    found = road.api.post("/api/index/search", json={"text": "anything"}).json()
    assert time.process_time() - began < LIMIT_SECONDS
    assert (answer.status_code, answer.json()["served"], found["generation"]) == (200, 2, 2)
    assert road.get("/api/index")["vectors"] == VECTORS
