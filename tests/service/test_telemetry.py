"""The one producer: it samples every topic, tells the end of a job at once, and nothing stops it."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from datetime import timedelta
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.testclient import TestClient

from lib.contract.events import TelemetrySnapshot, Topic
from lib.contract.model import utc_now
from lib.contract.queue import Window
from lib.contract.states import JobState, Operation
from lib.service import telemetry as telemetry_module
from lib.service.feed import VOLATILE, Feed
from lib.service.queue import STEP_SECONDS, WINDOW_SECONDS, get_queue, get_queue_history
from lib.service.storage import jobs, samples
from lib.service.storage.counters import add_to_counters
from lib.service.storage.database import Database
from lib.service.telemetry import Telemetry
from tests.service.probes import until
from tests.service.road import Road, sheet


class Listener(Feed):
    """A feed that keeps what it was offered."""

    def __init__(self) -> None:
        super().__init__()
        self.offers: list[tuple[Topic, Any, bool]] = []

    def offer(self, topic: Topic, reading: Any, *, at_once: bool = False) -> None:
        self.offers.append((topic, reading, at_once))
        super().offer(topic, reading, at_once=at_once)


@pytest.fixture
def telemetry(api: TestClient, database: Database, works: object) -> Telemetry:
    """A producer of its own beside the running one, into a feed that can be looked at."""
    search = api.app.state.services.search  # type: ignore[attr-defined]
    return Telemetry(database, Listener(), search)


def offers(telemetry: Telemetry) -> list[tuple[Topic, Any, bool]]:
    assert isinstance(telemetry._feed, Listener)
    return telemetry._feed.offers


def test_the_first_listener_finds_every_topic(telemetry: Telemetry) -> None:
    telemetry.start()
    telemetry.stop()
    assert {topic for topic, _, _ in offers(telemetry)} == set(Topic)
    assert not telemetry._thread.is_alive()


def test_the_end_of_a_job_is_told_at_once(telemetry: Telemetry, database: Database) -> None:
    with database.write() as connection:
        jobs.insert_job(connection, job_id="j", operation=Operation.EXPORT, requested_by="ann", arguments={}, now=utc_now())
    telemetry._tell_ended_jobs()
    assert offers(telemetry) == []
    with database.write() as connection:
        jobs.end_job(connection, "j", state=JobState.SUCCEEDED, now=utc_now())
    telemetry._tell_ended_jobs()
    ((topic, reading, at_once),) = offers(telemetry)
    assert (topic, at_once, reading.recent[0].state) == (Topic.JOBS, True, JobState.SUCCEEDED)
    telemetry._tell_ended_jobs()
    assert len(offers(telemetry)) == 1


@pytest.mark.feature("L3")
def test_fifty_listeners_cost_no_more_sql_than_one(telemetry: Telemetry, road: Road, database: Database) -> None:
    async def cost(listeners: int) -> int:
        streams = [telemetry._feed.stream() for _ in range(listeners)]
        for stream in streams:
            await anext(stream)
        before = database.statements
        for value in (100, 200, 300):
            road.api.put("/api/settings/embedding.batch_size", json={"value": value + listeners})
            telemetry._sample()
            for stream in streams:
                await anext(stream)
        spent = database.statements - before
        for stream in streams:
            await stream.aclose()
        return spent

    road.fill(sheet(1, 2))
    assert asyncio.run(cost(50)) == asyncio.run(cost(1)) > 0


class Clock:
    """The service's clock, which the test puts forward."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ahead_seconds = 0.0
        for name, module in list(sys.modules.items()):
            if name.startswith("lib.service") and hasattr(module, "utc_now"):
                monkeypatch.setattr(module, "utc_now", lambda: utc_now() + timedelta(seconds=self.ahead_seconds))
        monkeypatch.setattr(telemetry_module, "time", SimpleNamespace(time=self.time, monotonic=time.monotonic))

    def time(self) -> float:
        return time.time() + self.ahead_seconds


