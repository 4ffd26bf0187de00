"""The items of the queue one by one: every filter, pages, and what is put first."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from lib.contract.model import utc_now
from lib.service.storage import schema
from lib.service.storage.database import Database
from tests.embeddings_endpoint import Endpoint
from tests.service.planted import FAILED, ROWS, work
from tests.service.road import Road, csv_of
from tests.service.works import Works


@pytest.mark.feature("Q5")
def test_items_are_found_by_every_filter_and_by_all_of_them_together(planted: Road, database: Database) -> None:
    imported = planted.get("/api/jobs", operation="import")["items"][0]["job_id"]

    def keys(**wanted: Any) -> set[str]:
        page = planted.get("/api/queue/items", **wanted)
        assert page["total"] == len(page["items"])
        return {item["key"] for item in page["items"]}

    assert len(keys(state="failed")) == FAILED
    assert keys(cause="quota") == {f"quota-{number}" for number in range(ROWS)}
    assert keys(text="ENSION-1") == {"wrong_dimension-1"}, "key or text, whatever the case"
    assert keys(text="100%") == keys(text="_good") == set()
    assert len(keys(import_job_id=imported)) == FAILED
    assert keys(import_job_id="another") == set()
    assert len(keys(worker_id="embedding-1")) == FAILED
    assert keys(worker_id="embedding-2") == keys(state="discarded") == keys(older_than_seconds=3600) == set()
    with database.write() as connection:
        long_ago = utc_now().timestamp() - 7200
        old = sa.select(schema.entries.c.entry_id).where(schema.entries.c.key.in_(["quota-1", "bad_key-1"]))
        connection.execute(
            sa.update(schema.items).where(schema.items.c.entry_id.in_(old)).values(enqueued_at=sa.literal(long_ago, sa.Float))
        )
    assert keys(older_than_seconds=3600) == {"quota-1", "bad_key-1"}
    everything = {"state": "failed", "cause": "quota", "import_job_id": imported, "worker_id": "embedding-1", "older_than_seconds": 3600}
    assert keys(text="429", **everything) == {"quota-1"}


@pytest.mark.feature("Q5", "Q4")
def test_what_a_filter_shows_is_exactly_what_a_retry_of_that_filter_moves(planted: Road) -> None:
    wanted = {"cause": "quota", "text": "quota-1"}
    report = planted.api.post("/api/queue/failures/retry", json=wanted).json()
    assert report["done"] == 1
    assert [item["key"] for item in planted.get("/api/queue/items", state="pending")["items"]] == ["quota-1"]


@pytest.mark.feature("Q5")
def test_items_are_paged_newest_first_without_a_gap_or_a_repeat_across_states(planted: Road) -> None:
    planted.api.post("/api/queue/failures/retry", json={"cause": "quota"})
    planted.api.post("/api/queue/failures/discard", json={"cause": "empty_text"})
    seen: list[tuple[str, str]] = []
    cursor = None
    while True:
        page = planted.get("/api/queue/items", limit=4, **({"cursor": cursor} if cursor else {}))
        assert page["total"] == FAILED
        seen += [(item["failed_at"] if item["state"] != "pending" else item["enqueued_at"], item["key"]) for item in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert len({key for _, key in seen}) == len(seen) == FAILED
    assert [at for at, _ in seen] == sorted((at for at, _ in seen), reverse=True)


@pytest.mark.feature("Q8")
def test_what_is_put_first_is_embedded_first_and_nothing_waits_longer_than_an_hour_for_it(
    road: Road, works: Works, endpoint: Endpoint, database: Database
) -> None:
    road.import_sheet(csv_of(*((f"k{number}", f"text {number}", "ann") for number in range(6))))
    first = road.api.post("/api/queue/items/first", json={"text": "text 4"}).json()
    assert first["done"] == 1
    assert road.api.post("/api/queue/items/first", json={"text": "text 4"}).json()["done"] == 0, "it is so already"
    assert [item["priority"] for item in road.get("/api/queue/items", text="text 4")["items"]] == [1]
    action = road.get("/api/audit", limit=1)["items"][0]
    assert (action["action"], action["after"]["text"]) == ("put_items_first", "text 4")
    with database.write() as connection:  # one has waited longer than the head start
        overdue = sa.select(schema.entries.c.entry_id).where(schema.entries.c.key == "k5")
        hour = sa.literal(3601.0, sa.Float)
        moved = {"available_at": schema.items.c.available_at - hour, "due_at": schema.items.c.due_at - hour}
        connection.execute(sa.update(schema.items).where(schema.items.c.entry_id.in_(overdue)).values(**moved))
    work(works)
    assert endpoint.embedded == ["text 5", "text 4", "text 0", "text 1", "text 2", "text 3"]
