"""What people want of workers, what workers say they do, and a batch on its way through one of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from lib.contract.model import utc_now
from lib.contract.states import Actual, Desired, FailureCause, WorkerRole
from lib.contract.workers import STALE_AFTER_SECONDS
from lib.service.embedders import EmbeddingFailed
from lib.service.storage import schema
from lib.service.storage.database import Database
from lib.service.storage.settings import put_setting
from tests.service.road import Road, csv_of, sheet
from tests.service.works import FakeEmbedder, Works


def wish(road: Road, verb: str, worker_id: str | None = "embedding-1", **body: Any) -> Any:
    path = f"/api/workers/{worker_id}/{verb}" if worker_id else f"/api/workers/{verb}"
    return road.api.post(path, json=body)


def workers(road: Road) -> dict[str, dict[str, Any]]:
    return {worker["worker_id"]: worker for worker in road.get("/api/workers")["workers"]}


@pytest.mark.feature("W1")
def test_what_people_want_and_what_a_worker_does_are_two_things(road: Road, works: Works) -> None:
    heart = works.heart()
    heart.say(Actual.BUSY, "embedding 7 rows")
    heart.say_embedder("fake-16")
    heart.beat()
    wish(road, "pause")
    worker = workers(road)["embedding-1"]
    assert (worker["desired"], worker["actual"], worker["doing"], worker["embedder"]) == ("paused", "busy", "embedding 7 rows", "fake-16")
    heart.beat()
    assert heart.desired is Desired.PAUSED, "it hears with its next beat"
    worker = workers(road)["embedding-1"]
    assert (worker["desired"], worker["actual"]) == ("paused", "busy"), "a beat changes what it does, never what people want"


@pytest.mark.feature("W1", "W3")
def test_claiming_settling_and_coming_back_leave_the_wish_alone(road: Road, works: Works) -> None:
    works.heart()
    wish(road, "pause", reason="the disk is being replaced")
    before = workers(road)["embedding-1"]
    again = works.heart()
    assert (again.desired, again.hear()) == (Desired.PAUSED, Desired.PAUSED), "a paused worker starts paused"
    after = workers(road)["embedding-1"]
    for part in ("desired", "desired_by", "desired_reason", "desired_since"):
        assert after[part] == before[part]
    assert after["desired_reason"] == "the disk is being replaced"
    assert after["desired_by"]
    assert after["actual"] == "starting"


@pytest.mark.feature("W3")
@pytest.mark.parametrize(("verb", "desired", "says"), [("pause", "paused", "paused"), ("drain", "draining", "drained")])
def test_a_worker_that_is_not_wanted_claims_nothing_until_it_is_resumed(
    road: Road, works: Works, verb: str, desired: str, says: str
) -> None:
    road.import_sheet(sheet(1, 2))
    worker = works.worker()
    answer = wish(road, verb)
    assert (answer.status_code, answer.json()["desired"]) == (202, desired)
    assert not worker._turn()
    worker._heart.beat()
    assert workers(road)["embedding-1"]["actual"] == says
    assert road.queue()["pending"] == 2
    assert wish(road, "resume").json()["desired"] == "running"
    assert worker._turn()
    assert road.queue()["embedded"] == 2


def test_a_draining_worker_finishes_what_it_holds_and_takes_no_more(road: Road, works: Works, embedder: FakeEmbedder) -> None:
    road.import_sheet(sheet(1, 2, 3))
    road.api.put("/api/settings/embedding.batch_size", json={"value": 2})
    embedder.before = lambda: wish(road, "drain")
    worker = works.worker()
    assert worker._turn()
    assert not worker._turn()
    queue = road.queue()
    assert (queue["embedded"], queue["pending"], queue["leased"]) == (2, 1, 0)


@pytest.mark.feature("W4")
def test_a_drain_that_is_called_off_while_the_batch_is_in_hand_leaves_the_worker_busy(
    road: Road, works: Works, embedder: FakeEmbedder
) -> None:
    road.import_sheet(sheet(1))
    worker, said = works.worker(), []

    def change_ones_mind() -> None:
        for verb in ("drain", "resume"):
            wish(road, verb)
            for _ in range(2):  # the first beat hears it, the next tells what came of it
                worker._heart.beat()
                worker.renew()
            said.append(workers(road)["embedding-1"]["actual"])

    embedder.before = change_ones_mind
    assert worker._turn()
    assert said == ["draining", "busy"]


@pytest.mark.feature("W3")
def test_all_embedding_workers_are_paused_at_once_and_operations_workers_are_not(road: Road, works: Works) -> None:
    for name in ("embedding-1", "embedding-2"):
        works.heart(name)
    works.heart("operations-1", WorkerRole.OPERATIONS)
    wish(road, "pause", "embedding-2", reason="by hand")
    answer = wish(road, "pause", None, reason="all of them")
    assert answer.status_code == 202
    found = workers(road)
    assert {name: worker["desired"] for name, worker in found.items()} == {
        "embedding-1": "paused", "embedding-2": "paused", "operations-1": "running",
    }  # fmt: skip
    assert found["embedding-2"]["desired_reason"] == "by hand", "those it is so of already keep who and why"
    actions = [action["object_id"] for action in road.get("/api/audit")["items"] if action["action"] == "pause_worker"]
    assert actions == ["embedding-1", "embedding-2"]


def test_a_wish_that_is_so_already_is_refused_and_says_by_whom(road: Road, works: Works) -> None:
    works.heart()
    wish(road, "drain", reason="maintenance")
    answer = wish(road, "drain", reason="again")
    gate = answer.json()["gate"]
    assert (answer.status_code, gate["reason_code"], gate["holder"]) == (409, "already_so", "embedding-1")
    worker = workers(road)["embedding-1"]
    assert worker["desired_by"] in gate["reason_text"]
    assert worker["desired_reason"] == "maintenance"
    assert road.get("/api/audit", limit=1)["items"][0]["outcome"] == "refused: already_so"
    assert wish(road, "resume").status_code == 202
    assert wish(road, "resume").json()["gate"]["reason_code"] == "already_so"


def test_an_unknown_worker_is_not_found(road: Road) -> None:
    for verb in ("pause", "resume", "drain"):
        assert wish(road, verb, "nobody").status_code == 404


@pytest.mark.feature("W2")
def test_a_silent_worker_is_stale_and_a_stopped_one_is_not(road: Road, works: Works, database: Database) -> None:
    heart, other = works.heart(), works.heart("embedding-2")
    assert not workers(road)["embedding-1"]["stale"]
    long_ago = utc_now() - timedelta(seconds=STALE_AFTER_SECONDS + 1)
    for each in (heart, other):
        each.say(Actual.IDLE)
        each.beat()
    other.stop()
    with database.write() as connection:
        connection.execute(sa.update(schema.workers).values(heartbeat_at=long_ago))
    found = workers(road)
    assert (found["embedding-1"]["stale"], found["embedding-1"]["actual"], found["embedding-1"]["desired"]) == (True, "idle", "running")
    assert (found["embedding-2"]["stale"], found["embedding-2"]["actual"]) == (False, "stopped")
    assert road.api.get("/readyz").json() == {"ready": False, "missing": ["embedding worker", "operations worker"]}
    heart.beat()
    assert not workers(road)["embedding-1"]["stale"], "its next word clears it"


def test_the_text_that_is_to_blame_fails_and_the_rest_of_the_batch_is_embedded(road: Road, works: Works, embedder: FakeEmbedder) -> None:
    road.import_sheet(sheet(1, 2, 3))
    embedder.fail("advice 2", FailureCause.TEXT_TOO_LONG)
    assert sorted(works.embed()) == ["advice 1", "advice 3"]
    failure = road.get("/api/queue/failures")["items"][0]
    assert (failure["key"], failure["cause"], failure["attempts"]) == ("k2", "text_too_long", 1)
    worker = workers(road)["embedding-1"]
    assert (worker["processed"], worker["failed"]) == (2, 1)


def test_a_failure_that_may_pass_is_tried_again_later_and_only_so_often(
    road: Road, works: Works, embedder: FakeEmbedder, database: Database
) -> None:
    road.import_sheet(sheet(1))
    embedder.fail("advice 1", FailureCause.QUOTA, retryable=True)
    waits = []
    for _ in range(3):
        works.embed()
        with database.write() as connection:
            row = connection.execute(sa.select(schema.items)).one()
            waits.append(round((row.available_at - utc_now()).total_seconds()) if row.state == "pending" else row.state)
            connection.execute(sa.update(schema.items).values(available_at=utc_now(), due_at=utc_now()))
    assert waits == [2, 4, "failed"]
    failure = road.get("/api/queue/failures")["items"][0]
    assert (failure["cause"], failure["attempts"]) == ("quota", 3)


def test_a_failure_of_nobody_in_particular_puts_the_whole_batch_aside(road: Road, works: Works, embedder: FakeEmbedder) -> None:
    road.import_sheet(sheet(1, 2))

    def refuse() -> None:
        raise EmbeddingFailed(FailureCause.BAD_KEY, "the key was refused", retryable=False)

    embedder.before = refuse
    works.embed()
    assert road.queue()["failed"] == 2
    assert {failure["cause"] for failure in road.get("/api/queue/failures")["items"]} == {"bad_key"}


def test_a_bug_of_the_embedder_does_not_stop_the_worker(road: Road, works: Works, embedder: FakeEmbedder) -> None:
    road.import_sheet(sheet(1))
    road.api.put("/api/settings/embedding.max_attempts", json={"value": 1})

    def crash() -> None:
        raise ZeroDivisionError("somebody's bug")

    embedder.before = crash
    works.embed()
    failure = road.get("/api/queue/failures")["items"][0]
    assert (failure["cause"], failure["raw_error"]) == ("unexpected", "ZeroDivisionError: somebody's bug")


def test_equal_texts_share_one_vector(road: Road) -> None:
    road.import_sheet(csv_of(("a", "the same", "ann"), ("b", "the same", "bob")))
    road.embed()
    assert road.queue()["embedded"] == 2
    road.import_sheet(csv_of(("c", "the same", "cid")))
    assert road.embed() == []
    assert road.queue()["embedded"] == 3


@pytest.mark.feature("W6")
def test_what_a_silent_worker_held_is_taken_up_by_another_when_its_lease_lapses(
    road: Road, works: Works, embedder: FakeEmbedder, database: Database
) -> None:
    road.import_sheet(sheet(1))
    silent, other = works.worker("embedding-1"), works.worker("embedding-2")
    silent._claim(embedder.fingerprint)
    assert not other._turn(), "the lease is good"
    with database.write() as connection:
        connection.execute(sa.update(schema.items).values(lease_expires_at=utc_now() - timedelta(seconds=1)))
    assert other._turn()
    assert road.queue()["embedded"] == 1


def test_the_settings_of_batch_and_lease_are_obeyed_at_the_next_claim(
    road: Road, works: Works, embedder: FakeEmbedder, database: Database
) -> None:
    road.import_sheet(sheet(*range(5)))
    road.api.put("/api/settings/embedding.batch_size", json={"value": 3})
    road.api.put("/api/settings/embedding.lease_seconds", json={"value": 500})
    worker = works.worker()
    lease_id, batch = worker._claim(embedder.fingerprint)
    assert len(batch) == 3
    with database.read() as connection:
        expires = connection.execute(
            sa.select(schema.items.c.lease_expires_at).where(schema.items.c.lease_id == lease_id).limit(1)
        ).scalar_one()
    assert 490 < (expires - utc_now()).total_seconds() <= 500
    worker._lease_id = lease_id
    with database.write() as connection:
        connection.execute(sa.update(schema.items).values(lease_expires_at=utc_now()))
    worker.renew()
    with database.read() as connection:
        assert (
            connection.execute(sa.select(schema.items.c.lease_expires_at).where(schema.items.c.lease_id == lease_id)).scalars().first()
            > utc_now()
        )


def test_a_worker_leaves_an_embedder_in_trouble_alone_and_says_until_when(road: Road, works: Works, embedder: FakeEmbedder) -> None:
    road.import_sheet(sheet(1, 2, 3))
    road.api.put("/api/settings/embedding.batch_size", json={"value": 1})

    def refuse() -> None:
        raise EmbeddingFailed(FailureCause.QUOTA, "HTTP 429: slow down", retryable=True, retry_after_seconds=120)

    embedder.before = refuse
    worker = works.worker()
    assert worker._turn()
    assert not worker._turn(), "two rows could be claimed, and would only lose an attempt"
    worker._heart.beat()
    assert workers(road)["embedding-1"]["doing"].endswith("the embedding service asked to slow down")
    with works.database.read() as connection:
        waits = connection.execute(sa.select(schema.items).where(schema.items.c.attempts == 1)).one()
    assert 110 < (waits.available_at - utc_now()).total_seconds() <= 120, "what the provider asked for outranks our own patience"
    embedder.before = lambda: None
    worker._rests_until = 0
    assert worker._turn()


def test_a_worker_whose_embedder_cannot_be_opened_claims_nothing_and_says_why(road: Road, works: Works) -> None:
    road.import_sheet(sheet(1))
    with works.database.write() as connection:
        put_setting(connection, "embedding.embedder", "gpt", by="ann", now=utc_now())
    worker = works.worker()
    assert not worker._turn()
    worker._heart.beat()
    assert "no embedder called 'gpt'" in workers(road)["embedding-1"]["doing"]
    assert road.queue()["pending"] == 1
