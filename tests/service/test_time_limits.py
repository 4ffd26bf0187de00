"""No job runs for ever: each operation has its time, says so, and gives its lock back when the time is over."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from lib.contract.jobs import JOB_FAILURES, JobFailure
from lib.contract.model import utc_now
from lib.contract.operations import TIMEOUT_SECONDS
from lib.contract.states import Operation
from lib.service.operations import runner
from lib.service.operations.runner import JobContext
from lib.service.storage import schema
from lib.service.storage.database import Database
from tests.service.probes import at_every_tell, locks_and_holds
from tests.service.road import Road, sheet


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> Callable[[Operation, str], None]:
    """Let the time of an operation be over once it reaches a phase."""

    def be_late(operation: Operation, phase: str) -> None:
        def look(context: JobContext, now_in: str) -> None:
            if context.job.operation is operation and now_in == phase:
                context._began = time.monotonic() - TIMEOUT_SECONDS[operation] - 1

        at_every_tell(monkeypatch, look)

    return be_late


def test_every_operation_has_a_limit_and_its_page_can_say_it(road: Road) -> None:
    assert set(TIMEOUT_SECONDS) == set(Operation)
    shown = {reading["operation"]: reading["timeout_seconds"] for reading in road.get("/api/operations")["operations"]}
    assert shown == {operation.value: seconds for operation, seconds in TIMEOUT_SECONDS.items()}
    assert all(600 <= seconds <= 7200 for seconds in shown.values())


@pytest.mark.parametrize(
    ("operation", "phase"),
    [
        (Operation.PREVIEW, "comparing"),
        (Operation.IMPORT, "applying"),
        (Operation.UNDO, "putting back"),
        (Operation.EXPORT, "writing"),
        (Operation.REBUILD, "publishing"),
        (Operation.SNAPSHOT, "saving a snapshot"),
    ],
)
def test_a_job_past_its_limit_stops_by_itself_changes_nothing_and_says_so_in_words(
    road: Road,
    database: Database,
    contents: Callable[..., dict[str, str]],
    late: Callable[[Operation, str], None],
    operation: Operation,
    phase: str,
) -> None:
    road.import_sheet(sheet(1, 2))
    road.embed()
    imported = road.get("/api/jobs", operation="import")["items"][0]["job_id"]
    plan = road.preview(sheet(2, 3, text="other {}"))
    before = contents("jobs", "job_log", "job_steps", "audit", "locks", "plans", "uploads", "snapshots")
    late(operation, phase)
    start: dict[Operation, Callable[[], object]] = {
        Operation.PREVIEW: lambda: road.start_preview(sheet(4)),
        Operation.IMPORT: lambda: road.post_import(plan["plan_id"]),
        Operation.UNDO: lambda: road.start(f"import/{imported}/undo"),
    }
    start.get(operation, lambda: road.start(operation))()
    road.works.perform_all()

    job = road.get("/api/jobs", operation=operation.value)["items"][0]
    assert (job["state"], job["error"]["code"]) == ("failed", "timed_out")
    minutes = TIMEOUT_SECONDS[operation] // 60
    assert (
        job["error"]["detail"] == f"It ran longer than the {minutes} minutes this operation may take, so it was stopped and its lock freed."
    )
    assert job["error"]["action"].startswith("Start it again")
    assert road.get(f"/api/jobs/{job['job_id']}/log")["lines"][-1]["message"] == f"failed: {job['error']['detail']}"
    assert locks_and_holds(database) == ([], [])
    assert contents("jobs", "job_log", "job_steps", "audit", "locks", "plans", "uploads", "snapshots") == before
    if operation is Operation.PREVIEW:
        made = road.plan(job["arguments"]["plan_id"])
        assert (made["state"], made["error"]["code"]) == ("failed", "timed_out")
    assert JOB_FAILURES[JobFailure.TIMED_OUT]


@pytest.mark.parametrize("jump", [timedelta(hours=3), timedelta(hours=-3)])
def test_a_clock_that_is_set_meanwhile_ends_no_job(road: Road, monkeypatch: pytest.MonkeyPatch, jump: timedelta) -> None:
    road.import_sheet(sheet(1, 2))
    road.embed()
    at_every_tell(monkeypatch, lambda *_: monkeypatch.setattr(runner, "utc_now", lambda: utc_now() + jump))
    assert road.run("rebuild")["state"] == "succeeded"


def test_the_time_counts_anew_for_an_attempt_that_takes_a_job_up_again(road: Road, database: Database) -> None:
    road.import_sheet(sheet(1))
    job_id = road.start("export").json()["job_id"]
    yesterday = utc_now() - timedelta(days=1)
    with database.write() as connection:  # the console was stopped overnight, in the middle of it
        running = {"state": "running", "attempt": 1, "worker_id": "operations-1", "started_at": yesterday}
        connection.execute(sa.update(schema.jobs).where(schema.jobs.c.job_id == job_id).values(**running))
    road.works.perform(job_id)
    job = road.job(job_id)
    assert (job["state"], job["attempt"]) == ("succeeded", 2)
    assert job["started_at"] > yesterday.isoformat()
