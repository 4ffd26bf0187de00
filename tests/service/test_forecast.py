"""The time left: a range that holds, learned from what happened; unknown on too little evidence."""

from __future__ import annotations

import csv
import random
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from lib.contract.states import Actual
from lib.service.forecast import Range, batch_seconds, find_evidence, find_gain, forecast, forecast_from_runs
from lib.service.storage.counters import add_to_counters
from lib.service.storage.database import Database
from lib.service.storage.paces import Pace
from lib.service.storage.runs import Run
from lib.service.storage.samples import add_sample
from tests.service.probes import until
from tests.service.road import Road, sheet
from tests.service.works import Works

STEP = 5.0
RECORDED = Path(__file__).with_name("recorded_runs.csv")


class Sample(NamedTuple):
    at: float
    capacity: int
    pending: int
    leased: int
    embedded_total: int


def run(seed: int) -> list[Sample]:
    """One run, sampled every five seconds: workers that stray, warm up and stall, settling whole batches, while rows may still arrive."""
    chance = random.Random(seed)
    capacity, batch = chance.choice([1, 2, 4]), chance.choice([64, 256, 1024])
    rate, drift, noise = chance.uniform(20, 2000), chance.uniform(0.85, 1.15), chance.uniform(0.02, 0.3)
    left = backlog = int(rate * capacity * chance.uniform(240, 900))
    samples, done, debt, mood, stalled = [Sample(0.0, capacity, left, 0, 0)], 0, 0.0, 0.0, 0.0
    for step in range(1, 2000):
        mood = 0.8 * mood + chance.gauss(0, noise)
        stalled = max(0.0, stalled - STEP) if stalled else (chance.uniform(5, 20) if chance.random() < 0.004 else 0.0)
        progress = drift ** (done / backlog)
        speed = 0.0 if stalled else rate * capacity * progress * max(0.1, 1 + mood)
        debt += speed * STEP
        settled = min(left, int(debt // batch) * batch) if left > batch else left if debt >= left else 0
        debt -= settled
        left, done = left - settled, done + settled
        samples.append(Sample(step * STEP, capacity, max(0, left - batch * capacity), min(left, batch * capacity), done))
        if not left:
            return samples
    raise AssertionError("the run did not end")


@pytest.mark.feature("M11")
def test_the_actual_end_lies_in_the_shown_range_in_four_of_five_of_twenty_runs() -> None:
    held = []
    for seed in range(20):
        samples = run(seed)
        end = samples[-1].at
        for share in (0.25, 0.5, 0.75):
            known = samples[: int(len(samples) * share) + 1]
            evidence = find_evidence(known[-180:])  # type: ignore[arg-type]  # the rows have these columns
            assert evidence is not None
            shown = forecast(evidence, known[-1].pending + known[-1].leased, known[-1].capacity)
            assert shown is not None
            assert shown.high < 4 * max(shown.likely, 30), "a range that says nothing would always hold"
            held.append(shown.low <= end - known[-1].at <= shown.high)
    assert sum(held) >= 0.8 * len(held), f"{sum(held)} of {len(held)} answers held"


@pytest.mark.feature("M11")
def test_too_little_evidence_nobody_at_work_and_a_pause_say_nothing() -> None:
    samples = run(1)
    assert find_evidence(samples[:6]) is None  # type: ignore[arg-type]
    idle = [sample._replace(capacity=0) for sample in samples]
    assert find_evidence(idle) is None, "nobody worked"  # type: ignore[arg-type]
    evidence = find_evidence(samples[:40])  # type: ignore[arg-type]
    assert evidence is not None
    assert forecast(evidence, 1000, 0) is None
    paused = samples[:40] + [
        sample._replace(at=sample.at + 200, capacity=0, embedded_total=samples[39].embedded_total) for sample in samples[:40]
    ]
    again = find_evidence(paused)  # type: ignore[arg-type]
    assert again is not None
    assert again.rate == pytest.approx(evidence.rate), "standing still by somebody's wish is no evidence of slowness"


@pytest.mark.feature("M11")
def test_the_actual_end_of_twenty_recorded_imports_lies_in_the_range_that_those_before_them_gave(monkeypatch: pytest.MonkeyPatch) -> None:
    """Recorded with real workers by tests/bench/runs.py, while the machine had other things to do as well."""
    monkeypatch.setattr("lib.service.forecast.RUNS_SLACK_SECONDS", 0.0)  # a second more or less would forgive the short ones anything
    with RECORDED.open(newline="") as file:
        recorded = [Run(int(row["rows"]), int(row["workers"]), float(row["seconds"])) for row in csv.DictReader(file)]
    assert [forecast_from_runs(recorded[:count], run.rows, run.workers) for count, run in enumerate(recorded[:3])] == [None] * 3
    held = []
    for count, run in enumerate(recorded[3:], start=3):
        shown = forecast_from_runs(recorded[:count], run.rows, run.workers)
        assert shown is not None
        assert shown.high < 3 * shown.likely, "a range that says nothing would always hold"
        held.append(shown.low <= run.seconds <= shown.high)
    assert len(held) == 20
    assert sum(held) >= 16, f"{sum(held)} of 20 ranges held"


@pytest.mark.feature("M11")
def test_imports_of_one_size_or_with_other_workers_are_learned_from_too() -> None:
    same = [Run(1000, 2, seconds) for seconds in (10.0, 11.0, 9.0)]
    shown = forecast_from_runs(same, 2000, 2)
    assert shown is not None
    assert shown.likely == pytest.approx(20, rel=0.1)
    alone = forecast_from_runs([Run(1000, 2, 6.0), Run(4000, 2, 21.0), Run(2000, 1, 21.0)], 2000, 2)
    assert alone is not None
    assert (alone.likely, alone.low < 11 < alone.high) == (pytest.approx(11, rel=0.05), True)
    assert forecast_from_runs(same, 2000, 0) is None


@pytest.mark.feature("M11")
def test_after_three_imports_the_fourth_has_a_range_from_its_first_moment(road: Road, works: Works) -> None:
    def bring_in(number: int) -> dict[str, Any]:
        road.import_sheet(sheet(*range(10 * number, 10 * number + 10)))
        return road.queue()

    worker = works.worker()
    worker._heart.say(Actual.IDLE)
    worker._heart.beat()
    for number in range(3):
        assert bring_in(number)["eta_low_seconds"] is None
        while worker._turn():
            pass
    queue = bring_in(3)
    assert queue["eta_low_seconds"] < queue["eta_seconds"] < queue["eta_high_seconds"]
    assert road.get("/api/workers/forecast")["likely_seconds"] == pytest.approx(queue["eta_seconds"])


@pytest.mark.feature("M11")
def test_an_import_in_which_somebody_interfered_is_not_learned_from(road: Road, works: Works, database: Database) -> None:
    heart = works.heart()
    heart.say(Actual.IDLE)
    heart.beat()
    road.import_sheet(sheet(1, 2))
    road.api.post("/api/workers/pause", json={"reason": "tea"})
    road.api.post("/api/workers/resume", json={})
    road.import_sheet(sheet(3, 4), mode="merge")
    with database.read() as connection:
        (waiting,) = connection.execute(sa.text("SELECT waiting FROM runs WHERE ended_at IS NULL")).scalars()
    assert waiting == 4, "the second import waits for the first: together they are one run"
    road.api.post("/api/workers/pause", json={"reason": "tea"})
    with database.read() as connection:
        assert connection.execute(sa.text("SELECT COUNT(*) FROM runs")).scalar_one() == 0


@pytest.mark.feature("W7")
def test_what_another_batch_size_gains_is_read_off_what_was_measured() -> None:
    known = [Pace(rows=100, seconds=0.6, batches=10), Pace(rows=1000, seconds=1.5, batches=40)]  # 0.5 s a batch, 1 ms a row
    assert find_gain(known, 1000, 1000) == 1.0
    assert find_gain(known, 1000, 100) == pytest.approx((100 / 0.6) / (1000 / 1.5))
    assert batch_seconds(known, 4000) == pytest.approx(4.5)
    assert find_gain(known[:1], 1000, 100) is None, "one size says nothing of another"
    assert batch_seconds(known[:1], 200) == pytest.approx(1.2)
    assert find_gain([Pace(100, 0.6, 2), Pace(1000, 1.5, 2)], 1000, 100) is None, "too few batches"


@pytest.mark.feature("M11", "N5")
def test_no_time_to_being_searchable_is_promised_while_the_index_waits_for_a_person(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    road.fill(sheet(1))
    road.run("rebuild")
    road.import_sheet(sheet(1, 2))
    monkeypatch.setattr("lib.service.queue.forecast_backlog", lambda *_: Range(30.0, 40.0, 60.0))
    monkeypatch.setattr("lib.service.trace.forecast_backlog", lambda *_: Range(30.0, 40.0, 60.0))

    def promised() -> list[float | None]:
        """By the queue, by the live feed and by the row's own trail."""
        waits = road.get("/api/entries/find", query="k2")["items"][0]["entry_id"]
        told = road.get("/api/queue"), road.get("/api/telemetry/snapshot")["queue"], road.get(f"/api/entries/{waits}/trace")["turn"]
        return [each["searchable_low_seconds"] for each in told]

    assert all(promised())
    assert road.api.post("/api/index/go-back", json={}).status_code == 200
    until(lambda: promised() == [None] * 3)
    assert road.get("/api/queue")["eta_low_seconds"] == 30, "the embedding goes on"


@pytest.mark.feature("Q1", "W7", "M11")
def test_the_queue_and_the_what_if_show_ranges_once_there_is_evidence(
    api: TestClient, road: Road, works: Works, database: Database
) -> None:
    heart = works.heart()
    heart.say("idle")  # type: ignore[arg-type]
    heart.beat()
    now = time.time()
    with database.write() as connection:
        add_to_counters(connection, pending=2000, arrived_total=2000)
        for step in range(12):
            add_sample(connection, now - 60 + 5 * step)
            add_to_counters(connection, pending=-100, embedded_total=100)
    queue: dict[str, Any] = road.get("/api/queue")
    assert queue["eta_seconds"] == pytest.approx(40, rel=0.1)
    assert queue["eta_low_seconds"] < queue["eta_seconds"] < queue["eta_high_seconds"]
    assert queue["searchable_low_seconds"] is None, "the index was never refreshed: how long it takes is not known"
    as_it_is, doubled = road.get("/api/workers/forecast"), road.get("/api/workers/forecast", workers=2)
    assert as_it_is["workers"] == 1
    assert doubled["likely_seconds"] == pytest.approx(as_it_is["likely_seconds"] / 2)
    assert doubled["high_seconds"] == pytest.approx(as_it_is["likely_seconds"]), "at worst more workers on one machine gain nothing"
    other = road.get("/api/workers/forecast", batch_size=64)
    assert (other["likely_seconds"], other["why_unknown"]) == (None, "No batches of another size were measured yet.")
    assert road.get("/api/workers/forecast", workers=0)["why_unknown"] == "No worker takes rows."
    with database.write() as connection:
        add_to_counters(connection, pending=-800)
