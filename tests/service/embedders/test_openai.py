"""The embedder over HTTP against an endpoint on this machine: what it believes, and by what causes it fails."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from lib.contract.states import FailureCause
from lib.service.batches import embed_batch
from lib.service.embedders import EmbedderUnusable, EmbeddingFailed
from lib.service.embedders.openai import OpenAIEmbedder
from lib.service.storage.items import ClaimedItem
from tests.embeddings_endpoint import DIMENSION, Endpoint, serve_embeddings, vector_of


@pytest.fixture(scope="module")
def running() -> Iterator[Endpoint]:
    with serve_embeddings() as endpoint:
        yield endpoint


@pytest.fixture
def endpoint(running: Endpoint) -> Endpoint:
    fresh = Endpoint(url=running.url)
    running.__dict__.update(fresh.__dict__)
    return running


def embedder(endpoint: Endpoint, key: str | None = None, **more: Any) -> OpenAIEmbedder:
    return OpenAIEmbedder(**({"url": endpoint.url, "model": "m", "dimension": DIMENSION, "read_key": lambda: key} | more))


def failure_of(embedder: OpenAIEmbedder, *texts: str) -> EmbeddingFailed:
    with pytest.raises(EmbeddingFailed) as caught:
        embedder.embed(texts)
    return caught.value


def test_each_text_gets_its_own_vector_at_unit_norm_whatever_order_they_come_in(endpoint: Endpoint) -> None:
    vectors = embedder(endpoint).embed(["one", "two", "three"])
    assert (vectors.shape, vectors.dtype, vectors.flags.c_contiguous) == ((3, DIMENSION), np.float32, True)
    for text, vector in zip(["one", "two", "three"], vectors, strict=True):
        expected = np.array(vector_of(text))
        assert np.allclose(vector, expected / np.linalg.norm(expected), atol=1e-6)


def test_the_key_goes_to_the_endpoint_at_once_when_it_is_replaced_and_never_into_an_error(endpoint: Endpoint) -> None:
    keys = ["sk-first-secret"]
    over_http = embedder(endpoint, read_key=lambda: keys[-1])
    endpoint.key = "sk-second-secret"
    failure = failure_of(over_http, "one")
    assert (failure.cause, failure.retryable, failure.detail) == (
        FailureCause.BAD_KEY, False, "HTTP 401: Incorrect API key provided: [key].",
    )  # fmt: skip
    keys.append("sk-second-secret")
    over_http.embed(["one"])
    assert endpoint.keys == ["sk-first-secret", "sk-second-secret"]
    embedder(endpoint, url=f"{endpoint.url}/embeddings/", key="sk-second-secret").embed(["the whole address will do too"])


@pytest.mark.parametrize(
    ("text", "cause", "retryable", "divisible", "retry_after"),
    [
        ("x" * 500, FailureCause.TEXT_TOO_LONG, False, True, None),
        ("\u200b", FailureCause.EMPTY_TEXT, False, True, None),
        ("[429]", FailureCause.QUOTA, True, False, 1.0),
        ("[401]", FailureCause.BAD_KEY, False, False, None),
        ("[503]", FailureCause.UNREACHABLE, True, False, None),
        ("[dimension]", FailureCause.WRONG_DIMENSION, False, False, None),
    ],
)
def test_each_refusal_has_its_cause(
    endpoint: Endpoint, text: str, cause: FailureCause, retryable: bool, divisible: bool, retry_after: float | None
) -> None:
    failure = failure_of(embedder(endpoint), text, "good")
    assert (failure.cause, failure.retryable, failure.divisible, failure.retry_after_seconds) == (cause, retryable, divisible, retry_after)
    assert failure.position is None


def test_a_text_with_nothing_in_it_is_not_even_sent(endpoint: Endpoint) -> None:
    failure = failure_of(embedder(endpoint), "good", "  ")
    assert (failure.cause, failure.position, endpoint.asked) == (FailureCause.EMPTY_TEXT, 1, [])


@pytest.mark.parametrize(
    "data",
    [
        [{"index": 0, "embedding": [1.0] * DIMENSION}],
        [{"index": 0, "embedding": [1.0] * DIMENSION}, {"index": 0, "embedding": [1.0] * DIMENSION}],
        [{"index": 0, "embedding": "AAAA"}, {"index": 1, "embedding": [1.0] * DIMENSION}],
        {"no": "list"},
        None,
    ],
)
def test_an_answer_that_is_not_one_vector_for_each_text_is_not_believed(endpoint: Endpoint, data: Any) -> None:
    endpoint.answer = {"data": data}
    failure = failure_of(embedder(endpoint), "one", "two")
    assert (failure.cause, failure.retryable) == (FailureCause.BAD_VECTOR, True)


def test_a_vector_that_is_not_finite_is_blamed_on_its_text(endpoint: Endpoint) -> None:
    good, bad = [1.0] * DIMENSION, [float("nan")] * DIMENSION
    endpoint.answer = {"data": [{"index": 1, "embedding": bad}, {"index": 0, "embedding": good}]}
    failure = failure_of(embedder(endpoint), "one", "two")
    assert (failure.cause, failure.position) == (FailureCause.BAD_VECTOR, 1)


def test_nobody_at_the_address_is_unreachable_and_may_pass() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody else can have the port
        nobody = OpenAIEmbedder(
            url=f"http://127.0.0.1:{taken.getsockname()[1]}", model="m", dimension=3, read_key=lambda: "sk-secret", timeout=(2, 2)
        )
        failure = failure_of(nobody, "one")
    assert (failure.cause, failure.retryable) == (FailureCause.UNREACHABLE, True)
    assert "sk-secret" not in failure.detail


def test_without_an_address_it_cannot_be_opened() -> None:
    with pytest.raises(EmbedderUnusable):
        OpenAIEmbedder(url="", model="m", dimension=3, read_key=lambda: None)


def items_of(*texts: str) -> list[ClaimedItem]:
    return [ClaimedItem(number, text.encode()[:16], text, 1, False) for number, text in enumerate(texts)]


def test_poisoned_texts_fail_alone_and_their_neighbours_are_embedded_once(endpoint: Endpoint) -> None:
    texts = [f"good {number}" for number in range(30)]
    texts[7], texts[20], texts[21] = "x" * 500, "\u200b", "  "
    outcome = embed_batch(embedder(endpoint), items_of(*texts))
    causes = {item.entry_id: failure.cause for item, failure in outcome.failed}
    assert causes == {7: FailureCause.TEXT_TOO_LONG, 20: FailureCause.EMPTY_TEXT, 21: FailureCause.EMPTY_TEXT}
    assert sorted(endpoint.embedded) == sorted(text for text in texts if text.startswith("good"))
    assert sorted(item.text for item in outcome.good) == sorted(endpoint.embedded)
    assert outcome.trouble is None


def test_what_an_endpoint_takes_at_once_is_learnt(endpoint: Endpoint) -> None:
    endpoint.max_batch = 8
    over_http = embedder(endpoint)
    assert len(embed_batch(over_http, items_of(*(f"text {number}" for number in range(64)))).good) == 64
    assert over_http.batch_texts == 8
    before = len(endpoint.asked)
    assert len(embed_batch(over_http, items_of(*(f"text {number}" for number in range(64)))).good) == 64
    assert len(endpoint.asked) - before == 8


def test_when_the_service_itself_is_in_trouble_it_is_asked_once_and_what_was_embedded_is_kept(endpoint: Endpoint) -> None:
    texts = [f"text {number}" for number in range(200)]
    texts[100] = "[429]"
    outcome = embed_batch(embedder(endpoint), items_of(*texts))
    assert (len(outcome.good), len(outcome.failed), len(endpoint.asked)) == (64, 136, 2)
    assert outcome.trouble is not None
    assert {failure.cause for _, failure in outcome.failed} == {FailureCause.QUOTA}
