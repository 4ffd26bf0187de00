"""Changing the model: its cost first, the old index until the new one is whole, and nothing changed by a cancel."""

from __future__ import annotations

from typing import Any

import pytest

from lib.contract.states import FailureCause
from lib.service import embedders
from lib.service.embedders import EmbeddingFailed
from lib.service.operations import reembedding
from lib.service.storage.settings import get_setting
from tests.service.road import Road, sheet
from tests.service.works import DIMENSION, FakeEmbedder

ROWS = 30


class OtherEmbedder(FakeEmbedder):
    """The same texts in another space of fewer dimensions."""

    name, fingerprint, dimension = "other-12", "e" * 16, DIMENSION - 4

    def embed(self, texts: Any) -> Any:
        wide = super().embed(texts)[:, ::-1][:, : self.dimension]
        return (wide / (wide**2).sum(axis=1, keepdims=True) ** 0.5).copy()


@pytest.fixture
def other(monkeypatch: pytest.MonkeyPatch) -> OtherEmbedder:
    fake = OtherEmbedder()
    monkeypatch.setitem(embedders._OPENERS, "openai", lambda *_: fake)
    return fake


@pytest.fixture
def filled(road: Road) -> Road:
    road.fill(sheet(*range(ROWS)))
    return road


def search(road: Road, text: str = "advice 7") -> dict[str, Any]:
    answer = road.api.post("/api/index/search", json={"text": text, "k": 1})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def model_of(road: Road) -> Any:
    with road.works.database.read() as connection:
        return get_setting(connection, "embedding.embedder")


@pytest.mark.feature("N2")
def test_the_cost_is_shown_first_and_money_is_not_guessed(filled: Road, other: OtherEmbedder) -> None:
    plan = filled.get("/api/operations/reembed", embedder="openai")
    assert (plan["served"], plan["embedder"]) == ("fake-16", "other-12")
    assert (plan["rows"], plan["cached"], plan["to_embed"], plan["seconds"]) == (ROWS, 0, ROWS, None)
    assert plan["gate"]["allowed"]
    assert other.embedded == [], "a provider may cost money: nothing is sent to it for a plan"


@pytest.mark.feature("N2")
def test_every_row_gets_the_new_model_and_the_search_asks_with_it(filled: Road, other: OtherEmbedder) -> None:
    job = filled.run("reembed", embedder="openai")
    assert job["state"] == "succeeded", job["error"]
    assert {"embedded": ROWS, "queued": 0, "vectors": ROWS}.items() <= job["result"].items()
    index = filled.get("/api/index")
    assert (index["embedder"], index["dimension"], index["vectors"], index["unindexed"]) == ("other-12", 12, ROWS, 0)
    assert search(filled)["hits"][0]["key"] == "k7"
    assert model_of(filled) == "openai"
    filled.import_sheet(sheet(99))
    filled.embed()
    assert filled.run("refresh")["state"] == "succeeded"
    assert search(filled, "advice 99")["hits"][0]["key"] == "k99"


def test_back_again_costs_nothing_because_the_vectors_are_kept(filled: Road, other: OtherEmbedder) -> None:
    filled.run("reembed", embedder="openai")
    plan = filled.get("/api/operations/reembed", embedder="wordllama")
    assert (plan["cached"], plan["to_embed"], plan["seconds"]) == (ROWS, 0, 0.0)
    before = len(filled.works.embedder.embedded)
    assert filled.run("reembed", embedder="wordllama")["result"]["embedded"] == 0
    assert search(filled)["hits"][0]["key"] == "k7"
    assert filled.works.embedder.embedded[before:] == ["advice 7"], "only the query"
    assert other.embedded


def test_a_cancel_leaves_everything_as_it_was(filled: Road, other: OtherEmbedder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reembedding, "BATCH_ROWS", 10)
    job_id = filled.start("reembed", embedder="openai").json()["job_id"]
    other.before = lambda: filled.api.post(f"/api/jobs/{job_id}/cancel", json={}) and None
    monkeypatch.setattr("lib.service.operations.runner.PROGRESS_SECONDS", 0.0)
    filled.works.perform_all()
    assert filled.job(job_id)["state"] == "cancelled"
    index = filled.get("/api/index")
    assert (index["generation"], index["embedder"], index["unindexed"], model_of(filled)) == (1, "fake-16", 0, "wordllama")
    assert search(filled)["hits"][0]["key"] == "k7"
    assert filled.queue()["pending"] == 0


