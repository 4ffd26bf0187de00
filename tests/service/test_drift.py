"""Drift: six planted kinds are counted exactly, repaired, and counted again as zero. And what is odd about vectors."""

from __future__ import annotations

from typing import Any

import faiss
import numpy as np
import pytest

from lib.contract.states import DriftKind
from lib.service.index.generations import Generations
from tests.service.index.files import of_faiss
from tests.service.road import Road, sheet

ROWS = 40


@pytest.fixture
def filled(road: Road) -> Road:
    road.fill(sheet(*range(ROWS)))
    return road


def run_check(road: Road) -> dict[str, Any]:
    answer = road.api.post("/api/index/check", json={})
    assert answer.status_code == 202, answer.text
    road.works.perform_all()
    job = road.job(answer.json()["job_id"])
    assert job["state"] == "succeeded", job["error"]
    latest: dict[str, Any] = road.get("/api/index/check")["latest"]
    assert latest["check_id"] == job["job_id"]
    return latest


def counts(road: Road) -> dict[str, int]:
    found: dict[str, int] = run_check(road)["drift"]["counts"]
    return found


def execute(road: Road, *statements: str) -> None:
    with road.works.database.write() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def plant(road: Road) -> None:
    """1 entry without vector, 1 whose vector is lost, 3 stale, 4 of another model; 5 missing in the index, 6 orphaned, 7 doubled."""
    execute(
        road,
        "DELETE FROM embeddings WHERE entry_id = 1",
        "DELETE FROM vectors WHERE content_hash = (SELECT content_hash FROM entries WHERE entry_id = 2)",
        "UPDATE embeddings SET content_hash = (SELECT content_hash FROM entries WHERE entry_id = 9) WHERE entry_id IN (3, 4, 5)",
        "INSERT INTO vectors (content_hash, fingerprint, vector) "
        "SELECT content_hash, 'another', vector FROM vectors "
        "WHERE content_hash IN (SELECT content_hash FROM entries WHERE entry_id BETWEEN 6 AND 9)",
        "UPDATE embeddings SET fingerprint = 'another' WHERE entry_id BETWEEN 6 AND 9",
    )
    generations = Generations(road.works.config.index_dir)
    served = generations.current()
    assert served is not None
    index = faiss.read_index(str(generations.folder_of(served) / "index.faiss"))
    index.remove_ids(np.arange(10, 15, dtype=np.int64))
    vectors = np.eye(16, dtype=np.float32)
    index.add_with_ids(vectors[:6], np.arange(1000, 1006, dtype=np.int64))
    index.add_with_ids(vectors[:7], np.arange(20, 27, dtype=np.int64))
    generations.publish(
        of_faiss(index), embedder=served.embedder, fingerprint=served.fingerprint, revision=served.revision, job_id="planted"
    )


PLANTED = {"missing_vector": 2, "stale": 3, "wrong_model": 4, "unindexed": 5, "orphaned": 6, "duplicated": 7}


@pytest.mark.feature("N6", "M6")
def test_six_planted_kinds_are_counted_exactly_repaired_and_counted_again_as_zero(filled: Road) -> None:
    assert set(counts(filled).values()) == {0}
    plant(filled)
    assert counts(filled) == PLANTED
    assert set(PLANTED) == set(DriftKind)
    health = filled.get("/api/index/check")
    assert (health["repair"]["to_embed"], health["repair"]["rebuild"], health["repair"]["gate"]["allowed"]) == (9, True, True)
    job = filled.run("repair", check_id=health["latest"]["check_id"])
    assert job["state"] == "succeeded", job["error"]
    assert {"to_embed": 9, "rebuilt": True, "drift": 0}.items() <= job["result"].items()
    filled.embed()
    assert filled.run("refresh")["state"] == "succeeded"
    latest = run_check(filled)["drift"]
    assert set(latest["counts"].values()) == {0}
    assert (latest["entries"], latest["vectors"], latest["waiting"]) == (ROWS, ROWS, 0)


