"""The life of a job: begun, told, cancelled, fenced, ended once."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from lib.contract.jobs import JOB_FAILURES, JobFailure, Progress
from lib.contract.model import utc_now
from lib.contract.states import JobState, Operation
from lib.service.operations import runner
from lib.service.operations.runner import MAX_ATTEMPTS, JobContext, OperationFailed, _words_of
from lib.service.storage import jobs, schema
from lib.service.storage.database import Database
from tests.service.road import Road, sheet
from tests.service.works import Works


@pytest.fixture(autouse=True)
def _tell_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "PROGRESS_SECONDS", 0.0)


@pytest.fixture
def perform(works: Works) -> Callable[[Callable[[JobContext], Any]], None]:
    """Exports do this from now on."""

    def become(operation: Callable[[JobContext], Any]) -> None:
        works.operations[Operation.EXPORT] = operation

    return become


@pytest.fixture
def job_id(road: Road) -> str:
    """A queued export."""
    road.import_sheet(sheet(1))
    started: str = road.start("export").json()["job_id"]
    return started


def locks(database: Database) -> list[str]:
    with database.read() as connection:
        return list(connection.execute(sa.select(schema.locks.c.job_id)).scalars())


@pytest.mark.feature("X3")
def test_cancelling_a_queued_job_ends_it_at_once(road: Road, database: Database, job_id: str) -> None:
    answer = road.api.post(f"/api/jobs/{job_id}/cancel")
    assert (answer.status_code, answer.json()["state"], answer.json()["cancel_requested"]) == (202, "cancelled", True)
    assert locks(database) == []
    road.works.perform(job_id)  # the engine still has it
    job = road.job(job_id)
    assert (job["state"], job["attempt"], job["started_at"]) == ("cancelled", 0, None)
    assert road.gate("export")["allowed"]


@pytest.mark.feature("X3")
def test_cancelling_a_running_job_stops_it_at_the_next_batch_and_frees_its_lock_only_then(
    road: Road, database: Database, job_id: str, perform: Callable[..., None]
) -> None:
    seen: list[Any] = []

    def work(context: JobContext) -> dict[str, Any]:
        for batch in range(10):
            if batch == 3:
                answer = road.api.post(f"/api/jobs/{job_id}/cancel")
                seen.append((answer.status_code, answer.json()["state"], answer.json()["cancel_requested"], locks(database)))
            seen.append(batch)
            context.tell("working", batch + 1, 10)
        return {}

    perform(work)
    road.works.perform(job_id)
    assert seen == [0, 1, 2, (202, "running", True, [job_id]), 3], "the lock is held until the thread really ends"
    job = road.job(job_id)
    assert (job["state"], job["error"]) == ("cancelled", None)
    assert job["result"] == {"phase": "working", "done": 4, "total": 10}, "how far it came"
    assert job["progress"]["done"] == 4
    assert locks(database) == []


@pytest.mark.feature("X3")
def test_a_cancelled_import_leaves_everything_as_it_was(road: Road, contents: Callable[..., dict[str, str]]) -> None:
    road.fill(sheet(1, 2))
    plan = road.preview(sheet(2, 3, text="other {}"))
    before = contents("jobs", "job_log", "job_steps", "audit", "locks", "idempotency")
    job_id = road.post_import(plan["plan_id"]).json()["job_id"]
    real = road.works.operations[Operation.IMPORT]

    def cancel_first(context: JobContext) -> dict[str, Any]:
        road.api.post(f"/api/jobs/{job_id}/cancel")
        return real(context)

    road.works.operations[Operation.IMPORT] = cancel_first
    road.works.perform(job_id)
    assert road.job(job_id)["state"] == "cancelled"
    assert contents("jobs", "job_log", "job_steps", "audit", "locks", "idempotency") == before
    assert road.plan(plan["plan_id"])["state"] == "ready", "it can still be applied"


def test_an_ended_job_cannot_be_cancelled_and_says_so(road: Road, job_id: str) -> None:
    road.works.perform(job_id)
    answer = road.api.post(f"/api/jobs/{job_id}/cancel")
    assert answer.status_code == 409
    said = answer.json()["gate"]
    assert (said["reason_code"], said["holder"]) == ("job_ended", job_id)
    assert "succeeded" in said["reason_text"]
    assert road.get("/api/audit", limit=1)["items"][0]["outcome"] == "refused: job_ended"
    assert road.api.post("/api/jobs/unknown/cancel").status_code == 404


def test_a_fenced_attempt_changes_nothing(road: Road, database: Database, job_id: str, perform: Callable[..., None]) -> None:
    told: list[str] = []

    def sleep_through_a_takeover(context: JobContext) -> dict[str, Any]:
        told.append("first")
        perform(lambda _: {"by": "second"})
        road.works.runner("operations-2").perform_job(job_id)
        with pytest.raises(runner.Fenced), context.write():
            told.append("must not happen")
        with pytest.raises(runner.Fenced), context.hold_workers("for nothing"):
            told.append("must not happen")
        context.tell("too late", 1, 1)
        told.append("must not happen")
        return {"by": "first"}

    perform(sleep_through_a_takeover)
    road.works.perform(job_id)
    job = road.job(job_id)
    assert told == ["first"]
    assert (job["state"], job["attempt"], job["worker_id"], job["result"]) == ("succeeded", 2, "operations-2", {"by": "second"})
    assert job["progress"]["phase"] == "starting"
    with database.read() as connection:
        assert connection.execute(sa.select(schema.holds)).all() == []


def test_a_fenced_attempt_that_returns_normally_does_not_end_the_job_again(road: Road, job_id: str, perform: Callable[..., None]) -> None:
    def overtaken(_: JobContext) -> dict[str, Any]:
        perform(lambda _: {"by": "second"})
        road.works.runner("operations-2").perform_job(job_id)
        return {"by": "first"}

    perform(overtaken)
    road.works.perform(job_id)
    assert road.job(job_id)["result"] == {"by": "second"}
    ends = [action for action in road.get("/api/audit")["items"] if action["object_id"] == job_id and action["action"] == "end_export"]
    assert len(ends) == 1


def test_an_attempt_that_was_overtaken_does_not_end_the_job_of_the_next(
    road: Road, database: Database, job_id: str, perform: Callable[..., None]
) -> None:
    def overtaken(_: JobContext) -> dict[str, Any]:
        with database.write() as connection:
            jobs.begin_attempt(connection, job_id, worker_id="operations-2", now=utc_now())
        return {"by": "first"}

    perform(overtaken)
    road.works.perform(job_id)
    job = road.job(job_id)
    assert (job["state"], job["worker_id"], job["result"]) == ("running", "operations-2", None)
    assert locks(database) == [job_id]


def test_a_job_ends_only_once(database: Database, road: Road, job_id: str) -> None:
    with database.write() as connection:
        assert jobs.end_job(connection, job_id, state=JobState.CANCELLED, now=utc_now())
        assert not jobs.end_job(connection, job_id, state=JobState.SUCCEEDED, now=utc_now(), result={})
        assert jobs.begin_attempt(connection, job_id, worker_id="late", now=utc_now()) is None
        progress = Progress(phase="late", done=1)
        assert jobs.update_progress(connection, job_id, attempt=0, progress=progress) is None
    assert road.job(job_id)["state"] == "cancelled"


def test_a_job_that_killed_its_worker_too_often_is_interrupted(
    road: Road, database: Database, job_id: str, perform: Callable[..., None]
) -> None:
    class Killed(BaseException):
        pass

    def kill(_: JobContext) -> dict[str, Any]:
        raise Killed

    perform(kill)
    for attempt in range(1, MAX_ATTEMPTS + 1):
        with pytest.raises(Killed):
            road.works.perform(job_id)
        job = road.job(job_id)
        assert (job["state"], job["attempt"]) == ("running", attempt)
    assert locks(database) == [job_id]
    road.works.perform(job_id)
    job = road.job(job_id)
    assert (job["state"], job["error"]["code"]) == ("interrupted", "worker_lost")
    assert locks(database) == []
    lines = [line["message"] for line in road.get(f"/api/jobs/{job_id}/log")["lines"]]
    assert lines[0] == "operations-1 began"
    assert "operations-1 takes it up again (attempt 2)" in lines
    assert lines[-1].startswith("interrupted: ")


@pytest.mark.feature("X4")
def test_progress_is_told_with_rate_and_remaining_time_and_never_beyond_the_whole(
    road: Road, job_id: str, perform: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(runner.time, "monotonic", lambda: clock[0])
    seen: list[dict[str, Any]] = []

    def work(context: JobContext) -> dict[str, Any]:
        for done in range(0, 101, 10):
            context.tell("writing", done, 100)
            seen.append(road.job(job_id)["progress"])
            clock[0] += 1.0
        return {}

    perform(work)
    road.works.perform(job_id)
    assert [progress["done"] for progress in seen] == list(range(0, 101, 10))
    assert (seen[0]["rate_per_second"], seen[0]["eta_seconds"]) == (None, None), "unknown at first, not invented"
    assert (seen[5]["rate_per_second"], seen[5]["eta_seconds"]) == (10.0, 5.0)
    assert all(progress["phase"] == "writing" and progress["updated_at"] for progress in seen)


def test_most_progress_is_not_written(
    road: Road, database: Database, job_id: str, perform: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "PROGRESS_SECONDS", 0.5)
    written: list[int] = []
    real = jobs.update_progress
    monkeypatch.setattr(jobs, "update_progress", lambda *a, **k: (written.append(k["progress"].done), real(*a, **k))[1])

    def work(context: JobContext) -> dict[str, Any]:
        for done in range(1, 1001):
            context.tell("writing", done, 1000)
        return {}

    perform(work)
    road.works.perform(job_id)
    assert len(written) <= 8
    assert written[-1] == 1000, "the last word is always told"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OperationFailed(JobFailure.NOTHING_MATCHES, "No entry matches.", "Change the filter."), "nothing_matches"),
        (OSError(28, "No space left on device"), "no_space"),
        (ZeroDivisionError("by zero"), "unexpected"),
    ],
)
def test_whatever_stops_an_operation_ends_its_job_and_frees_its_lock(
    road: Road, database: Database, job_id: str, perform: Callable[..., None], error: Exception, code: str
) -> None:
    def fail(_: JobContext) -> dict[str, Any]:
        raise error

    perform(fail)
    road.works.perform(job_id)
    job = road.job(job_id)
    assert (job["state"], job["error"]["code"]) == ("failed", code)
    assert job["error"]["detail"]
    assert job["error"]["action"]
    assert job["finished_at"] is not None
    assert locks(database) == []


def test_an_unexpected_failure_tells_neither_where_files_lie_nor_what_the_database_was_told(
    road: Road, database: Database, job_id: str, perform: Callable[..., None]
) -> None:
    def fail(context: JobContext) -> dict[str, Any]:
        with context.database.read() as connection:
            connection.execute(sa.text("SELECT x FROM nowhere WHERE x = :secret"), {"secret": "hunter2"})
        return {}

    perform(fail)
    road.works.perform(job_id)
    told = road.job(job_id)["error"]["detail"]
    assert told.startswith(("OperationalError: no such table", "ProgrammingError: "))
    assert not [word for word in ("SELECT", "hunter2") if word in told]
    assert _words_of(FileNotFoundError(2, "No such file or directory", "/home/ann/x")) == "FileNotFoundError: No such file or directory"


def test_a_failure_survives_its_checkpoint() -> None:
    failure: OperationFailed = pickle.loads(pickle.dumps(OperationFailed(JobFailure.PLAN_STALE, "It moved.", "Look again.")))
    assert (failure.error.code, failure.error.detail, failure.error.action) == ("plan_stale", "It moved.", "Look again.")
    assert str(failure) == "It moved."


def test_every_failure_of_a_job_is_explained() -> None:
    assert set(JOB_FAILURES) == set(JobFailure)
    assert all(meaning.endswith(".") for meaning in JOB_FAILURES.values())