@pytest.mark.feature("L2")
def test_idle_minutes_after_work_tell_nobody_anything(telemetry: Telemetry, road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, worker = Clock(monkeypatch), road.works.worker()

    def pass_by(seconds: float) -> None:
        clock.ahead_seconds += seconds
        worker._heart.beat()
        telemetry._write_history()
        telemetry._sample()
        telemetry._feed.flush()

    pass_by(0)
    for count in (3, 8, 10):
        road.import_sheet(sheet(*range(count)))
        while worker._turn():
            pass
        pass_by(30)
    assert road.run("refresh")["state"] == "succeeded"
    for _ in range(3):
        pass_by(30)  # what is a mean of the last minute comes to rest
    before, readings = telemetry._feed.snapshot_id(), telemetry._feed.standing().readings
    (told,) = (each for each in readings[Topic.WORKERS].workers if each.worker_id == "embedding-1")  # type: ignore[attr-defined]
    assert told.recent_rates == [pytest.approx(count / 30, rel=0.2) for count in (3, 5, 2)], "there is something that could slide"
    for _ in range(40):
        pass_by(30)
    later = telemetry._feed.standing().readings
    moved = [topic for topic in Topic if _told(topic, later[topic]) != _told(topic, readings[topic])]
    assert (moved, telemetry._feed.snapshot_id()) == ([], before)


def _told(topic: Topic, reading: Any) -> Any:
    return reading.model_dump(exclude=VOLATILE[topic])


def test_an_error_nobody_foresaw_does_not_end_the_producer(telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry_module, "JOBS_SECONDS", 0.01)
    monkeypatch.setattr(telemetry_module, "SAMPLE_SECONDS", 0.01)
    real, failures = telemetry._read, []

    def fail_first() -> Any:
        if len(failures) < 3:
            failures.append(1)
            raise ZeroDivisionError("somebody's bug")
        return real()

    monkeypatch.setattr(telemetry, "_read", fail_first)
    telemetry.start()
    until(lambda: len(offers(telemetry)) >= len(Topic))
    assert telemetry._thread.is_alive()
    telemetry.stop()


@pytest.mark.feature("L5")
def test_a_snapshot_is_told_again_only_if_something_changed(road: Road) -> None:
    feed = road.api.app.state.services.feed  # type: ignore[attr-defined]
    first = road.api.get("/api/telemetry/snapshot")
    snapshot = TelemetrySnapshot.model_validate_json(first.content)
    assert first.headers["ETag"] == f'"{snapshot.last_event_id}"'
    assert snapshot.queue.pending == 0
    assert [reading.operation for reading in snapshot.jobs.operations] == list(Operation)
    asked_again = {"If-None-Match": first.headers["ETag"]}
    again = road.api.get("/api/telemetry/snapshot", headers=asked_again)
    assert (again.status_code, again.content) in ((304, b""), (200, again.content))
    road.import_sheet(sheet(1))
    feed.offer(Topic.QUEUE, get_queue(road.works.database), at_once=True)
    changed = road.api.get("/api/telemetry/snapshot", headers=asked_again)
    assert changed.status_code == 200
    assert changed.headers["ETag"] != first.headers["ETag"]
    assert json.loads(changed.content)["queue"]["pending"] == 1


# The queue's history


def sample(database: Database, at: float, **counters: int) -> None:
    with database.write() as connection:
        add_to_counters(connection, **counters)
        samples.add_sample(connection, at)


def forget(database: Database, **counters: int) -> None:
    """The counters go back: the rows they count are not there in these tests."""
    with database.write() as connection:
        add_to_counters(connection, **{name: -value for name, value in counters.items()})


@pytest.mark.feature("Q2")
def test_the_history_has_rates_and_leaves_gaps_as_gaps(database: Database) -> None:
    now = time.time()
    sample(database, now - 800, arrived_total=100, pending=100)
    sample(database, now - 790, arrived_total=50, pending=50, embedded_total=20)
    sample(database, now - 100, embedded_total=30)
    sample(database, now - 95, embedded_total=10)
    history = get_queue_history(database, Window.M15)
    forget(database, pending=150)
    assert [round(now - point.at.timestamp()) for point in history.points] == [800, 790, 100, 95], "the first sample is a point too"
    rates = [(point.arrival_per_second, point.completion_per_second) for point in history.points]
    assert rates[0] == (None, None)
    assert rates[1] == (pytest.approx(5), pytest.approx(2))
    assert rates[2] == (None, None), "over a gap a rate would be an invention"
    assert rates[3] == (0, pytest.approx(2))
    assert [point.pending for point in history.points] == [100, 150, 150, 150]


@pytest.mark.feature("Q2")
def test_every_window_has_a_tier_of_its_own_and_costs_the_same_to_read(database: Database) -> None:
    now, steps = time.time(), 8 * 24 * 3600 // samples.SAMPLE_SECONDS
    with database.write() as connection:  # the longest window, sampled for eight days, the last hour at full pace
        for number in range(steps):
            at = now - (steps - number) * samples.SAMPLE_SECONDS
            if number % 96 == 0 or number > steps - 750:
                samples.add_sample(connection, at)
    for window in Window:
        history = get_queue_history(database, window)
        assert history.step_seconds == STEP_SECONDS[window]
        assert len(history.points) <= samples.KEEP_STEPS
        begins = history.taken_at.timestamp() - WINDOW_SECONDS[window]
        assert history.points[0].at.timestamp() == pytest.approx(begins, abs=2 * history.step_seconds)
        assert all(before.at < after.at for before, after in pairwise(history.points))
    with database.read() as connection:
        kept = connection.exec_driver_sql("SELECT step_seconds, COUNT(*), MIN(at) FROM queue_samples GROUP BY step_seconds").all()
    assert {step for step, _, _ in kept} == set(samples.STEPS)
    for step, count, oldest in kept:
        assert count <= samples.KEEP_STEPS + 1
        assert oldest >= now - (samples.KEEP_STEPS + 1) * step
    assert now - min(oldest for _, _, oldest in kept) >= 7 * 24 * 3600, "a week is kept"


@pytest.mark.feature("Q2")
def test_a_backlog_that_came_and_went_between_two_coarse_samples_is_not_lost(database: Database) -> None:
    now = time.time()
    sample(database, now - 480)
    sample(database, now - 200, pending=900, arrived_total=900)
    sample(database, now, pending=-900, embedded_total=900)
    history = get_queue_history(database, Window.H24)
    assert [point.pending for point in history.points] == [0, 900]
    assert history.points[1].completion_per_second == pytest.approx(900 / 480, rel=0.01)


@pytest.mark.feature("Q1")
def test_rates_are_means_of_the_last_minute_or_unknown(database: Database) -> None:
    now = time.time()
    assert get_queue(database).arrival_per_second is None, "unknown, not zero"
    sample(database, now - 60, pending=600, arrived_total=600)
    with database.write() as connection:
        add_to_counters(connection, pending=-120, embedded_total=120)
    queue = get_queue(database)
    assert queue.completion_per_second == pytest.approx(2, rel=0.05)
    assert queue.arrival_per_second == pytest.approx(0, abs=0.01)
    assert queue.eta_seconds is None, "one minute says too little of the rest"
    forget(database, pending=480)


def test_after_a_long_silence_the_rates_are_unknown(database: Database) -> None:
    sample(database, time.time() - 400, arrived_total=600)
    assert get_queue(database).arrival_per_second is None