@pytest.mark.feature("N6")
def test_the_rows_behind_each_number_come_in_pages_with_key_and_reason(filled: Road) -> None:
    plant(filled)
    run_check(filled)
    first = filled.get("/api/index/drift", kind="unindexed", limit=3)
    rest = filled.get("/api/index/drift", kind="unindexed", limit=3, cursor=first["next_cursor"])
    assert [row["entry_id"] for row in first["items"] + rest["items"]] == [10, 11, 12, 13, 14]
    assert (first["total"], first["listed"], rest["next_cursor"]) == (5, 5, None)
    assert first["items"][0] == {"entry_id": 10, "key": "k9", "detail": "it has a vector that the index does not hold"}
    orphaned = filled.get("/api/index/drift", kind="orphaned")["items"]
    assert {row["key"] for row in orphaned} == {None}
    assert filled.get("/api/index/drift", kind="duplicated")["items"][0]["detail"] == "the index holds 2 vectors under its id"


def test_what_is_on_its_way_is_no_drift(filled: Road) -> None:
    filled.import_sheet(sheet(*range(1, ROWS)), mode="mirror", approve_removals=1)
    filled.import_sheet(sheet(*range(5), text="other {}"))
    latest = run_check(filled)["drift"]
    assert set(latest["counts"].values()) == {0}
    assert latest["waiting"] == 5


def test_a_repair_does_nothing_twice(filled: Road) -> None:
    plant(filled)
    check_id = run_check(filled)["check_id"]
    job = filled.run("repair", check_id=check_id)
    generation = filled.get("/api/index")["generation"]
    execute(filled, f"UPDATE jobs SET state = 'queued' WHERE job_id = '{job['job_id']}'")
    filled.works.perform_all()
    assert filled.get("/api/index")["generation"] == generation
    assert filled.queue()["pending"] == 9


def test_the_sheet_side_is_the_last_read_with_its_age(filled: Road) -> None:
    applied = run_check(filled)["drift"]["sheet"]
    assert (applied["source_name"], applied["records"], applied["differences"]) == ("sheet.csv", ROWS, 0)
    plan = filled.preview(sheet(1, 2, 99, text="newer {}"))
    read = run_check(filled)["drift"]["sheet"]
    assert (read["plan_id"], read["records"], read["differences"]) == (plan["plan_id"], 3, 3)
    assert read["read_at"] == plan["created_at"]


def test_without_an_index_the_index_side_is_unknown_not_zero(road: Road) -> None:
    road.import_sheet(sheet(1, 2))
    latest = run_check(road)
    assert (latest["drift"]["vectors"], latest["drift"]["counts"]["orphaned"], latest["vectors"], latest["recall"]) == (None,) * 4
    assert latest["drift"]["counts"]["missing_vector"] == 0, "they wait in the queue"


def test_odd_vectors_are_counted_with_examples(road: Road) -> None:
    road.fill(sheet(1, 2, 3, 4, text="the same") + "k9,another thing,ann\n")
    generations = Generations(road.works.config.index_dir)
    served = generations.current()
    assert served is not None
    index = faiss.read_index(str(generations.folder_of(served) / "index.faiss"))
    odd = np.zeros((3, 16), np.float32)
    odd[1, 0], odd[2, 0] = 3.0, np.inf
    index.remove_ids(np.asarray([5], np.int64))
    index.add_with_ids(odd, np.asarray([5, 6, 7], np.int64))
    generations.publish(
        of_faiss(index), embedder=served.embedder, fingerprint=served.fingerprint, revision=served.revision, job_id="planted"
    )
    vectors = run_check(road)["vectors"]
    assert (vectors["vectors"], vectors["zero"], vectors["off_norm"], vectors["not_finite"]) == (7, 1, 1, 1)
    assert (vectors["duplicate_groups"], vectors["duplicate_surplus"], vectors["largest_group"]) == (1, 3, 4)
    assert vectors["examples"] == {"duplicate": ["k1"], "zero": ["k9"]}


@pytest.mark.feature("N8")
def test_a_flat_index_is_called_exact(filled: Road) -> None:
    recall = run_check(filled)["recall"]
    assert (recall["exact"], recall["recall_ratio"]) == (True, None)


