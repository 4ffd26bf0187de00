"""Embedding a part of the map again: the model is really asked, the index answers meanwhile, and every row is counted once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from lib.contract.model import utc_now
from lib.service.operations import renewals
from lib.service.storage import renewals as rows
from lib.service.storage import schema
from tests.service.probes import rows_of
from tests.service.road import Road, csv_of, sheet
from tests.service.test_restore_kills import Killed

ALL = {"lasso": [[-1e6, -1e6], [1e6, -1e6], [1e6, 1e6], [-1e6, 1e6]]}


def lay_out(road: Road) -> str:
    job = road.run("map")
    assert job["state"] == "succeeded", job["error"]
    return str(job["job_id"])


def turn(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on the model answers otherwise, as a provider's may after a repair."""
    embedder = road.works.embedder
    before = embedder.embed
    monkeypatch.setattr(embedder, "embed", lambda texts: np.ascontiguousarray(np.roll(before(texts), 1, axis=1)))


def vectors_of(road: Road) -> dict[bytes, bytes]:
    return {bytes(row["content_hash"]): bytes(row["vector"]) for row in rows_of(road.works.database, schema.vectors)}


def hits(road: Road, text: str = "advice 1") -> list[str]:
    answer = road.api.post("/api/index/search", json={"text": text, "k": 5})
    assert answer.status_code == 200, answer.text
    return [hit["key"] for hit in answer.json()["hits"]]


