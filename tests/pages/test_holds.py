"""Workers that stand still for a job: shown where it is felt, apart from a person's pause, which is named first."""

from __future__ import annotations

from typing import Any

import pytest

from lib.contract.events import Topic
from lib.contract.jobs import Progress
from lib.contract.states import Actual, Desired, JobState, Operation
from lib.ui import marks
from tests.pages import canned, takebacks


def hold(seen: Any, **more: Any) -> Any:
    """Both embedding workers stand still while the canned import is applied."""
    reading = seen.hub.readings[Topic.WORKERS]
    held = [
        worker.model_copy(
            update={"held_by": takebacks.hold(), "actual": Actual.PAUSED} | (more if worker.worker_id == "embedding-2" else {})
        )
        for worker in reading.workers[:2]
    ]
    seen.hub.readings[Topic.WORKERS] = reading.model_copy(update={"workers": [*held, *reading.workers[2:]]})
    return seen.run()


@pytest.mark.feature("I9")
def test_a_held_worker_names_the_job_and_that_it_goes_on_by_itself(visit):
    seen = hold(visit("Workers", "idle"))
    assert "</span>held by a job</span>" in seen.text
    assert "Stands still while an import is applied" in seen.text
    assert f'<a href="/?job={canned.JOB_ID}" target="_self">import</a>' in seen.text
    assert "It goes on as it was." in seen.text
    assert "Wanted <b>running</b>" not in seen.text


@pytest.mark.feature("I9")
def test_a_persons_pause_is_named_first_and_the_worker_stays_paused(visit):
    person = {
        "desired": Desired.PAUSED,
        "desired_by": "Maria",
        "desired_reason": "key is being replaced",
        "desired_since": canned.ago(minutes=3),
    }
    seen = hold(visit("Workers", "idle"), **person)
    row = next(html.proto.body for html in seen.app.get("html") if "Paused by Maria" in html.proto.body)
    assert row.index("Paused by Maria") < row.index("Stands still while an import is applied")
    assert "</span>paused</span>" in row
    assert marks.HELD_FOR_JOB.word not in row


@pytest.mark.feature("I9")
@pytest.mark.parametrize("page", ["Import", "Index"])
def test_it_is_felt_and_so_said_on_import_and_index(visit, page):
    params = {"plan": canned.PLAN_ID} if page == "Import" else {}
    seen = hold(visit(page, "idle", **params))
    assert "2 embedding workers stand still while an import is applied" in seen.text
    assert "They go on as they were." in seen.text


def test_only_those_that_people_want_to_run_are_counted(visit):
    seen = hold(visit("Index", "idle"), desired=Desired.PAUSED)
    assert "1 embedding worker stands still while an import is applied" in seen.text


def test_the_card_of_the_job_that_holds_them_says_it_once(visit):
    seen = visit("Import", "idle")
    running = canned.job(Operation.IMPORT, JobState.RUNNING, progress=Progress(phase="applying", done=0, total=120))
    jobs = seen.hub.readings[Topic.JOBS]
    seen.hub.readings[Topic.JOBS] = jobs.model_copy(update={"active": [running]})
    seen.app.query_params["job"] = canned.JOB_ID
    assert hold(seen).text.count("stand still while an import is applied") == 1


@pytest.mark.feature("I9")
def test_the_apply_step_says_beforehand_that_workers_stand_still_for_a_moment(visit):
    seen = visit("Import", "idle", plan=canned.PLAN_ID)
    assert "stand still for a moment while it is applied, then go on as they were: a worker that a person paused stays paused" in seen.text
