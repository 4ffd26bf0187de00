"""A job makes the embedding workers stand still for a moment; what people want of them is exactly as it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lib.contract.model import utc_now
from lib.contract.states import Desired, JobState, Operation, WorkerRole
from lib.contract.workers import Worker, WorkerWish
from lib.service import wishes
from lib.service.errors import GateRefused
from lib.service.operations import runner
from lib.service.operations.runner import JobContext
from lib.service.storage import changes, holds, jobs, schema
from lib.service.storage.database import Database
from lib.service.storage.items import ClaimedItem
from lib.service.workers import EmbeddingWorker
from tests.service.probes import at_every_tell, locks_and_holds, rows_of
from tests.service.road import Road, sheet
from tests.service.works import Works


def insert_running_job(database: Database, operation: Operation = Operation.IMPORT) -> str:
    job_id = uuid4().hex
    with database.write() as connection:
        jobs.insert_job(connection, job_id=job_id, operation=operation, requested_by="ann", arguments={}, now=utc_now())
        jobs.begin_attempt(connection, job_id, worker_id="operations-1", now=utc_now())
    return job_id


def take_hold(database: Database, job_id: str) -> None:
    with database.write() as connection:
        holds.take_hold(connection, job_id=job_id, operation=Operation.IMPORT, reason="while it is tested", now=utc_now())


def read_worker(database: Database, worker_id: str = "embedding-1") -> Worker:
    return next(worker for worker in wishes.list_workers(database).workers if worker.worker_id == worker_id)


def watch_claims(worker: EmbeddingWorker, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Grows whenever the worker asks for work."""
    asked: list[bool] = []

    def claim(_: str) -> tuple[str, list[ClaimedItem]]:
        asked.append(True)
        return "", []

    monkeypatch.setattr(worker, "_claim", claim)
    return asked


@pytest.mark.feature("I9")
def test_no_worker_claims_while_an_import_is_applied_and_all_go_on_afterwards(
    road: Road, works: Works, monkeypatch: pytest.MonkeyPatch
) -> None:
    road.import_sheet(sheet(1))
    plan = road.preview(sheet(2))
    worker = works.worker()
    seen: list[dict[str, Any]] = []
    real = changes.apply_plan

    def look_and_apply(*arguments: Any, **choices: Any) -> changes.Applied:
        assert not worker._turn(), "there is work, and it stands still"
        seen.extend(road.get("/api/workers")["workers"])
        return real(*arguments, **choices)

    monkeypatch.setattr(changes, "apply_plan", look_and_apply)
    job = road.apply(plan["plan_id"])
    held = seen[0]["held_by"]
    assert {"job_id": job["job_id"], "operation": "import", "reason": "while an import is applied"}.items() <= held.items()
    assert held["since"]
    assert seen[0]["desired"] == "running", "a hold is nobody's wish"
    assert read_worker(works.database).held_by is None
    assert worker._turn()
    assert road.queue()["embedded"] == 2


