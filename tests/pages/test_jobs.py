"""One job behind its permalink, the history with its filters, and the audit."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import streamlit as st

from lib.contract.events import Topic
from lib.contract.jobs import JOB_FAILURES, JobError, JobFailure
from lib.contract.operations import Reason
from lib.contract.states import JobState, Operation
from lib.ui.frames.job_detail import time_limit
from tests.pages import canned, scenes

RUNNING = "f" * 32


@pytest.mark.feature("X5")
def test_the_permalink_shows_inputs_counts_log_and_what_was_done_to_it(visit):
    seen = visit("Home", "idle")
    job = canned.job(
        Operation.IMPORT, JobState.SUCCEEDED, arguments={"plan_id": canned.PLAN_ID, "policy": "skip"}, result=canned.IMPORT_RESULT
    )
    jobs = seen.hub.readings[Topic.JOBS]
    seen.hub.readings[Topic.JOBS] = jobs.model_copy(update={"recent": [job]})
    seen.client.audit = [entry.model_copy(update={"object_id": canned.JOB_ID}) for entry in seen.client.audit[:1]]
    seen.app.query_params["job"] = canned.JOB_ID
    seen.run()
    for words in (
        "Job cccccccc",
        f'href="/Import?plan={canned.PLAN_ID}"',
        "<span>policy</span><span>skip</span>",
        "<span>new</span><span>148</span>",
    ):
        assert words in seen.text
    assert "read 150 records" in seen.text
    assert "Actions on this job" in seen.text
    assert seen.asked("list_audit") == [(10, None, canned.JOB_ID)]


def test_home_itself_shows_the_job_of_its_link(visit):
    seen = visit("Home", "busy", job=RUNNING)
    assert f"Job {RUNNING[:8]}" in seen.text
    assert "Log, oldest line first" in seen.text
    assert "adding vectors · 61,440 of 99,976 · 20,480/s · about 2 s left" in [bar.proto.text for bar in seen.app.get("progress")]
    seen.button("close_job").click().run()
    assert "Log, oldest line first" not in seen.text


@pytest.mark.feature("X4")
def test_the_time_limit_is_said_in_words(visit):
    assert "It is stopped by itself after 60 minutes" in visit("Home", "busy", job=RUNNING).text


@pytest.mark.parametrize(("operation", "words"), [(Operation.PREVIEW, "30 minutes"), (Operation.IMPORT, "60 minutes")])
def test_each_operation_has_its_own_time_limit(visit, operation, words):
    visit("Home", "silent")
    assert words in time_limit(operation)


@pytest.mark.parametrize("code", [JobFailure.TIMED_OUT, JobFailure.NO_SPACE, "of_a_newer_service"])
def test_an_error_says_what_happened_what_it_means_and_what_to_do(visit, code):
    seen = visit("Home", "idle")
    job = canned.job(Operation.REBUILD, JobState.FAILED, error=JobError(code=code, detail="It broke at row 7.", action="Mend row 7."))
    seen.client.jobs = [job.model_copy(update={"job_id": "0" * 32})]
    seen.app.query_params["job"] = "0" * 32
    seen.run()
    for words in ("It broke at row 7.", "Mend row 7.", f'<span class="sy-code">{code}</span>'):
        assert words in seen.text
    if code in set(JobFailure):
        assert JOB_FAILURES[JobFailure(code)].replace("'", "&#x27;") in seen.text


def test_a_job_asked_to_stop_says_cancelling_before_the_service_has_told_everybody(visit):
    seen = visit("Home", "busy")
    assert "cancelling…" not in seen.text
    seen.button(f"running_cancel_{RUNNING}").click().run()
    seen.button("dialog_confirm").click().run()
    assert "cancelling…" in seen.text
    assert "what it holds stays locked until it has really ended" in seen.text
    assert not seen.has_button(f"running_cancel_{RUNNING}")


def test_a_job_somebody_else_asked_to_stop_says_so_too(visit):
    seen = visit("Home", "busy")
    jobs = seen.hub.readings[Topic.JOBS]
    asked = jobs.active[0].model_copy(update={"cancel_requested": True})
    seen.hub.readings[Topic.JOBS] = jobs.model_copy(update={"active": [asked]})
    assert "cancelling…" in seen.run().text


def history(seen: Any) -> list[tuple[Any, ...]]:
    return [call for call in seen.asked("list_jobs") if call[2] == 25]


@pytest.mark.feature("X5")
def test_every_filter_of_the_history_comes_from_the_link(visit):
    seen = visit("Home", "failed", operation="Export", state="failed", person="Maria", period="24 hours")
    operation, state, _, _, person, since = history(seen)[-1]
    assert (operation, state, person) == (Operation.EXPORT, JobState.FAILED, "Maria")
    assert timedelta(hours=23, minutes=59) < canned.now() - since < timedelta(hours=24, minutes=1)
    assert "No job matches." in seen.text


def test_filters_nobody_knows_show_everything(visit):
    seen = visit("Home", "failed", operation="Dance", period="yesterday")
    assert history(seen)[-1][:2] == (None, None)
    assert history(seen)[-1][5] is None


@pytest.mark.feature("X5")
def test_the_history_is_paged(visit):
    seen = visit("Home", "idle")
    seen.client.jobs = [canned.job(Operation.EXPORT, JobState.SUCCEEDED, job_id=f"{number:032}") for number in range(60)]
    seen.hub.readings = scenes.failed_readings()
    seen.run()
    assert "Jobs 1–25 of 60" in seen.text
    seen.button("jobs_on").click().run()
    seen.button("jobs_on").click().run()
    assert "Jobs 51–60" in seen.text
    assert not seen.has_button("jobs_on")
    seen.button("jobs_back").click().run()
    assert "Jobs 26–50" in seen.text


@pytest.mark.feature("X5")
def test_the_history_counts_each_state_and_a_count_shows_only_those(visit):
    seen = visit("Home", "idle")
    ends = [JobState.SUCCEEDED] * 3 + [JobState.FAILED] * 2
    seen.client.jobs = [canned.job(Operation.EXPORT, state, job_id=f"{number:032}") for number, state in enumerate(ends)]
    seen.hub.readings = scenes.failed_readings()
    seen.run()
    assert [seen.button(f"jobs_{each}").label for each in ("all", "succeeded", "failed")] == ["all 5", "succeeded 3", "failed 2"]
    assert not seen.has_button("jobs_cancelled")
    seen.button("jobs_failed").click().run()
    assert history(seen)[-1][1] is JobState.FAILED
    assert "Jobs 1–2 of 2" in seen.text
    assert seen.button("jobs_all").label == "all 5"
    seen.button("jobs_all").click().run()
    assert "Jobs 1–5 of 5" in seen.text


@pytest.mark.feature("X6")
def test_the_audit_is_filtered_from_the_link_and_offered_as_a_file(visit):
    seen = visit("Settings", "idle", tab="Audit", object="embedding-2")
    assert seen.asked("list_audit") == [(50, None, "embedding-2")]
    assert "pause worker" in seen.text
    assert "put setting" not in seen.text
    assert 'href="/api/audit/file?ticket=t1cket" download' in seen.text
    assert seen.asked("create_ticket") == [("GET", "/api/audit/file")]


def test_an_audit_filter_that_matches_nothing_says_so(visit):
    assert "No action matches." in visit("Settings", "idle", tab="Audit", object="nobody").text


def test_the_audit_is_paged(visit):
    seen = visit("Settings", "idle", tab="Audit")
    seen.client.audit = canned.audit() * 15
    st.cache_data.clear()
    seen.run()
    assert "Actions 1–50 of 60" in seen.text
    seen.button("audit_on").click().run()
    assert "Actions 51–60 of 60" in seen.text


def test_the_audit_file_is_not_offered_while_nothing_could_answer(visit):
    seen = visit("Settings", "offline", tab="Audit")
    assert "Download as CSV: not while the service does not answer." in seen.text


def test_the_state_bar_names_whom_the_service_takes_us_for(visit):
    assert "<b>local admin</b> · admin" in visit("Home", "idle").text
    assert "<b>—</b>" in visit("Home", "silent").text


def test_refusals_stand_out_in_the_audit(visit):
    assert f"refused: {Reason.OPERATION_RUNNING}" in visit("Settings", "idle", tab="Audit").text