@pytest.mark.feature("M5")
def test_the_rows_of_a_part_are_embedded_by_the_model_again_and_the_index_follows(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    road.fill(csv_of(*((f"k{number}", f"advice {number}", "ann") for number in range(6)), ("twin", "advice 5", "bob")))
    map_id = lay_out(road)
    found, before = hits(road), vectors_of(road)
    job = road.run("renew", map_id=map_id, part=ALL)
    assert job["state"] == "succeeded", job["error"]
    assert job["result"] == {"done": 7, "skipped": 0, "gone": 0, "in_queue": 0, "failed_before": 0, "discarded": 0}
    assert road.queue()["pending"] == 7
    assert hits(road) == found, "search goes on with the present vectors"
    turn(road, monkeypatch)
    assert sorted(road.embed()) == sorted([*(f"advice {number}" for number in range(6)), "advice 5"]), "nothing came from the cache"
    after = vectors_of(road)
    assert after.keys() == before.keys()
    assert all(after[one] != before[one] for one in after)
    assert road.get("/api/index")["unindexed"] == 7
    assert road.run("refresh")["state"] == "succeeded"
    assert road.get("/api/index")["unindexed"] == 0
    assert hits(road)[:1] == ["k1"], "question and rows are of the same kind again"
    trace = road.get(f"/api/entries/{road.get('/api/entries/find', query='k1')['items'][0]['entry_id']}/trace")
    assert any("Wanted embedded again" in event["text"] and event["job_id"] == job["job_id"] for event in trace["events"])


@pytest.mark.feature("M5")
def test_who_shares_a_text_with_a_renewed_row_gets_its_new_vector_into_the_index_too(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    road.fill(csv_of(("one", "the same words", "ann"), ("two", "the same words", "bob"), ("three", "others", "ann")))
    first = rows_of(road.works.database, schema.entries)[0]["entry_id"]
    now = utc_now()
    with road.works.database.write() as connection:
        rows.renew_entries(connection, [first], since=now, now=now, actor="ann", job_id="0" * 32)
    turn(road, monkeypatch)
    assert road.embed() == ["the same words"]
    assert road.get("/api/index")["unindexed"] == 2


@pytest.mark.feature("M5")
def test_what_cannot_be_embedded_again_is_skipped_and_why_is_counted(road: Road) -> None:
    road.fill(sheet(*range(6)))
    map_id = lay_out(road)
    plan = road.preview(sheet(*range(1, 6)), mode="mirror")
    assert road.apply(plan["plan_id"], approve_removals=1)["state"] == "succeeded"
    for text in ("hopeless 1", "given up 2"):
        road.works.embedder.fail(text)
    road.import_sheet(csv_of(("k1", "hopeless 1", "ann"), ("k2", "given up 2", "ann")))
    road.embed()
    given_up = next(item["entry_id"] for item in road.get("/api/queue/failures")["items"] if item["key"] == "k2")
    assert road.api.post("/api/queue/failures/discard", json={"entry_ids": [given_up]}).json()["done"] == 1
    road.import_sheet(sheet(3, text="waits {}"))
    job = road.run("renew", map_id=map_id, part=ALL)
    assert job["result"] == {"done": 2, "skipped": 4, "gone": 1, "in_queue": 1, "failed_before": 1, "discarded": 1}
    assert sorted(road.embed()) == ["advice 4", "advice 5", "waits 3"]


@pytest.mark.feature("M5")
def test_an_import_that_leaves_the_text_as_it_is_leaves_the_wish_too_and_one_that_changes_or_removes_it_ends_it(road: Road) -> None:
    road.fill(sheet(1, 2, 3))
    job = road.run("renew", map_id=lay_out(road), part=ALL)
    assert job["result"]["done"] == 3
    plan = road.preview(csv_of(("k1", "advice 1", "somebody else"), ("k2", "other words", "ann")), mode="mirror")
    assert road.apply(plan["plan_id"], approve_removals=1)["state"] == "succeeded"
    assert road.queue()["pending"] == 2
    assert sorted(road.embed()) == ["advice 1", "other words"]


@pytest.mark.feature("M5", "X3")
def test_killed_between_two_chunks_it_goes_on_and_no_row_is_embedded_twice(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    road.fill(sheet(*range(5)))
    map_id = lay_out(road)
    job_id = road.start("renew", map_id=map_id, part=ALL).json()["job_id"]
    monkeypatch.setattr(renewals, "CHUNK_ROWS", 2)
    real, chunks = rows.renew_entries, []

    def die_after_the_second(*arguments: Any, **named: Any) -> Any:
        if len(chunks) == 2:
            raise Killed
        chunks.append(arguments)
        return real(*arguments, **named)

    with monkeypatch.context() as killing:
        killing.setattr(rows, "renew_entries", die_after_the_second)
        with pytest.raises(Killed):
            road.works.perform(job_id)
    assert road.queue()["pending"] == 4
    embedded = road.embed()  # before the next life: what was embedded since must not be asked for again
    road.works.perform(job_id)
    assert road.job(job_id)["result"] | {"skipped": 0} == road.job(job_id)["result"]
    assert road.job(job_id)["result"]["done"] == 5
    assert sorted(embedded + road.embed()) == [f"advice {number}" for number in range(5)]


def test_a_row_keeps_its_vector_when_the_model_refuses_it_this_time(road: Road) -> None:
    road.fill(sheet(1, 2))
    map_id, before = lay_out(road), vectors_of(road)
    road.works.embedder.fail("advice 1")
    assert road.run("renew", map_id=map_id, part=ALL)["result"]["done"] == 2
    assert road.embed() == ["advice 2"]
    assert road.queue()["failed"] == 1
    assert vectors_of(road) == before
    assert set(hits(road, "advice")) == {"k1", "k2"}
    (row,) = road.get("/api/entries/find", query="k1")["items"]
    assert "is searchable by the vector it has" in road.get(f"/api/entries/{row['entry_id']}/trace")["where"]


def test_a_map_that_is_gone_or_a_part_that_names_nothing_is_refused_in_words(road: Road) -> None:
    road.fill(sheet(1, 2))
    map_id = lay_out(road)
    assert road.start("renew", map_id="0" * 32, part=ALL).status_code == 404
    assert road.start("renew", map_id=map_id, part={}).status_code == 422
    job_id = road.start("renew", map_id=map_id, part=ALL).json()["job_id"]
    (road.works.config.maps_dir / map_id / "map.json").unlink()
    road.works.perform(job_id)
    assert road.job(job_id)["error"]["code"] == "map_missing"
    with road.works.database.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(schema.items)).scalar_one() == 0
