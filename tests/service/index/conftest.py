"""Small indexes to publish."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lib.service.index.build import Batch, new_index
from lib.service.index.generations import Generations
from lib.service.index.manifest import Manifest
from lib.service.index.stored import Content

DIMENSION = 16


def vectors_of(ids: np.ndarray, *, version: int = 0) -> np.ndarray:
    """A unit vector for each id, the same in every run; another one for another ``version``."""
    rows = [np.random.default_rng([int(number), version]).normal(size=DIMENSION) for number in ids]
    vectors = np.asarray(rows, np.float32).reshape(-1, DIMENSION)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def batch_of(*ids: int, version: int = 0) -> Batch:
    numbers = np.asarray(ids, np.int64)
    return numbers, vectors_of(numbers, version=version)


@pytest.fixture
def batch() -> Callable[..., Batch]:
    return batch_of


@pytest.fixture
def index_of() -> Callable[..., Content]:
    def build(*ids: int, factory: str = "IDMap2,Flat") -> Content:
        return new_index([batch_of(*ids)], factory=factory, dimension=DIMENSION)

    return build


@pytest.fixture
def generations(tmp_path: Path) -> Generations:
    return Generations(tmp_path / "index")


@pytest.fixture
def publish(generations, index_of) -> Callable[..., Manifest]:
    def publish_ids(*ids: int, job_id: str, revision: int = 1, into: Generations = generations, sealed: bool = True) -> Manifest:
        return into.publish(index_of(*ids), embedder="fake-16", fingerprint="f" * 16, revision=revision, job_id=job_id, sealed=sealed)

    return publish_ids
