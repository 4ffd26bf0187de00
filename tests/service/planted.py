"""Five planted causes of failure over a failing embeddings endpoint, with a real embedding worker."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lib.contract.states import FailureCause
from lib.service import embedders, workers
from lib.service.embedders.openai import OpenAIEmbedder
from tests.embeddings_endpoint import DIMENSION, Endpoint, serve_embeddings
from tests.service.road import Road, csv_of
from tests.service.works import Works

ROWS = 2
#: key → the text that fails, by cause: so many rows of each, and as many that do not fail.
PLANTED: dict[FailureCause, str] = {
    FailureCause.TEXT_TOO_LONG: "a long story " * 40,
    FailureCause.EMPTY_TEXT: "\u200b",
    FailureCause.QUOTA: "[429]",
    FailureCause.BAD_KEY: "[401]",
    FailureCause.WRONG_DIMENSION: "[dimension]",
}
FAILED = ROWS * len(PLANTED)


@pytest.fixture(scope="module")
def running() -> Iterator[Endpoint]:
    with serve_embeddings() as endpoint:
        yield endpoint


@pytest.fixture
def endpoint(running: Endpoint, road: Road, monkeypatch: pytest.MonkeyPatch) -> Endpoint:
    """The endpoint as the service's embedder; rows go one by one, so that no cause hides another, and nobody waits."""
    running.__dict__.update(Endpoint(url=running.url).__dict__)
    monkeypatch.setitem(embedders._OPENERS, "openai", _open)
    for name, value in (("url", running.url), ("dimension", DIMENSION), ("embedder", "openai"), ("batch_size", 1), ("max_attempts", 2)):
        assert road.api.put(f"/api/settings/embedding.{name}", json={"value": value}).status_code == 200
    for name in ("BACKOFF_SECONDS", "REST_SECONDS", "REST_MAX_SECONDS"):
        monkeypatch.setattr(workers, name, 0.0)
    monkeypatch.setattr("lib.service.embedders.openai._retry_after", lambda _: None)
    return running


def _open(_config: object, settings: dict[str, Any]) -> OpenAIEmbedder:
    return OpenAIEmbedder(url=settings["embedding.url"], model="m", dimension=settings["embedding.dimension"], read_key=lambda: "sk-secret")


def work(works: Works) -> None:
    """A real embedding worker, until it finds nothing more to claim."""
    worker = works.worker()
    while worker._turn():
        pass


@pytest.fixture
def planted(road: Road, works: Works, endpoint: Endpoint) -> Road:
    """Five causes, some rows each, over the failing endpoint."""
    rows = [(f"good-{number}", f"good {number}", "ann") for number in range(ROWS)]
    rows += [(f"{cause}-{number}", text + " " * number, "ann") for cause, text in PLANTED.items() for number in range(ROWS)]
    road.import_sheet(csv_of(*rows))
    work(works)
    return road
