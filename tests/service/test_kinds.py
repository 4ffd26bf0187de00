"""The kind of index follows the number of rows, by settings; here with small numbers."""

from __future__ import annotations

import pytest

from lib.service.storage import embeddings
from tests.service.probes import at_every_tell
from tests.service.road import Road, csv_of, sheet

ROWS = 40


@pytest.fixture
def large(road: Road) -> Road:
    """Forty rows, in lists above ten."""
    for name, value in (("index.exact_upto", 5), ("index.lists_above", 10)):
        assert road.api.put(f"/api/settings/{name}", json={"value": value}).status_code == 200
    road.fill(sheet(*range(1, ROWS + 1)))
    return road


def found(road: Road, text: str) -> str:
    key: str = road.api.post("/api/index/search", json={"text": text, "k": 1}).json()["hits"][0]["key"]
    return key


@pytest.mark.feature("N2", "N8")
def test_a_large_table_is_indexed_in_lists_which_a_refresh_keeps_and_a_check_looks_into(large: Road) -> None:
    reading = large.get("/api/index")
    assert (reading["factory"], reading["vectors"]) == ("IVF25,SQ8", ROWS)
    large.import_sheet(csv_of(("k7", "quite another thing", "ann"), ("fresh", "never seen before", "ann")))
    large.embed()
    assert large.run("refresh")["result"]["changes"] == 2
    reading = large.get("/api/index")
    assert (reading["factory"], reading["vectors"]) == ("IVF25,SQ8", ROWS + 1), "26 lists would be ideal by now"
    assert (found(large, "quite another thing"), found(large, "never seen before")) == ("k7", "fresh")
    job_id = large.api.post("/api/index/check", json={}).json()["job_id"]
    large.works.perform_all()
    job = large.get(f"/api/jobs/{job_id}")
    assert (job["state"], job["result"]["drift"]) == ("succeeded", 0)
    check = large.get("/api/index/check")["latest"]
    recall, lists = check["recall"], check["vectors"]["lists"]
    assert (recall["exact"], recall["sampled"], recall["k"]) == (False, ROWS + 1, 10)
    assert 0 < recall["low_ratio"] <= recall["recall_ratio"] <= recall["high_ratio"] <= 1
    assert check["vectors"]["vectors"] == ROWS + 1
    assert lists["lists"] == 25
    assert lists["imbalance"] >= 1
    assert 1 <= lists["largest"] <= ROWS + 1


@pytest.mark.feature("N2", "X3")
def test_the_vectors_its_lists_are_learnt_from_are_read_in_blocks_that_are_told_and_make_the_same_index(
    large: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    at_every_tell(monkeypatch, lambda _context, phase: told.append(phase))

    def rebuild() -> bytes:
        told.clear()
        generation = large.run("rebuild")["result"]["generation"]
        return (large.works.config.index_dir / f"generation-{generation:06d}" / "index.faiss").read_bytes()

    at_once = rebuild()
    assert told.count("choosing what to learn the lists from") == 2
    monkeypatch.setattr(embeddings, "BATCH_ROWS", 7)
    assert rebuild() == at_once
    assert told.count("choosing what to learn the lists from") == 1 + -(-ROWS // 7)


@pytest.mark.feature("N2")
def test_the_kind_changes_with_the_next_refresh_when_the_number_asks_for_it(large: Road) -> None:
    assert large.api.put("/api/settings/index.lists_above", json={"value": 1000}).status_code == 200
    large.import_sheet(csv_of(("k1", "one more thing", "ann")))
    large.embed()
    large.run("refresh")
    assert large.get("/api/index")["factory"] == "IDMap2,SQ8"
    assert large.api.put("/api/settings/index.exact_upto", json={"value": 1000}).status_code == 200
    large.run("rebuild")
    assert large.get("/api/index")["factory"] == "IDMap2,Flat"
    assert found(large, "one more thing") == "k1"


@pytest.mark.feature("N5")
def test_a_snapshot_in_lists_is_inspected_and_restored(large: Road) -> None:
    snapshot = large.run("snapshot", name="in lists")["result"]["snapshot_id"]
    inspection = large.run("inspect", source={"kind": "snapshot", "snapshot_id": snapshot})["job_id"]
    report = large.get(f"/api/inspections/{inspection}")
    assert (report["obstacles"], report["facts"]["kind"], report["comparison"]["wrong"]) == ([], "IVF25,SQ8", 0)
    job = large.run("restore", inspection_id=inspection, typed_name="in lists")
    assert (job["state"], large.get("/api/index")["factory"], large.get("/api/index")["unindexed"]) == ("succeeded", "IVF25,SQ8", 0)
    assert found(large, "advice 30") == "k30"