def test_between_the_switch_and_the_new_generation_the_old_one_answers_with_its_own_model(
    filled: Road, other: OtherEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, Any]] = []

    def look_first(context: Any) -> dict[str, Any]:
        seen.append(search(filled))
        assert model_of(filled) == "openai"
        return build(context)

    build = reembedding.build_anew
    monkeypatch.setattr(reembedding, "build_anew", look_first)
    assert filled.run("reembed", embedder="openai")["state"] == "succeeded"
    assert (seen[0]["generation"], seen[0]["hits"][0]["key"]) == (1, "k7")
    assert search(filled)["generation"] == 2
    assert other.embedded


def test_a_text_the_new_model_refuses_waits_in_the_queue_and_says_why(filled: Road, other: OtherEmbedder) -> None:
    other.fail("advice 3", FailureCause.TEXT_TOO_LONG)
    job = filled.run("reembed", embedder="openai")
    assert {"queued": 1, "vectors": ROWS - 1}.items() <= job["result"].items()
    filled.works.embedder = other
    filled.embed()
    (failure,) = filled.get("/api/queue/failures")["items"]
    assert (failure["key"], failure["cause"]) == ("k3", "text_too_long")


def test_a_provider_that_does_not_answer_switches_nothing(filled: Road, other: OtherEmbedder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reembedding, "WAIT_SECONDS", 0.0)
    for number in range(ROWS):
        other.fail(f"advice {number}", FailureCause.UNREACHABLE, retryable=True)
    job = filled.run("reembed", embedder="openai")
    assert (job["state"], model_of(filled), filled.get("/api/index")["embedder"]) == ("failed", "wordllama", "fake-16")
    assert "Nothing was switched" in job["error"]["action"]
    assert job["error"]["detail"].startswith("The embedding service did not answer. Check the address and the network, then retry. (")


class Patient:
    """A job as far as waiting goes: how long it was told to."""

    def __init__(self) -> None:
        self.waited: list[float] = []

    def wait(self, seconds: float, why: str) -> None:
        assert why == "waiting for the model"
        self.waited.append(seconds)


def test_texts_that_are_refused_use_up_none_of_the_tries_a_provider_has(other: OtherEmbedder) -> None:
    job = Patient()
    texts = {str(number).encode(): f"refused {number}" for number in range(5)} | {b"good": "good"}
    for text in list(texts.values())[:5]:
        other.fail(text, FailureCause.TEXT_TOO_LONG)
    calls = iter(range(len(texts) + 1))

    def stumble_at_the_last() -> None:
        if next(calls) == 5:
            raise EmbeddingFailed(FailureCause.UNREACHABLE, "gone for a moment", retryable=True)

    other.before = stumble_at_the_last
    assert [content_hash for content_hash, _ in reembedding.embed_texts(job, other, texts, action="")] == [b"good"]  # type: ignore[arg-type]
    assert job.waited == [reembedding.WAIT_SECONDS], "in public, and to be stopped at any second"


def test_doing_it_again_after_a_kill_does_nothing_twice(filled: Road, other: OtherEmbedder) -> None:
    job = filled.run("reembed", embedder="openai")
    with filled.works.database.write() as connection:
        connection.exec_driver_sql("UPDATE jobs SET state = 'queued' WHERE job_id = ?", (job["job_id"],))
    asked = len(other.embedded)
    filled.works.perform_all()
    assert filled.job(job["job_id"])["state"] == "succeeded"
    assert (filled.get("/api/index")["generation"], len(other.embedded)) == (2, asked)


def test_what_arrives_meanwhile_is_taken_along(filled: Road, other: OtherEmbedder, monkeypatch: pytest.MonkeyPatch) -> None:
    arrived: list[int] = []

    def import_more() -> None:
        if not arrived:
            arrived.append(1)
            filled.import_sheet(sheet(50, 51))
            filled.embed()

    other.before = import_more
    assert filled.run("reembed", embedder="openai")["state"] == "succeeded"
    filled.embed()
    filled.run("refresh")
    assert {search(filled, f"advice {number}")["hits"][0]["key"] for number in (7, 50, 51)} == {"k7", "k50", "k51"}


def test_a_model_that_cannot_be_opened_is_refused_before_anything_starts(filled: Road) -> None:
    wrong = filled.api.get("/api/operations/reembed", params={"embedder": "openai", "model": "has a space"})
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/body/model")
