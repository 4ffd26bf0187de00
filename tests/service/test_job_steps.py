"""What a job did when: steps that meet, attempts that broke off, and waits that are one step however long they count."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from lib.contract.jobs import QUOTA_WAIT
from lib.contract.states import Operation
from lib.service.operations import runner
from lib.service.operations.runner import JobContext
from lib.service.storage import schema
from lib.service.storage.database import Database
from lib.service.storage.job_steps import MOST_STEPS
from tests.service.probes import rows_of
from tests.service.road import Road, sheet


@pytest.fixture(autouse=True)
def _tell_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "PROGRESS_SECONDS", 0.0)


@pytest.fixture
def job_id(road: Road) -> str:
    """A queued export."""
    road.import_sheet(sheet(1))
    return str(road.start("export").json()["job_id"])


def perform(road: Road, job_id: str, operation: Callable[[JobContext], Any]) -> list[dict[str, Any]]:
    """The job does this; its steps afterwards."""
    road.works.operations[Operation.EXPORT] = operation
    road.works.perform(job_id)
    return list(road.get(f"/api/jobs/{job_id}/steps")["steps"])


@pytest.mark.feature("X4", "X5")
def test_each_step_ends_where_the_next_begins_and_the_last_with_the_job(road: Road) -> None:
    road.import_sheet(sheet(1))
    job = road.apply(road.preview(sheet(1, 2))["plan_id"])
    steps = road.get(f"/api/jobs/{job['job_id']}/steps")["steps"]
    assert [step["name"] for step in steps] == ["starting", "applying"]
    assert {(step["attempt"], step["worker_id"]) for step in steps} == {(1, "operations-1")}
    assert [step["ended_at"] for step in steps] == [*(step["started_at"] for step in steps[1:]), job["finished_at"]]
    assert road.api.get("/api/jobs/unknown/steps").status_code == 404


def test_a_job_that_nobody_has_taken_up_has_no_step(road: Road, job_id: str) -> None:
    assert road.get(f"/api/jobs/{job_id}/steps")["steps"] == []


@pytest.mark.feature("X5")
def test_a_step_in_which_the_worker_died_has_no_end_and_the_next_attempt_begins_anew(road: Road, job_id: str) -> None:
    class Killed(BaseException):
        pass

    def work(context: JobContext) -> dict[str, Any]:
        context.tell("writing", 1, 2)
        if context.attempt == 1:
            raise Killed
        return {}

    with pytest.raises(Killed):
        perform(road, job_id, work)
    steps = perform(road, job_id, work)
    assert [(step["name"], step["attempt"], step["ended_at"] is None) for step in steps] == [
        ("starting", 1, False),
        ("writing", 1, True),
        ("starting", 2, False),
        ("writing", 2, False),
    ]


@pytest.mark.feature("X4")
def test_a_wait_that_counts_seconds_down_is_one_step_and_telling_more_of_one_adds_none(road: Road, job_id: str) -> None:
    def work(context: JobContext) -> dict[str, Any]:
        for done in range(5):
            context.tell("writing", done, 10)
        for left in (3, 2, 1):
            context.tell(f"{QUOTA_WAIT}: {left} s", 4, 10)
        context.tell("writing", 5, 10)
        return {}

    assert [step["name"] for step in perform(road, job_id, work)] == ["starting", "writing", QUOTA_WAIT, "writing"]


def test_of_very_many_steps_the_last_are_told(road: Road, job_id: str) -> None:
    def work(context: JobContext) -> dict[str, Any]:
        for number in range(MOST_STEPS + 5):
            context.tell(f"part {number}")
        return {}

    steps = perform(road, job_id, work)
    assert (len(steps), steps[-1]["name"]) == (MOST_STEPS, f"part {MOST_STEPS + 4}")


def test_steps_go_with_their_job(road: Road, database: Database, job_id: str) -> None:
    perform(road, job_id, lambda _: {})
    with database.write() as connection:
        connection.execute(sa.delete(schema.jobs).where(schema.jobs.c.job_id == job_id))
    assert job_id not in {step["job_id"] for step in rows_of(database, schema.job_steps)}
