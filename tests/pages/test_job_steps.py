"""The job page's account of time, and the same job once more."""

from __future__ import annotations

from datetime import timedelta
from html import escape
from typing import Any

import pytest

from lib.contract.events import Topic
from lib.contract.exports import ExportFilter, ExportFormat, ExportRequest, FileTarget
from lib.contract.jobs import Job, JobStep
from lib.contract.maps import MapRequest
from lib.contract.operations import SnapshotRequest
from lib.contract.states import JobState, Operation
from lib.ui.frames.again import STARTS, can_start_again
from lib.ui.frames.job_steps import describe_time
from tests.pages import canned

BEGAN = canned.ago(minutes=10)


def after(seconds: float) -> Any:
    return BEGAN + timedelta(seconds=seconds)


def step(name: str, began: float, ended: float | None, attempt: int = 1) -> JobStep:
    end = None if ended is None else after(ended)
    return JobStep(name=name, attempt=attempt, worker_id=f"operations-{attempt}", started_at=after(began), ended_at=end)


def ended(operation: Operation = Operation.REBUILD, state: JobState = JobState.SUCCEEDED, **more: Any) -> Job:
    facts = {"job_id": "0" * 32, "created_at": BEGAN, "started_at": after(2), "finished_at": after(62), "attempt": 1}
    return canned.job(operation, state).model_copy(update=facts | more)


def open_job(visit: Any, job: Job, steps: tuple[JobStep, ...] = (), scene: str = "idle") -> Any:
    seen = visit("Home", scene)
    seen.client.jobs, seen.client.steps = [job], list(steps)
    seen.app.query_params["job"] = job.job_id
    return seen.run()


def rows(seen: Any) -> list[str]:
    """The lines of the table, markup included."""
    return list(seen.text.split("What the job did when")[-1].split("<tbody>")[1].split("</tbody>")[0].split("<tr>")[1:])


@pytest.mark.feature("X5")
def test_a_job_says_how_long_it_was_in_line_and_how_long_each_step_took(visit):
    seen = open_job(visit, ended(), (step("building", 2, 32), step("publishing", 32, 62)))
    assert "What it did when: 2 s in line, then 1 min to its end" in seen.text
    waited, building, publishing = rows(seen)
    assert "waiting for a worker" in waited
    assert ">2 s<" in waited
    assert "building" in building
    assert ">30 s<" in building
    assert "operations-1" in building
    assert ">30 s<" in publishing
    assert 'class="sy-ink-busy" style="margin-left: 51.61%; width: 48.39%"' in publishing


@pytest.mark.feature("X5")
def test_a_step_in_which_the_worker_died_has_no_duration_and_says_why(visit):
    steps = (step("building", 2, None), step("building", 40, 62, attempt=2))
    seen = open_job(visit, ended(attempt=2), steps)
    _, broken, again = rows(seen)
    assert "its worker was lost here" in broken
    assert ">—<" in broken
    assert "attempt 1" in broken
    assert "lost" not in again
    assert ">22 s<" in again
    assert "attempt 2" in again
    assert "in 2 attempts" in seen.text


def test_the_step_that_goes_on_is_marked_and_counts(visit):
    job = ended(state=JobState.RUNNING, finished_at=None)
    said = describe_time(job, [step("building", 2, None)], after(30))
    assert said == "What it did when: 2 s in line, then 28 s so far"
    seen = open_job(visit, job, (step("building", 2, None),))
    assert "running" in rows(seen)[1]
    assert "lost" not in rows(seen)[1]


def test_a_job_of_before_there_were_steps_shows_none(visit):
    assert "What it did when" not in open_job(visit, ended()).text


# Once more

EXPORT = ExportRequest(target=FileTarget(format=ExportFormat.XLSX), filter=ExportFilter(text="refund"), columns=["title"])
#: operation → the inputs of its job, the client's method, and what that is given besides the key.
AGAIN: dict[Operation, tuple[dict[str, Any], str, tuple[Any, ...]]] = {
    Operation.EXPORT: (EXPORT.model_dump(mode="json"), "start_export", (EXPORT,)),
    Operation.REFRESH: ({}, "start_refresh", ()),
    Operation.REBUILD: ({}, "start_rebuild", ()),
    Operation.SNAPSHOT: ({"name": "n", "note": ""}, "start_snapshot", (SnapshotRequest(name="n", note=""),)),
    Operation.CHECK: ({}, "start_check", ()),
    Operation.MAP: (MapRequest().model_dump(), "start_map", (MapRequest(),)),
}


@pytest.mark.feature("X5")
@pytest.mark.parametrize("operation", STARTS)
def test_an_ended_job_is_started_again_with_its_own_inputs(visit, operation):
    inputs, method, given = AGAIN[operation]
    seen = open_job(visit, ended(operation, JobState.FAILED, arguments=inputs))
    seen.button("start_again").click().run()
    ((*told, key),) = seen.asked(method)
    assert tuple(told) == given
    assert key
    assert "started again" in seen.text


@pytest.mark.parametrize(
    ("job", "can"),
    [
        (ended(Operation.EXPORT, arguments={}), True),
        (ended(Operation.EXPORT, arguments={"plan_id": "p"}), False),
        (ended(Operation.REBUILD, JobState.RUNNING), False),
        (ended(Operation.IMPORT), False),
    ],
)
def test_what_is_under_way_or_follows_a_plan_cannot_be_started_again(job, can):
    assert can_start_again(job) is can


@pytest.mark.feature("X2", "M7")
def test_why_it_cannot_be_started_again_stands_beside_the_button(visit):
    seen = open_job(visit, ended(Operation.REBUILD, JobState.FAILED), scene="busy")
    jobs = seen.hub.readings[Topic.JOBS]
    gate = next(each.gate for each in jobs.operations if each.operation is Operation.REBUILD)
    assert not gate.allowed
    assert seen.button("start_again").disabled
    assert escape(gate.reason_text.rstrip(".")) in seen.text


def test_a_second_click_at_once_repeats_the_key(visit):
    seen = open_job(visit, ended(Operation.REBUILD, JobState.FAILED))
    seen.button("start_again").click().run()
    seen.button("start_again").click().run()
    (first,), (second,) = seen.asked("start_rebuild")
    assert first == second
