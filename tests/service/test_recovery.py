"""Nothing stays “running” that nobody runs, and nothing is taken from somebody who does."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from lib.contract.model import utc_now
from lib.contract.operations import TIMEOUT_SECONDS
from lib.contract.states import Actual, JobState, Operation, WorkerRole
from lib.contract.workers import STALE_AFTER_SECONDS
from lib.service.operations.runner import Fenced
from lib.service.recovery import STUCK_AFTER, Recovery
from lib.service.storage import holds, jobs, schema
from lib.service.storage.database import Database
from tests.service.probes import locks_and_holds
from tests.service.road import Road, sheet
from tests.service.works import Works

OURS = "incarnation-of-this-process"
LIMIT = timedelta(seconds=TIMEOUT_SECONDS[Operation.EXPORT])


class FakeExecutor:
    """The engine as recovery sees it: who took what, what is over; and what it was asked to do."""

    incarnation = OURS

    def __init__(self) -> None:
        self.taken: dict[str, str] = {}
        self.ended: set[str] = set()
        self.taken_over: list[set[str]] = []
        self.taken_up: list[set[str]] = []

    def list_taken(self) -> dict[str, str]:
        return dict(self.taken)

    def take_over(self, incarnations: Iterable[str]) -> None:
        self.taken_over.append(set(incarnations))

    def take_up_again(self, job_ids: Iterable[str]) -> None:
        self.taken_up.append(set(job_ids))

    def find_ended(self, job_ids: Iterable[str]) -> set[str]:
        return self.ended & set(job_ids)


@pytest.fixture
def executor() -> FakeExecutor:
    return FakeExecutor()


@pytest.fixture
def in_hand() -> list[str]:
    """The jobs this process performs."""
    return []


@pytest.fixture
def recovery(database: Database, executor: FakeExecutor, in_hand: list[str]) -> Recovery:
    return Recovery(database, executor, in_hand)  # type: ignore[arg-type]


def begin(database: Database, *, ago: timedelta = timedelta(0)) -> str:
    """An export that has run for so long, with its lock and a hold."""
    job_id, began = uuid4().hex, utc_now() - ago
    with database.write() as connection:
        jobs.insert_job(connection, job_id=job_id, operation=Operation.EXPORT, requested_by="ann", arguments={}, now=began)
        jobs.take_lock(connection, job_id=job_id, operation=Operation.EXPORT, now=began)
        jobs.begin_attempt(connection, job_id, worker_id="operations-1", now=began)
        holds.take_hold(connection, job_id=job_id, operation=Operation.EXPORT, reason="test", now=began)
    return job_id


def state_of(database: Database, job_id: str) -> str:
    with database.read() as connection:
        return str(connection.execute(sa.select(schema.jobs.c.state).where(schema.jobs.c.job_id == job_id)).scalar_one())


@pytest.mark.feature("X1")
def test_a_job_that_does_not_answer_long_after_its_limit_is_interrupted_and_its_lock_is_free(
    road: Road, database: Database, recovery: Recovery, executor: FakeExecutor, in_hand: list[str]
) -> None:
    job_id = begin(database, ago=LIMIT + STUCK_AFTER + timedelta(seconds=1))
    executor.taken[job_id] = OURS
    in_hand.append(job_id)
    recovery.recover()
    job = road.job(job_id)
    assert (job["state"], job["error"]["code"]) == ("interrupted", "interrupted")
    assert job["error"]["detail"] == "It ran past its time limit of 1:00:00 and no longer answered. Its lock is free."
    assert locks_and_holds(database) == ([], [])
    assert road.get(f"/api/jobs/{job_id}/log")["lines"][-1]["message"].startswith("interrupted: It ran past its time limit")
    trace = road.get("/api/audit", object_id=job_id)["items"][0]
    assert (trace["action"], trace["outcome"], trace["actor"], trace["after"]["code"]) == (
        "end_export",
        "interrupted",
        "ann",
        "interrupted",
    )


def test_a_job_that_wakes_up_after_it_was_interrupted_changes_nothing_more(
    road: Road, database: Database, recovery: Recovery, executor: FakeExecutor
) -> None:
    road.import_sheet(sheet(1))
    seen: list[str] = []

    def sleep_through_it(context: Any) -> dict[str, Any]:
        with database.write() as connection:
            connection.execute(sa.update(schema.jobs).values(started_at=utc_now() - LIMIT - STUCK_AFTER - timedelta(seconds=1)))
        executor.taken[context.job.job_id] = OURS
        recovery.recover()
        seen.append(state_of(database, context.job.job_id))
        with pytest.raises(Fenced), context.write():
            seen.append("must not happen")
        with pytest.raises(Fenced):
            context.tell("too late")
        return {"rows": 1}

    road.works.operations[Operation.EXPORT] = sleep_through_it
    job = road.run("export")
    assert seen == ["interrupted"]
    assert (job["state"], job["result"]) == ("interrupted", None), "its late result is dropped"


def test_a_job_within_its_limit_is_left_alone_and_so_is_one_that_still_waits(
    database: Database, recovery: Recovery, executor: FakeExecutor
) -> None:
    job_id = begin(database, ago=LIMIT + STUCK_AFTER - timedelta(seconds=5))
    executor.taken[job_id] = OURS
    with database.write() as connection:
        long_ago = utc_now() - timedelta(days=3)
        jobs.insert_job(connection, job_id="waiting", operation=Operation.EXPORT, requested_by="ann", arguments={}, now=long_ago)
    recovery.recover()
    assert (state_of(database, job_id), state_of(database, "waiting")) == ("running", "queued")


def test_a_clock_that_is_set_meanwhile_makes_no_job_stuck(
    database: Database, recovery: Recovery, executor: FakeExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = begin(database)
    executor.taken[job_id] = OURS
    recovery.recover()
    for jump in (timedelta(hours=3), timedelta(hours=-3)):
        monkeypatch.setattr("lib.service.recovery.utc_now", lambda jump=jump: utc_now() + jump)
        recovery.recover()
    assert state_of(database, job_id) == "running"


def test_what_was_left_overnight_is_taken_up_and_not_called_stuck(database: Database, recovery: Recovery, executor: FakeExecutor) -> None:
    job_id = begin(database, ago=timedelta(hours=10))
    executor.taken[job_id] = "incarnation-of-yesterday"
    recovery.recover()
    assert executor.taken_over == [{"incarnation-of-yesterday"}]
    assert state_of(database, job_id) == "running"


@pytest.mark.feature("X1")
def test_what_a_stale_or_stopped_or_vanished_worker_took_is_taken_over_and_what_a_living_one_has_is_not(
    database: Database, works: Works, recovery: Recovery, executor: FakeExecutor
) -> None:
    hearts = {name: works.heart(name, WorkerRole.OPERATIONS) for name in ("living", "stale", "stopped", "replaced")}
    hearts["stopped"].say(Actual.STOPPED)
    hearts["stopped"].beat()
    works.heart("replaced", WorkerRole.OPERATIONS)  # another process has its place by now
    with database.write() as connection:
        silent_since = utc_now() - timedelta(seconds=STALE_AFTER_SECONDS + 1)
        connection.execute(sa.update(schema.workers).where(schema.workers.c.worker_id == "stale").values(heartbeat_at=silent_since))
    executor.taken = {name: heart.incarnation for name, heart in hearts.items()} | {"mine": OURS, "orphan": "nobody-knows-it"}
    recovery.recover()
    dead = {hearts[name].incarnation for name in ("stale", "stopped", "replaced")} | {"nobody-knows-it"}
    assert executor.taken_over == [dead]
    executor.taken = {"living": hearts["living"].incarnation, "mine": OURS}
    recovery.recover()
    assert executor.taken_over == [dead], "and then there is nothing more to take over"


def test_what_this_process_took_and_dropped_is_taken_up_again_when_it_is_seen_twice(
    recovery: Recovery, executor: FakeExecutor, in_hand: list[str]
) -> None:
    executor.taken = {"performed": OURS, "dropped": OURS, "just taken": OURS}
    in_hand.append("performed")
    recovery.recover()
    assert executor.taken_up == [], "it may be on its way into our hands"
    in_hand.append("just taken")
    recovery.recover()
    assert executor.taken_up == [{"dropped"}]
    recovery.recover()
    assert executor.taken_up == [{"dropped"}], "once, not with every look"


@pytest.mark.feature("X1")
def test_a_job_the_engine_gave_up_is_interrupted_when_it_is_seen_twice(
    road: Road, database: Database, recovery: Recovery, executor: FakeExecutor
) -> None:
    given_up, ending = begin(database), begin(database)
    executor.ended = {given_up, ending}
    recovery.recover()
    assert state_of(database, given_up) == "running", "the engine may be told of its end a moment before the job"
    with database.write() as connection:
        jobs.end_job(connection, ending, state=JobState.SUCCEEDED, now=utc_now(), attempt=1, result={})
    recovery.recover()
    assert state_of(database, ending) == "succeeded"
    job = road.job(given_up)
    assert (job["state"], job["error"]["detail"]) == ("interrupted", "Its worker could not finish it. Its lock is free.")
    assert locks_and_holds(database) == ([], [])
    ends = [action for action in road.get("/api/audit")["items"] if action["action"] == "end_export"]
    assert [action["object_id"] for action in ends] == [given_up]
    recovery.recover()
    assert len(road.get(f"/api/jobs/{given_up}/log")["lines"]) == 1, "it ends once"
