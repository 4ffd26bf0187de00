"""The main flow of the design, exactly as written there, over HTTP."""

from __future__ import annotations

import hashlib

import pytest

from tests.service.road import Road, csv_of


def test_a_sheet_becomes_searchable_and_comes_out_again(road: Road) -> None:
    data = csv_of(("log-in", "customer cannot log in", "ann"), ("refund", "how to refund an order", "bob"))
    announced = road.api.post("/api/uploads", json={"name": "playbook.csv", "size_bytes": len(data)})
    assert announced.status_code == 201
    upload_id = announced.json()["upload_id"]
    sent = road.api.put(f"/api/uploads/{upload_id}?offset=0", content=data.encode())
    assert (sent.status_code, sent.headers["Upload-Offset"]) == (204, str(len(data)))
    plan = road.preview(data)
    assert plan["counts"] == {"new": 2, "changed": 0, "unchanged": 0, "removed": 0, "invalid": 0}
    assert (plan["state"], plan["to_embed"], plan["held_removals"]) == ("ready", 2, 0)
    started = road.post_import(plan["plan_id"], key="a-good-key")
    assert (started.status_code, started.headers["Location"]) == (202, f"/api/jobs/{started.json()['job_id']}")
    road.works.perform_all()
    job = road.job(started.json()["job_id"])
    assert (job["operation"], job["state"], job["error"]) == ("import", "succeeded", None)
    assert {"new": 2, "changed": 0, "removed": 0, "to_embed": 2}.items() <= job["result"].items()
    assert (road.queue()["pending"], road.queue()["embedded"]) == (2, 0)
    road.embed()
    assert (road.queue()["pending"], road.queue()["embedded"], road.queue()["lag_seconds"]) == (0, 2, None)
    assert road.run("refresh")["state"] == "succeeded"
    index = road.get("/api/index")
    assert (index["generation"], index["vectors"], index["dimension"], index["metric"], index["unindexed"]) == (
        1,
        2,
        16,
        "inner_product",
        0,
    )
    found = road.api.post("/api/index/search", json={"text": "customer cannot log in", "k": 1}).json()
    assert found["generation"] == 1
    assert found["hits"] == [
        {"key": "log-in", "text": "customer cannot log in", "score": pytest.approx(1, abs=1e-4), "fields": {"owner": "ann"}}
    ]
    _, file = road.export()
    assert file.decode() == data


@pytest.mark.feature("N1")
def test_the_index_tells_its_facts(road: Road) -> None:
    road.fill(csv_of(("log-in", "customer cannot log in", "ann"), ("refund", "how to refund an order", "bob")))
    job = road.run("rebuild")
    index = road.get("/api/index")
    file = road.works.config.index_dir / "generation-000002" / "index.faiss"
    assert (index["generation"], index["previous_generation"], index["factory"]) == (2, 1, "IDMap2,Flat")
    assert (index["size_bytes"], index["sha256"]) == (file.stat().st_size, hashlib.sha256(file.read_bytes()).hexdigest())
    assert (index["built_by_job"], index["built_by"]) == (job["job_id"], job["requested_by"])
    assert (index["tombstones"], index["unindexed"], index["ids_consistent"]) == (0, 0, True)
    road.import_sheet(csv_of(("refund", "how to refund an order", "bob")), mode="mirror", approve_removals=1)
    index = road.get("/api/index")
    assert (index["tombstones"], index["unindexed"]) == (1, 1)
