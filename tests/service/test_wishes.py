"""Pausing, draining and resuming several workers: exactly those that were shown, or none; and a drain that has a deadline."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from lib.contract.model import utc_now
from lib.contract.states import Actual, FailureCause
from lib.service.storage import paces, schema
from lib.service.storage import workers as rows
from lib.service.storage.database import Database
from lib.service.wishes import end_overdue_drains, read_workers
from tests.service.road import Road, sheet
from tests.service.works import FakeEmbedder, Works

NAMES = ("embedding-1", "embedding-2", "embedding-3")


@pytest.fixture
def crew(road: Road, works: Works) -> Road:
    for name in NAMES:
        works.heart(name)
    return road


def wish(road: Road, verb: str, **body: Any) -> Any:
    return road.api.post(f"/api/workers/{verb}", json=body)


def desired(road: Road) -> list[str]:
    return [worker["desired"] for worker in road.get("/api/workers")["workers"] if worker["role"] == "embedding"]


def as_shown(**changed: str) -> dict[str, str]:
    return dict.fromkeys(NAMES, "running") | {name.replace("_", "-"): value for name, value in changed.items()}


@pytest.mark.feature("W3")
def test_pause_all_is_refused_when_one_of_them_is_not_what_was_shown_and_then_nothing_changes(crew: Road) -> None:
    crew.api.post("/api/workers/embedding-2/drain", json={"reason": "its disk"})
    answer = wish(crew, "pause", reason="tea", expected=as_shown())
    gate = answer.json()["gate"]
    assert (answer.status_code, gate["reason_code"], gate["holder"]) == (409, "changed_since_shown", "embedding-2")
    assert desired(crew) == ["running", "draining", "running"]
    assert wish(crew, "pause", expected={"embedding-1": "running"}).json()["gate"]["reason_text"].startswith("embedding-2 has come since")
    assert wish(crew, "pause", reason="tea", expected=as_shown(embedding_2="draining")).status_code == 202
    assert desired(crew) == ["paused"] * 3


@pytest.mark.feature("W3")
def test_a_selection_is_paused_and_what_was_so_already_keeps_who_and_why(crew: Road) -> None:
    wish(crew, "pause", worker_ids=["embedding-2"], reason="first")
    wish(crew, "pause", worker_ids=["embedding-2", "embedding-3"], reason="second")
    reasons = {worker["worker_id"]: worker["desired_reason"] for worker in crew.get("/api/workers")["workers"]}
    assert [reasons[name] for name in NAMES] == [None, "first", "second"]
    assert wish(crew, "pause", worker_ids=["embedding-1", "nobody"]).status_code == 404
    assert desired(crew) == ["running", "paused", "paused"]


@pytest.mark.feature("M14")
def test_what_was_wished_is_pinned_to_the_shift_log_once_for_all_of_them(crew: Road) -> None:
    wish(crew, "pause", reason="the disk is being replaced")
    crew.api.post("/api/workers/embedding-1/resume", json={})
    told = [(entry["kind"], entry["text"]) for entry in crew.get("/api/shift")["entries"]]
    assert told == [("resume", "Resumed embedding-1"), ("pause", "Paused 3 workers: the disk is being replaced")]


@pytest.mark.feature("W4")
def test_a_drain_returns_at_once_tells_what_is_in_hand_and_is_called_off_by_a_resume(
    crew: Road, works: Works, embedder: FakeEmbedder
) -> None:
    crew.import_sheet(sheet(*range(6)))
    crew.api.put("/api/settings/embedding.batch_size", json={"value": 2})
    worker = works.worker()
    worker._turn()  # from now on its pace is known
    seen: list[dict[str, Any]] = []

    def look() -> None:
        if seen:
            return
        assert crew.api.post("/api/workers/embedding-1/drain", json={"deadline_seconds": 600}).status_code == 202
        worker._heart.beat()
        worker.renew()
        worker._heart.beat()
        seen.append(next(each for each in crew.get("/api/workers")["workers"] if each["worker_id"] == "embedding-1"))

    embedder.before = look
    worker._turn()
    (drained,) = seen
    assert (drained["actual"], drained["holding"]) == ("draining", 2)
    assert drained["doing"].startswith("embedding 2 rows, batch 2 of about ")
    assert drained["batch_ends_at"] is not None
    assert drained["drain_ends_at"] is not None
    assert not worker._turn(), "it takes no more"
    assert crew.api.post("/api/workers/embedding-1/resume", json={"expected": "draining"}).json()["drain_ends_at"] is None
    assert worker._turn()


@pytest.mark.feature("W4")
def test_what_is_not_finished_by_the_deadline_goes_back_and_its_late_result_is_dropped(
    road: Road, works: Works, database: Database, embedder: FakeEmbedder
) -> None:
    road.import_sheet(sheet(1, 2))
    late, other = works.worker("embedding-1"), works.worker("embedding-2")

    def pass_the_deadline() -> None:
        if embedder.embedded:
            return
        road.api.post("/api/workers/embedding-1/drain", json={"deadline_seconds": 5})
        end_overdue_drains(database)
        assert road.queue()["leased"] == 2, "not yet"
        with database.write() as connection:
            connection.execute(sa.update(schema.workers).values(drain_ends_at=utc_now()))
        end_overdue_drains(database)
        end_overdue_drains(database)
        with database.read() as connection:
            assert connection.execute(sa.select(schema.items.c.attempts).distinct()).scalar_one() == 0, "it was not given the time"
        embedder.embedded.append("")
        assert other._turn()

    embedder.before = pass_the_deadline
    late._turn()
    assert (road.queue()["embedded"], road.queue()["leased"]) == (2, 0)
    processed = {worker["worker_id"]: worker["processed"] for worker in road.get("/api/workers")["workers"]}
    assert processed == {"embedding-1": 0, "embedding-2": 2}
    ended = [entry for entry in road.get("/api/audit")["items"] if entry["action"] == "end_drain"]
    assert [(entry["object_id"], entry["after"]) for entry in ended] == [("embedding-1", {"returned": 2})]


@pytest.mark.feature("W5")
def test_a_worker_s_rates_of_a_quarter_of_an_hour_have_gaps_where_nothing_was_sampled(works: Works, database: Database) -> None:
    works.heart()
    now = utc_now().timestamp()
    with database.write() as connection:
        for ago, processed in ((300, 0), (270, 60), (240, 180), (60, 540), (30, 540)):
            rows.add_processed(connection, worker_id="embedding-1", processed=0, failed=0)
            connection.execute(sa.update(schema.workers).values(processed=processed))
            paces.sample_workers(connection, now - ago)
        paces.sample_workers(connection, now - 20)  # too soon: not sampled
    with database.read() as connection:
        (worker,) = read_workers(connection).workers
    assert worker.recent_rates == [pytest.approx(2), pytest.approx(4), None]
    assert worker.rate_15m_per_second == pytest.approx(540 / 240)
    assert worker.worked_at is not None
    assert now - worker.worked_at.timestamp() == pytest.approx(60, abs=0.01)
    with database.write() as connection:
        for turn in range(100):
            paces.sample_workers(connection, now + 30 * turn)
        kept = connection.execute(sa.select(sa.func.count()).select_from(schema.worker_samples)).scalar_one()
        assert kept < 4 + 34, "pruned, but for the quarter of an hour of its last work"
    with database.read() as connection:
        (later,) = read_workers(connection).workers
    assert later.recent_rates == worker.recent_rates, "an idle worker keeps what it showed when it last worked"


@pytest.mark.feature("W5")
def test_the_last_failure_of_a_worker_is_told(road: Road, embedder: FakeEmbedder) -> None:
    road.import_sheet(sheet(1))
    embedder.fail("advice 1", FailureCause.TEXT_TOO_LONG)
    road.embed()
    (worker,) = road.get("/api/workers")["workers"]
    assert (worker["last_failure_cause"], worker["actual"]) == ("text_too_long", Actual.STARTING)
    assert worker["last_failure_at"]
