"""Refresh and rebuild: from vectors in the table to what a search finds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lib.contract.states import Operation
from lib.service.config import Config
from lib.service.index.generations import Generations
from lib.service.operations import index
from lib.service.operations.runner import JobContext
from lib.service.storage import embeddings
from tests.service.road import Road, csv_of, sheet


def found(road: Road, text: str, k: int = 10) -> list[str]:
    answer = road.api.post("/api/index/search", json={"text": text, "k": k})
    assert answer.status_code == 200, answer.text
    return [hit["key"] for hit in answer.json()["hits"]]


@pytest.fixture
def library(road: Road) -> Road:
    """Twenty entries, searchable."""
    road.fill(csv_of(*((f"k{number}", f"word{number} of twenty", "ann") for number in range(20))))
    return road


@pytest.mark.feature("N7")
def test_a_search_finds_the_nearest_entries_best_first_with_their_fields(library: Road) -> None:
    answer = library.api.post("/api/index/search", json={"text": "word7 of twenty", "k": 3}).json()
    assert answer["generation"] == 1
    assert answer["hits"][0] == {"key": "k7", "text": "word7 of twenty", "score": pytest.approx(1, abs=1e-4), "fields": {"owner": "ann"}}
    scores = [hit["score"] for hit in answer["hits"]]
    assert (len(scores), scores) == (3, sorted(scores, reverse=True))


def test_before_the_first_generation_a_search_says_that_there_is_none(road: Road) -> None:
    answer = road.api.post("/api/index/search", json={"text": "anything"}).json()
    assert (answer["generation"], answer["hits"]) == (None, [])
    reading = road.get("/api/index")
    assert (reading["generation"], reading["dimension"], reading["size_bytes"]) == (None, None, None), "unknown, not zero"


def test_a_refresh_takes_up_what_is_new_changed_and_removed(library: Road) -> None:
    library.import_sheet(csv_of(("k1", "quite another thing", "ann"), ("fresh", "never seen before", "ann")))
    library.embed()
    assert library.get("/api/index")["unindexed"] == 2
    job = library.run("refresh")
    assert job["result"]["changes"] == 2
    reading = library.get("/api/index")
    assert (reading["generation"], reading["vectors"], reading["unindexed"], reading["previous_generation"]) == (2, 21, 0, 1)
    assert found(library, "quite another thing", 1) == ["k1"]
    assert found(library, "never seen before", 1) == ["fresh"]
    keep = [(f"k{number}", f"word{number} of twenty", "ann") for number in range(2, 20)]
    library.import_sheet(csv_of(*keep, ("fresh", "never seen before", "ann")), mode="mirror")
    assert "k0" not in found(library, "word0 of twenty", 30), "a removed entry is not found even before the refresh"
    library.run("refresh")
    assert library.get("/api/index")["vectors"] == 19
    assert found(library, "quite another thing", 30).count("k1") == 0


def test_a_refresh_of_what_has_not_changed_makes_no_new_generation(library: Road) -> None:
    library.import_sheet(csv_of(("k1", "word1 of twenty", "somebody else")))
    library.embed()
    job = library.run("refresh")
    assert (job["state"], job["result"]["changes"], job["result"]["generation"]) == ("succeeded", 0, 1)
    assert library.get("/api/index")["generation"] == 1


def test_a_refresh_takes_up_every_change_however_many_batches_and_revisions_they_come_in(
    library: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embeddings, "BATCH_ROWS", 2)
    monkeypatch.setattr(index, "REBUILD_ABOVE_RATIO", 1.0)
    for first in (3, 9, 0):
        library.import_sheet(csv_of(*((f"k{number}", f"other{number} of {first}", "ann") for number in range(first, first + 5))))
        library.embed()
    job = library.run("refresh")
    assert (job["result"]["changes"], job["result"]["vectors"]) == (13, 20), "k3 and k4 changed twice"
    texts = {number: f"other{number} of {first}" for first in (3, 9, 0) for number in range(first, first + 5)}
    assert [found(library, text, 1) for text in texts.values()] == [[f"k{number}"] for number in texts]


def test_after_many_changes_a_refresh_builds_anew(library: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "updated_index", lambda *_, **__: pytest.fail("an update is slower here"))
    library.import_sheet(csv_of(*((f"k{number}", f"other{number}", "ann") for number in range(10))))
    library.embed()
    assert library.run("refresh")["state"] == "succeeded"
    assert found(library, "other3", 1) == ["k3"]


@pytest.mark.feature("N2")
def test_a_rebuild_makes_the_same_answers_from_nothing_but_the_vectors(library: Road) -> None:
    before = [found(library, f"word{number} of twenty") for number in range(20)]
    job = library.run("rebuild")
    assert (job["state"], job["result"]["generation"], job["result"]["vectors"]) == ("succeeded", 2, 20)
    assert [found(library, f"word{number} of twenty") for number in range(20)] == before
    reading = library.get("/api/index")
    assert (reading["built_by_job"], reading["embedder"], reading["factory"]) == (job["job_id"], "fake-16", "IDMap2,Flat")
    assert reading["size_bytes"] > 0
    assert len(reading["sha256"]) == 64


@pytest.mark.feature("N2")
@pytest.mark.parametrize("how", ["cancelled", "crashed"])
def test_a_rebuild_that_does_not_finish_leaves_the_old_generation_answering(
    library: Road, monkeypatch: pytest.MonkeyPatch, config: Config, how: str
) -> None:
    real = Generations.publish

    def stop(self: Generations, *arguments: Any, **more: Any) -> Any:
        assert found(library, "word3 of twenty", 1) == ["k3"], "search answers throughout"
        if how == "crashed":
            raise OSError(28, "No space left on device")
        return real(self, *arguments, **more)

    monkeypatch.setattr(Generations, "publish", stop)
    job_id = library.start("rebuild").json()["job_id"]
    rebuild = library.works.operations[Operation.REBUILD]

    def cancel_first(context: JobContext) -> dict[str, Any]:
        library.api.post(f"/api/jobs/{job_id}/cancel")
        return rebuild(context)

    if how == "cancelled":
        library.works.operations[Operation.REBUILD] = cancel_first
    library.works.perform(job_id)
    job = library.job(job_id)
    assert job["state"] == {"cancelled": "cancelled", "crashed": "failed"}[how]
    assert library.get("/api/index")["generation"] == 1
    assert found(library, "word3 of twenty", 1) == ["k3"]
    assert not [path.name for path in config.index_dir.iterdir() if path.name == "generation-000002"]


def test_a_kill_after_publishing_does_not_publish_twice(library: Road) -> None:
    class Killed(BaseException):
        pass

    real = library.works.operations[Operation.REBUILD]

    def die_after(context: JobContext) -> dict[str, Any]:
        real(context)
        raise Killed

    library.works.operations[Operation.REBUILD] = die_after
    job_id = library.start("rebuild").json()["job_id"]
    with pytest.raises(Killed):
        library.works.perform(job_id)
    library.works.operations[Operation.REBUILD] = real
    library.works.perform(job_id)
    job = library.job(job_id)
    assert (job["state"], job["result"]["generation"], library.get("/api/index")["generation"]) == ("succeeded", 2, 2)


def test_a_damaged_generation_is_built_anew_and_said_so(library: Road, config: Config) -> None:
    path = config.index_dir / "generation-000001" / "index.faiss"
    content = bytearray(path.read_bytes())
    content[-40] ^= 0xFF
    path.write_bytes(content)
    library.import_sheet(csv_of(("k1", "something else", "ann")))
    library.embed()
    job = library.run("refresh")
    assert (job["state"], job["result"]["vectors"]) == ("succeeded", 20)
    assert any("built anew" in line["message"] for line in library.get(f"/api/jobs/{job['job_id']}/log")["lines"])
    assert found(library, "something else", 1) == ["k1"]


def test_a_generation_that_cannot_be_opened_is_no_index_and_its_search_a_problem(
    library: Road, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = config.index_dir / "generation-000001" / "index.faiss"
    path.write_bytes(b"\0" * path.stat().st_size)
    search = library.api.app.state.services.search  # type: ignore[attr-defined]
    monkeypatch.setattr(search._reader, "_open", None)
    reading = library.get("/api/index")
    assert (reading["generation"], reading["unindexed"]) == (None, 20)
    assert library.get("/api/telemetry/snapshot")["index"]["generation"] is None
    answer = library.api.post("/api/index/search", json={"text": "anything"})
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "Rebuild" in answer.json()["action"]
    library.run("rebuild")
    assert found(library, "word3 of twenty", 1) == ["k3"]


def test_a_table_without_any_vector_has_nothing_to_index(road: Road, contents: Callable[..., dict[str, str]]) -> None:
    road.import_sheet(sheet(1, 2))
    assert road.start("rebuild").json()["gate"]["reason_code"] == "nothing_to_do"
    road.import_sheet(sheet(1), mode="mirror")
    assert road.get("/api/index")["unindexed"] == 0, "where there is no index, no removal waits for it"


def test_entries_say_whether_they_wait_are_embedded_or_searchable(road: Road) -> None:
    road.fill(sheet(1))
    road.import_sheet(sheet(2, 3))
    road.api.put("/api/settings/embedding.batch_size", json={"value": 1})
    road.works.worker()._turn()
    entries = {
        entry["key"]: (entry["item"], entry["indexed"], entry["embedded_at"] is not None) for entry in road.get("/api/entries")["items"]
    }
    assert entries == {"k1": (None, True, True), "k2": (None, False, True), "k3": ("pending", False, False)}
