"""Undo import: offered while it can be done, asked with the counts and the kept rows, shown with what it did to each."""

from __future__ import annotations

from typing import Any

import pytest

from lib.contract.events import Topic
from lib.contract.states import JobState, Operation, UndoOutcome
from tests.pages import canned, takebacks


def undone(seen: Any, **more: Any) -> Any:
    """The undo of the canned import, ended; the hub tells of it."""
    result = {"import_job_id": canned.JOB_ID, "reversed": 148, "kept": 2, "to_embed": 0, "from_cache": 148}
    facts: dict[str, Any] = {"job_id": takebacks.UNDO_JOB_ID, "arguments": {"import_job_id": canned.JOB_ID}, "result": result} | more
    job = canned.job(Operation.UNDO, facts.pop("state", JobState.SUCCEEDED), **facts)
    jobs = seen.hub.readings[Topic.JOBS]
    seen.hub.readings[Topic.JOBS] = jobs.model_copy(update={"recent": [job, *jobs.recent]})
    seen.client.jobs = [job, *seen.client.jobs]
    return seen


@pytest.mark.feature("M2")
@pytest.mark.parametrize(
    ("page", "params", "key"),
    [("Import", {}, "last"), ("Import", {"job": canned.JOB_ID}, "outcome"), ("Home", {"job": canned.JOB_ID}, "detail")],
)
def test_an_import_can_be_undone_and_says_for_how_long(visit, page, params, key):
    seen = visit(page, "idle", **params)
    assert not seen.button(f"undo_import_{key}").disabled
    assert "can be undone for another 29 d 23 h" in seen.text


@pytest.mark.feature("M2")
def test_it_is_asked_first_with_the_counts_and_the_rows_that_would_be_kept(visit):
    seen = visit("Import", "idle")
    seen.button("undo_import_last").click().run()
    assert "Undo the import of playbook.csv?" in seen.dialog_title
    assert "**148 rows** will be as before this import. **2** will be kept" in seen.text
    for key in ("KB-007", "KB-140"):
        assert f">{key}</b>" in seen.text
    assert ">KB-001</b>" not in seen.text
    assert "A safety snapshot of the index is taken first." in seen.text
    assert not seen.asked("start_undo")


@pytest.mark.feature("M2")
def test_confirmed_it_starts_once_under_a_key_and_the_url_names_its_job(visit):
    seen = visit("Import", "idle")
    seen.button("undo_import_last").click().run()
    undone(seen)
    seen.button("dialog_confirm").click().run()
    ((job_id, key),) = seen.asked("start_undo")
    assert job_id == canned.JOB_ID
    assert key
    assert seen.param("job") == takebacks.UNDO_JOB_ID


@pytest.mark.feature("M2")
@pytest.mark.parametrize("page", ["Import", "Home"])
def test_afterwards_every_row_is_listed_and_it_links_to_the_import(visit, page):
    seen = undone(visit(page, "idle"))
    seen.app.query_params["job"] = takebacks.UNDO_JOB_ID
    seen.run()
    assert f'href="/Import?job={canned.JOB_ID}"' in seen.text
    assert "Kept as they are" in seen.text
    assert "changed since, left alone" in seen.text
    assert "Rows 1–50 of 150" in seen.text
    seen.button("undo_on").click().run()
    assert "Rows 51–100 of 150" in seen.text
    assert ">KB-051</b>" in seen.text


def test_an_import_that_was_undone_offers_no_second_undo_and_links_to_the_first(visit):
    seen = visit("Import", "idle")
    seen.client.undo = takebacks.undo_report(undone_by_job=takebacks.UNDO_JOB_ID)
    undone(seen).run()
    assert not seen.has_button("undo_import_last")
    assert "This import was undone" in seen.text
    assert f'href="/Import?job={takebacks.UNDO_JOB_ID}"' in seen.text


def test_an_import_that_failed_is_not_offered(visit):
    seen = visit("Import", "idle")
    failed = canned.job(Operation.IMPORT, JobState.FAILED)
    jobs = seen.hub.readings[Topic.JOBS]
    seen.hub.readings[Topic.JOBS] = jobs.model_copy(update={"operations": canned.operations(**{"import": failed})})
    assert not seen.run().has_button("undo_import_last")


def test_the_rows_that_are_kept_are_asked_for_and_no_others(visit):
    seen = visit("Import", "idle")
    rows = [row.model_copy(update={"outcome": UndoOutcome.REVERSED}) for row in takebacks.undo_report().rows]
    seen.client.undo = takebacks.undo_report(counts={"reversed": 150, "kept": 0}, rows=rows)
    before = len(seen.asked("get_undo"))
    seen.button("undo_import_last").click().run()
    ((*_, outcome),) = seen.asked("get_undo")[before:]
    assert outcome is UndoOutcome.KEPT
    assert "Kept as they are" not in seen.text


def test_an_undo_that_was_cancelled_says_that_everything_is_as_before(visit):
    seen = undone(visit("Import", "idle"), state=JobState.CANCELLED, result={"phase": "putting back", "done": 12, "total": 150})
    seen.app.query_params["job"] = takebacks.UNDO_JOB_ID
    assert "while putting back: 12 of 150 done, all of it taken back; everything is as it was before" in seen.run().text