@pytest.mark.feature("N8")
def test_recall_of_an_approximate_index_is_measured_with_its_interval_and_time(filled: Road) -> None:
    filled.api.put("/api/settings/index.exact_upto", json={"value": 1})
    filled.run("rebuild")
    recall = run_check(filled)["recall"]
    assert (recall["exact"], recall["sampled"], recall["k"]) == (False, ROWS, 10)
    assert 0.8 < recall["low_ratio"] <= recall["recall_ratio"] <= recall["high_ratio"] <= 1
    assert recall["search_seconds"] > 0
    assert recall["exact_seconds"] > 0


def test_recall_tells_a_bad_index_from_a_good_one(filled: Road) -> None:
    """Half of the vectors under wrong ids: the mapped file answers, and answers wrongly."""
    filled.api.put("/api/settings/index.exact_upto", json={"value": 1})
    filled.run("rebuild")
    generations = Generations(filled.works.config.index_dir)
    served = generations.current()
    assert served is not None
    index = faiss.read_index(str(generations.folder_of(served) / "index.faiss"))
    ids = faiss.vector_to_array(index.id_map)
    shuffled = faiss.index_factory(16, "IDMap2,SQ8", faiss.METRIC_INNER_PRODUCT)
    vectors = index.index.reconstruct_n(0, len(ids))
    shuffled.train(vectors)
    shuffled.add_with_ids(vectors, np.concatenate([np.roll(ids[:20], 7), ids[20:]]))
    generations.publish(
        of_faiss(shuffled, "IDMap2,SQ8"),
        embedder=served.embedder,
        fingerprint=served.fingerprint,
        revision=served.revision,
        job_id="planted",
    )
    assert run_check(filled)["recall"]["high_ratio"] < 0.8


def test_nothing_was_checked_yet(road: Road) -> None:
    nothing = {"latest": None, "looked": None, "repair": None, "taken_at": None}
    assert road.get("/api/index/check") | {"taken_at": None} == nothing
    assert road.get("/api/index")["last_check"] is None
    assert road.api.get("/api/index/drift", params={"kind": "stale"}).status_code == 404


@pytest.mark.feature("N6", "M6")
def test_each_new_generation_is_counted_by_the_job_that_made_it(filled: Road) -> None:
    reading = filled.get("/api/index/check")
    assert (reading["latest"]["generation"], sum(reading["latest"]["drift"]["counts"].values()), reading["looked"]) == (1, 0, None)
    told = filled.get("/api/index")["last_check"]
    assert (told["generation"], told["disagree"], told["sheet_records"], told["sheet_differences"]) == (1, 0, ROWS, 0)
    deep = run_check(filled)
    execute(filled, "DELETE FROM embeddings WHERE entry_id = 1")
    assert filled.run("rebuild")["result"]["drift"] == 1
    reading = filled.get("/api/index/check")
    assert (reading["latest"]["generation"], reading["latest"]["drift"]["counts"]["missing_vector"]) == (2, 1)
    assert (reading["looked"]["check_id"], reading["latest"]["vectors"]) == (deep["check_id"], None), "what was looked at is not forgotten"
    assert filled.get("/api/index")["last_check"]["disagree"] == 1


@pytest.mark.feature("N6")
def test_one_bit_that_has_changed_in_a_vector_is_found_and_a_rebuild_cures_it(filled: Road) -> None:
    generations = Generations(filled.works.config.index_dir)
    served = generations.current()
    assert served is not None
    path = generations.folder_of(served) / "index.faiss"
    data = bytearray(path.read_bytes())
    data[400] ^= 1  # the last bit of a number: no row is missing by it, and no length is odd
    path.write_bytes(data)
    started = filled.api.post("/api/index/check", json={}).json()
    filled.works.perform_all()
    job = filled.job(started["job_id"])
    assert (job["state"], job["error"]["code"], job["error"]["action"][:17]) == ("failed", "index_damaged", "Rebuild the index")
    assert filled.run("rebuild")["state"] == "succeeded"
    assert run_check(filled)["drift"]["counts"] == dict.fromkeys(DriftKind, 0)
