"""Where is my row? The road of one entry, with who, what and when; what is not kept is called a gap."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from lib.contract.model import utc_now
from lib.contract.states import Actual, FailureCause
from lib.service.storage import schema
from lib.service.storage.database import Database
from lib.service.trace import trace_entry
from tests.service.road import Road, csv_of, sheet
from tests.service.works import FakeEmbedder, Works


def find(road: Road, query: str) -> list[str]:
    return [match["key"] for match in road.get("/api/entries/find", query=query)["items"]]


def trace(road: Road, key: str) -> dict[str, Any]:
    match = next(match for match in road.get("/api/entries/find", query=key)["items"] if match["key"] == key)
    found: dict[str, Any] = road.get(f"/api/entries/{match['entry_id']}/trace")
    return found


def told(traced: dict[str, Any]) -> list[tuple[str, str]]:
    return [(event["station"], event["text"]) for event in traced["events"]]


@pytest.mark.feature("Q7", "M9")
def test_a_row_is_traced_from_its_sheet_to_the_export_with_times(road: Road) -> None:
    road.fill(sheet(1, 2, 3))
    road.run("export")
    traced = trace(road, "k2")
    stations = [event["station"] for event in traced["events"]]
    assert stations == ["source", "vector", "index", "export"]
    texts = [event["text"] for event in traced["events"]]
    assert texts[0] == "Added by an import: row 3 of sheet.csv."
    assert texts[1] == "Embedded by embedding-1, attempt 1."
    assert texts[2].startswith("Searchable, with generation 1")
    assert texts[3].startswith("Exported in switchyard-export")
    assert all(event["at"] and event["actor"] and not event["gap"] for event in traced["events"])
    assert [event["at"] for event in traced["events"]] == sorted(event["at"] for event in traced["events"])
    assert (traced["where"], traced["searchable_since"]) == ("It is searchable.", traced["events"][2]["at"])
    for event in traced["events"]:
        assert event["station"] == "vector" or road.get(f"/api/jobs/{event['job_id']}")["state"] == "succeeded"


@pytest.mark.feature("M11")
def test_a_row_that_waits_says_how_many_come_before_it_and_when_its_turn_is_only_when_that_is_known(road: Road) -> None:
    road.import_sheet(sheet(*range(1, 6)))
    assert [trace(road, f"k{number}")["turn"]["ahead"] for number in (1, 2, 5)] == [0, 1, 4]
    assert trace(road, "k5")["turn"]["embedded_low_seconds"] is None, "nothing was embedded lately"
    ident = next(match["entry_id"] for match in road.get("/api/entries/find", query="k5")["items"])
    road.api.post("/api/queue/items/first", json={"entry_ids": [ident]})
    assert trace(road, "k5")["turn"]["ahead"] == 0, "a person wanted it first"
    work_for_a_while(road)
    turn = trace(road, "k4")["turn"]
    queue = road.get("/api/queue")
    assert 0 <= turn["embedded_low_seconds"] <= turn["embedded_high_seconds"] <= queue["eta_high_seconds"]
    assert turn["searchable_high_seconds"] == queue["searchable_high_seconds"]
    road.embed()
    assert trace(road, "k5")["turn"] is None


def work_for_a_while(road: Road) -> None:
    """A quarter of an hour of samples in which one worker embedded a row a second."""
    now = utc_now()
    with road.works.database.write() as connection:
        for ago in range(60, 0, -5):
            sample = {"step_seconds": 5, "at": now - timedelta(seconds=ago), "capacity": 1, "pending": 5 + ago, "leased": 1, "failed": 0}
            connection.execute(sa.insert(schema.queue_samples).values(sample | {"arrived_total": 100, "embedded_total": 100 - ago}))
    heart = road.works.heart("embedding-7")
    heart.say(Actual.IDLE)
    heart.beat()


@pytest.mark.feature("M9")
def test_an_import_stands_before_what_it_led_to_although_its_job_ended_later(road: Road) -> None:
    road.import_sheet(sheet(1, 2))
    assert [event["station"] for event in trace(road, "k1")["events"]] == ["source", "queue"]
    road.embed()
    road.import_sheet(csv_of(("k1", "advice 1", "ann"), ("k2", "advice 1", "ann")))  # a text whose vector is known
    changed = trace(road, "k2")
    assert [text.split(" by ")[0] for _, text in told(changed)] == ["Added", "Changed", "Its vector was known already."]
    assert [event["at"] for event in changed["events"]] == sorted(event["at"] for event in changed["events"])


@pytest.mark.feature("M9", "Q3")
def test_every_failed_attempt_and_every_decision_about_it_is_on_the_trail(
    road: Road, works: Works, embedder: FakeEmbedder, database: Database
) -> None:
    road.api.put("/api/settings/embedding.max_attempts", json={"value": 2})
    road.import_sheet(sheet(1))
    embedder.fail("advice 1", FailureCause.QUOTA, retryable=True)
    works.embed()
    assert "The next attempt comes at" in trace(road, "k1")["events"][-1]["text"]
    with database.write() as connection:
        connection.execute(sa.update(schema.items).values(available_at=schema.items.c.enqueued_at, due_at=schema.items.c.enqueued_at))
    works.embed("embedding-2")
    assert trace(road, "k1")["where"] == "It could not be embedded and waits for a person."
    road.api.post("/api/queue/failures/discard", json={})
    assert "given up on" in trace(road, "k1")["where"]
    entry_id = trace(road, "k1")["entry_id"]
    road.api.post("/api/queue/failures/retry", json={"entry_ids": [entry_id]})
    embedder.failures.clear()
    works.embed()
    traced = trace(road, "k1")
    assert told(traced)[1:] == [
        ("queue", "Attempt 1 failed; it is tried again by itself. The embedding service asked to slow down."),
        ("queue", "Attempt 2 failed, and it is not tried again by itself. The embedding service asked to slow down."),
        ("queue", "Given up on."),
        ("queue", "Put back into the queue with fresh attempts."),
        ("vector", "Embedded by embedding-1, attempt 1."),
    ]
    assert [event["actor"] for event in traced["events"]][1:3] == ["embedding-1", "embedding-2"]
    assert traced["events"][1]["raw_error"] == "'advice 1' would not do"
    assert traced["where"] == "It has its vector, and becomes searchable with the next index refresh."


@pytest.mark.feature("M9")
def test_what_is_no_longer_kept_is_called_a_gap(road: Road, database: Database) -> None:
    road.fill(sheet(1))
    with database.write() as connection:
        connection.execute(sa.delete(schema.import_changes))
        connection.execute(sa.delete(schema.jobs))
    traced = trace(road, "k1")
    gaps = [event["text"] for event in traced["events"] if event["gap"]]
    assert gaps == [
        "First seen; which import brought it is no longer kept.",
        "Searchable; since which generation is no longer kept.",
    ]
    assert (traced["searchable_since"], traced["where"]) == (None, "It is searchable.")


@pytest.mark.feature("M9")
def test_a_row_that_an_import_removed_is_still_found_by_its_key(road: Road) -> None:
    road.fill(sheet(1, 2, 3, 4))
    road.import_sheet(sheet(1, 2, 3), mode="mirror")
    (match,) = road.get("/api/entries/find", query="k4")["items"]
    assert match["removed"]
    traced = road.get(f"/api/entries/{match['entry_id']}/trace")
    assert traced["where"] == "It is not in the table any more: an import removed it."
    assert [text.split()[0] for _, text in told(traced)] == ["Added", "Removed"]


@pytest.mark.feature("Q7")
def test_a_row_is_found_by_its_key_by_how_the_key_begins_and_by_a_phrase_of_its_text(road: Road) -> None:
    road.import_sheet(csv_of(("KB-1", "reset the password", "ann"), ("KB-10", "a refund", "ann"), ("X", "see KB-1 first", "ann")))
    assert find(road, "KB-1") == ["KB-1", "KB-10", "X"], "the key itself, then keys that begin so, then texts that say so"
    assert find(road, "THE PASSWORD") == ["KB-1"]
    assert find(road, "%") == find(road, "nobody") == []
    assert road.api.get("/api/entries/999/trace").status_code == 404


@pytest.mark.feature("M9")
def test_no_part_of_a_trace_scans_a_table_that_grows_with_every_row(road: Road, database: Database) -> None:
    road.fill(sheet(1))
    entry_id = trace(road, "k1")["entry_id"]
    statements: list[str] = []
    sa.event.listen(database.engine, "before_cursor_execute", lambda _c, _u, text, *_: statements.append(text))
    trace_entry(database, entry_id, served_revision=1)
    with database.read() as connection:
        for statement in [text for text in statements if text.startswith("SELECT")]:
            marks = tuple(["1"] * statement.count("?"))
            plan = [row.detail for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", marks)]
            scans = [step for step in plan if step.startswith("SCAN") and not step.startswith(("SCAN settings", "SCAN counters"))]
            assert not scans, f"{scans} in {statement}"
