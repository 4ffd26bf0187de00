"""Items: claimed, renewed, settled, lapsed, failed, retried, discarded; and the counters that say how many."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from lib.contract.model import utc_now
from lib.contract.queue import CAUSES
from lib.contract.states import FailureCause
from lib.service.storage import items, schema
from lib.service.storage.database import Database
from lib.service.storage.items import ClaimedItem
from tests.service.road import Road, csv_of, sheet

FINGERPRINT = "f" * 16


def claim(database: Database, lease_id: str, *, limit: int = 10, now: float | None = None, lease_seconds: float = 60) -> list[ClaimedItem]:
    with database.write() as connection:
        return items.claim_items(
            connection,
            lease_id=lease_id,
            worker_id=f"worker of {lease_id}",
            fingerprint=FINGERPRINT,
            limit=limit,
            now=utc_now().timestamp() if now is None else now,
            lease_seconds=lease_seconds,
        )


def settle(database: Database, lease_id: str, claimed: list[ClaimedItem]) -> int:
    with database.write() as connection:
        items.store_vectors(connection, FINGERPRINT, [(item.content_hash, b"\0\0\0\0" * 16) for item in claimed])
        return items.settle_items(
            connection,
            lease_id=lease_id,
            hashes={item.entry_id: item.content_hash for item in claimed},
            fingerprint=FINGERPRINT,
            revision=1,
            now=utc_now().timestamp(),
        )


def lapse(database: Database, *, after: float, max_attempts: int = 3) -> tuple[int, int]:
    with database.write() as connection:
        return items.release_lapsed(connection, now=utc_now().timestamp() + after, max_attempts=max_attempts)


@pytest.mark.feature("Q1")
def test_an_import_fills_the_queue_and_settling_empties_it(road: Road, database: Database, counters_are_true: Callable[[], None]) -> None:
    road.import_sheet(sheet(1, 2, 3, 4))
    counters_are_true()
    claimed = claim(database, "a", limit=3)
    counters_are_true()
    queue = road.queue()
    assert (queue["pending"], queue["leased"], queue["embedded"], queue["entries"]) == (1, 3, 0, 4)
    assert queue["lag_seconds"] >= 0
    assert settle(database, "a", claimed) == 3
    counters_are_true()
    queue = road.queue()
    assert (queue["pending"], queue["leased"], queue["embedded"], queue["entries"]) == (1, 0, 3, 4)


def test_two_workers_never_hold_the_same_item(road: Road, database: Database) -> None:
    road.import_sheet(sheet(*range(10)))
    held = [{item.entry_id for item in claim(database, lease, limit=4)} for lease in "abcd"]
    assert [len(ids) for ids in held] == [4, 4, 2, 0]
    assert len(set.union(*held)) == 10


@pytest.mark.feature("W6")
def test_an_expired_lease_returns_its_items_with_one_attempt_more(
    road: Road, database: Database, counters_are_true: Callable[[], None]
) -> None:
    road.import_sheet(sheet(1, 2))
    first = claim(database, "a", lease_seconds=5)
    assert [item.attempts for item in first] == [1, 1]
    assert lapse(database, after=4) == (0, 0)
    assert lapse(database, after=6) == (2, 0)
    counters_are_true()
    again = claim(database, "b", now=utc_now().timestamp() + 10)
    assert [item.attempts for item in again] == [2, 2]
    assert settle(database, "a", first) == 0, "the late worker's lease is gone: its result is dropped"
    assert settle(database, "b", again) == 2
    counters_are_true()


def test_a_renewed_lease_does_not_expire(road: Road, database: Database) -> None:
    road.import_sheet(sheet(1))
    claim(database, "a", lease_seconds=5)
    with database.write() as connection:
        assert items.renew_lease(connection, lease_id="a", expires_at=utc_now().timestamp() + 60) == 1
    assert lapse(database, after=30) == (0, 0)
    assert lapse(database, after=61) == (1, 0)
    with database.write() as connection:
        assert items.renew_lease(connection, lease_id="a", expires_at=utc_now().timestamp() + 60) == 0, "a lost lease stays lost"


@pytest.mark.feature("W6")
def test_an_item_whose_workers_fall_silent_again_and_again_fails_as_worker_lost(road: Road, database: Database) -> None:
    road.import_sheet(sheet(1))
    for number in range(3):
        assert len(claim(database, f"lease-{number}", now=utc_now().timestamp() + 1000 * number, lease_seconds=1)) == 1
        assert lapse(database, after=1000 * number + 10) == ((1, 0) if number < 2 else (0, 1))
    failure = road.get("/api/queue/failures")["items"][0]
    assert (failure["cause"], failure["attempts"], failure["max_attempts"], failure["key"]) == ("worker_lost", 3, 3, "k1")
    assert "worker of lease-2" in failure["raw_error"]
    assert road.queue()["failed"] == 1


def test_a_worker_that_comes_back_gets_rid_of_what_its_former_life_held_only(road: Road, database: Database) -> None:
    road.import_sheet(sheet(1, 2, 3))
    claim(database, "a", limit=1)
    claim(database, "b", limit=1)
    with database.write() as connection:
        assert items.release_lapsed(connection, now=0, max_attempts=3, of_worker="worker of a") == (1, 0)
    assert (road.queue()["pending"], road.queue()["leased"]) == (2, 1)


def test_a_late_result_of_an_old_text_is_dropped_and_kept_in_the_cache(road: Road, database: Database) -> None:
    road.import_sheet(sheet(1, text="old {}"))
    old = claim(database, "a")
    road.import_sheet(sheet(1, text="new {}"))
    assert settle(database, "a", old) == 0
    queue = road.queue()
    assert (queue["pending"], queue["leased"], queue["embedded"]) == (1, 0, 0)
    assert road.embed() == ["new 1"]
    road.import_sheet(sheet(1, text="old {}"))
    assert road.embed() == [], "the vector of the old text is known already"
    assert road.queue()["embedded"] == 1


def test_removing_an_entry_takes_it_out_of_the_queue_whatever_its_state(road: Road, database: Database) -> None:
    road.import_sheet(sheet(1, 2, 3, 4, 5))
    fail(database, road, "k1")
    road.api.post("/api/queue/failures/discard", json={})
    fail(database, road, "k2")
    claim(database, "held", limit=1)
    road.import_sheet(sheet(5), mode="mirror")
    queue = road.queue()
    assert (queue["entries"], queue["pending"], queue["leased"], queue["failed"], queue["discarded"]) == (1, 1, 0, 0, 0)


def fail(database: Database, road: Road, *keys: str, cause: FailureCause = FailureCause.TEXT_TOO_LONG) -> list[int]:
    """Claim everything, fail these, give the rest back."""
    claimed = claim(database, "fails", limit=1000)
    with database.write() as connection:
        names = {row.entry_id: row.key for row in connection.execute(sa.select(schema.entries.c.entry_id, schema.entries.c.key))}
        failed = [item.entry_id for item in claimed if names[item.entry_id] in keys]
        now = utc_now().timestamp()
        told = [(entry_id, cause, "raw words") for entry_id in failed]
        assert items.fail_items(connection, lease_id="fails", failed=told, now=now) == len(failed)
        items.release_lapsed(connection, now=now, max_attempts=99, of_worker="worker of fails")
    return failed


@pytest.mark.feature("Q3")
def test_a_failure_says_which_row_why_in_plain_words_and_how_often_it_was_tried(road: Road, database: Database) -> None:
    road.import_sheet(sheet(1, 2))
    fail(database, road, "k2", cause=FailureCause.QUOTA)
    page = road.get("/api/queue/failures")
    assert page["total"] == 1
    failure = page["items"][0]
    explanation, action = CAUSES[FailureCause.QUOTA]
    assert {
        "key": "k2", "cause": "quota", "explanation": explanation, "action": action, "raw_error": "raw words",
        "attempts": 1, "max_attempts": 3, "worker_id": "worker of fails",
    }.items() <= failure.items()  # fmt: skip
    assert failure["failed_at"]


def test_failures_are_paged_newest_first_and_filtered_by_cause(road: Road, database: Database) -> None:
    road.import_sheet(sheet(*range(7)))
    for number in range(6):
        fail(database, road, f"k{number}", cause=FailureCause.QUOTA if number % 2 else FailureCause.BAD_KEY)
    seen: list[str] = []
    cursor = None
    while True:
        page = road.get("/api/queue/failures", limit=4, **({"cursor": cursor} if cursor else {}))
        assert page["total"] == 6
        seen += [failure["key"] for failure in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert seen == [f"k{number}" for number in reversed(range(6))]
    quota = road.get("/api/queue/failures", cause="quota")
    assert ([failure["key"] for failure in quota["items"]], quota["total"]) == (["k5", "k3", "k1"], 3)


@pytest.mark.feature("Q4")
def test_retry_by_ids_cause_or_all_reports_what_it_did_and_is_safe_to_repeat(road: Road, database: Database) -> None:
    road.import_sheet(sheet(*range(6)))
    ids = fail(database, road, "k0", "k1")  # whoever is not named was claimed and given back: that counts as an attempt
    fail(database, road, "k2", "k3", cause=FailureCause.QUOTA)
    fail(database, road, "k4")

    def retry(**selection: object) -> dict[str, int]:
        report = road.api.post("/api/queue/failures/retry", json=selection).json()
        assert report.pop("job_id") is None, "so few are done at once"
        return dict(report)

    assert retry(entry_ids=[]) == {"done": 0, "skipped": 0}
    assert retry(entry_ids=ids[:1]) == {"done": 1, "skipped": 0}
    assert retry(entry_ids=ids) == {"done": 1, "skipped": 1}
    assert retry(entry_ids=ids) == {"done": 0, "skipped": 2}
    assert retry(cause="quota") == {"done": 2, "skipped": 0}
    assert retry(cause="quota") == {"done": 0, "skipped": 0}
    assert retry() == {"done": 1, "skipped": 0}
    assert (road.queue()["failed"], road.queue()["pending"]) == (0, 6)
    assert [item.attempts for item in claim(database, "fresh")][:5] == [1] * 5, "a retry starts with fresh attempts"
    action = next(action for action in road.get("/api/audit")["items"] if action["action"] == "retry_failures")
    assert action["after"] == {"done": 1, "skipped": 0}


def test_what_is_discarded_waits_for_nothing_until_it_is_named_in_a_retry_or_its_text_changes(road: Road, database: Database) -> None:
    road.import_sheet(sheet(1, 2))
    ids = fail(database, road, "k1", "k2")
    assert road.api.post("/api/queue/failures/discard", json={}).json() == {"done": 2, "skipped": 0, "job_id": None}
    queue = road.queue()
    assert (queue["failed"], queue["discarded"], queue["pending"], queue["embedded"]) == (0, 2, 0, 0)
    assert road.api.post("/api/queue/failures/retry", json={}).json()["done"] == 0, "“all failures” are not those given up on"
    assert road.api.post("/api/queue/failures/retry", json={"entry_ids": ids[:1]}).json()["done"] == 1
    road.import_sheet(sheet(2, text="a better text {}"))
    assert sorted(road.embed()) == ["a better text 2", "advice 1"]


@pytest.mark.feature("I6")
def test_one_changed_cell_means_one_embedding_and_an_unchanged_import_none(road: Road) -> None:
    road.import_sheet(sheet(*range(100)))
    assert len(road.embed()) == 100
    rows = [(f"k{number}", f"advice {number}" if number != 7 else "changed", "ann") for number in range(100)]
    plan = road.preview(csv_of(*rows))
    assert (plan["counts"]["changed"], plan["counts"]["unchanged"], plan["to_embed"]) == (1, 99, 1)
    road.apply(plan["plan_id"])
    assert road.embed() == ["changed"]
    plan = road.preview(csv_of(*rows))
    assert (plan["counts"]["unchanged"], plan["to_embed"]) == (100, 0)
    refusal = road.post_import(plan["plan_id"])
    assert (refusal.status_code, refusal.json()["gate"]["reason_code"]) == (409, "nothing_to_do")
    assert "nothing to do" in refusal.json()["detail"].lower()
    assert road.embed() == []


def test_a_change_of_a_field_alone_embeds_nothing(road: Road) -> None:
    road.fill(sheet(1, 2, owner="ann"))
    job = road.import_sheet(sheet(1, 2, owner="bob"))
    assert (job["result"]["changed"], job["result"]["to_embed"]) == (2, 0)
    assert road.embed() == []
    assert road.queue()["embedded"] == 2