@pytest.mark.feature("I9")
def test_a_job_waits_until_the_batch_in_hand_is_done_and_not_for_ever(
    road: Road, works: Works, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    road.import_sheet(sheet(1))
    plan = road.preview(sheet(2))
    worker = works.worker()
    lease_id, batch = worker._claim(works.embedder.fingerprint)
    monkeypatch.setattr(runner, "HOLD_WAIT_SECONDS", 5.0)
    phases: list[str] = []

    def settle_when_waited_for(_: JobContext, phase: str) -> None:
        phases.append(phase)
        if phases.count("waiting for the workers to stand still") == 2:
            worker._embed(lease_id, batch, works.embedder)

    at_every_tell(monkeypatch, settle_when_waited_for)
    assert road.apply(plan["plan_id"])["state"] == "succeeded"
    assert phases == ["starting", *["waiting for the workers to stand still"] * 2, "applying"]

    worker._claim(works.embedder.fingerprint)  # and this one is never settled: its worker is dead
    monkeypatch.setattr(runner, "HOLD_WAIT_SECONDS", 0.1)
    assert road.import_sheet(sheet(3))["state"] == "succeeded"


@pytest.mark.feature("I9", "W3")
@pytest.mark.parametrize("verb", ["pause", "drain"])
def test_what_a_person_asks_for_during_a_hold_counts_after_it(
    road: Road, works: Works, database: Database, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    works.heart("embedding-1")
    works.heart("embedding-2")
    road.api.post("/api/workers/embedding-2/pause", json={"reason": "paused before"})
    plan = road.preview(sheet(1))

    def ask(_: JobContext, phase: str) -> None:
        if phase == "applying":
            assert read_worker(database).held_by is not None
            assert road.api.post(f"/api/workers/embedding-1/{verb}", json={"reason": "asked during"}).status_code == 202
            assert road.api.post("/api/workers/embedding-2/resume", json={"reason": "resumed during"}).status_code == 202

    at_every_tell(monkeypatch, ask)
    road.apply(plan["plan_id"])
    one, two = read_worker(database, "embedding-1"), read_worker(database, "embedding-2")
    assert (one.desired, one.desired_reason) == ({"pause": Desired.PAUSED, "drain": Desired.DRAINING}[verb], "asked during")
    assert (two.desired, two.desired_reason) == (Desired.RUNNING, "resumed during")
    assert (one.held_by, two.held_by) == (None, None)
    assert road.embed() == [], "embedding-1 is not wanted"
    assert works.embed("embedding-2") == ["advice 1"]


def cancel(road: Road, job_id: str) -> None:
    road.api.post(f"/api/jobs/{job_id}/cancel")


def fail(_road: Road, _job_id: str) -> None:
    raise OSError(5, "the disk is gone")


@pytest.mark.feature("I9")
@pytest.mark.parametrize(("how", "state"), [(cancel, "cancelled"), (fail, "failed")])
def test_a_hold_ends_with_its_job_however_it_ends(
    road: Road, database: Database, monkeypatch: pytest.MonkeyPatch, how: Callable[[Road, str], None], state: str
) -> None:
    plan = road.preview(sheet(1))

    def end(context: JobContext, phase: str) -> None:
        if phase == "applying":
            assert locks_and_holds(database)[1] == [context.job.job_id]
            how(road, context.job.job_id)

    at_every_tell(monkeypatch, end)
    assert road.apply(plan["plan_id"])["state"] == state
    assert locks_and_holds(database) == ([], [])


@pytest.mark.feature("I9")
@pytest.mark.parametrize("state", [JobState.INTERRUPTED, JobState.CANCELLED, JobState.FAILED, JobState.SUCCEEDED])
def test_a_hold_that_a_dead_process_left_ends_when_its_job_is_ended(works: Works, database: Database, state: JobState) -> None:
    works.heart()
    job_id, other = insert_running_job(database), insert_running_job(database)
    take_hold(database, job_id)
    take_hold(database, other)
    with database.write() as connection:
        jobs.end_job(connection, job_id, state=state, now=utc_now())
    assert [row["job_id"] for row in rows_of(database, schema.holds)] == [other], "and that of another job stays"


@pytest.mark.feature("I9")
def test_the_next_attempt_takes_its_hold_again_and_lets_go_of_it(road: Road, works: Works, database: Database) -> None:
    plan = road.preview(sheet(1))
    job_id = road.post_import(plan["plan_id"]).json()["job_id"]
    take_hold(database, job_id)  # as its first attempt left it when it was killed
    works.perform(job_id)
    assert road.job(job_id)["state"] == "succeeded"
    assert locks_and_holds(database) == ([], [])


@pytest.mark.feature("I9")
def test_operations_workers_are_not_held(works: Works, database: Database) -> None:
    works.heart("operations-1", WorkerRole.OPERATIONS)
    works.heart("embedding-1")
    job_id = insert_running_job(database)
    take_hold(database, job_id)
    assert read_worker(database, "operations-1").held_by is None
    held = read_worker(database).held_by
    assert held is not None
    assert held.job_id == job_id


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("wish"), st.sampled_from(Desired)),
        st.tuples(st.sampled_from(["hold", "release", "end"]), st.integers(0, 1)),
    ),
    max_size=12,
)


@pytest.mark.feature("I9", "W3")
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=STEPS)
def test_wishes_and_holds_never_touch_each_other_in_whatever_order_they_come(
    database: Database, works: Works, monkeypatch: pytest.MonkeyPatch, steps: list[tuple[str, Any]]
) -> None:
    name = f"embedding-{uuid4().hex[:8]}"
    worker = works.worker(name)
    asked = watch_claims(worker, monkeypatch)
    running = [insert_running_job(database) for _ in range(2)]
    wished: tuple[Any, ...] = (Desired.RUNNING, None, None)
    holding: list[str] = []

    def wish(desired: Desired) -> None:
        nonlocal wished
        wish = WorkerWish(reason=f"because {uuid4().hex}")
        try:
            wishes.set_desired(database, name, desired, wish, actor="bob", request_id="")
        except GateRefused:
            assert desired is wished[0], "only what is so already is refused, held or not"
        else:
            wished = (desired, "bob", wish.reason)

    def move(verb: str, which: int) -> None:
        job_id = running[which]
        if verb == "hold":
            take_hold(database, job_id)
            holding[:] = [each for each in holding if each != job_id] + [job_id]
        else:
            with database.write() as connection:
                if verb == "release":
                    holds.release_hold(connection, job_id)
                else:
                    jobs.end_job(connection, job_id, state=JobState.INTERRUPTED, now=utc_now())
            holding[:] = [each for each in holding if each != job_id]
            running[which] = insert_running_job(database) if verb == "end" else job_id

    for verb, argument in steps:
        wish(argument) if verb == "wish" else move(verb, argument)
        shown = read_worker(database, name)
        assert (shown.desired, shown.desired_by, shown.desired_reason) == wished
        assert (shown.held_by.job_id if shown.held_by else None) == (holding[0] if holding else None), "the hold that lasts longest"
        asked.clear()
        worker._turn()
        assert bool(asked) is (wished[0] is Desired.RUNNING and not holding), "it claims when it is wanted and nothing holds it"
    for which in range(2):
        move("end", which)
    assert read_worker(database, name).desired is wished[0]
