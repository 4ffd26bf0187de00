"""A file looked into, what it came to, the restore that follows, and the way back, on the Index page."""

from __future__ import annotations

import pytest

from lib.contract.events import Topic
from lib.contract.faults import Fault
from lib.contract.inspections import GoBackRequest, InspectRequest, Obstacle, RestoreRequest, SnapshotSource
from lib.contract.jobs import JobError, JobFailure
from lib.contract.states import JobState, Operation
from lib.ui.faults import ADVICE, what_to_do
from tests.pages import takebacks
from tests.pages.canned import job
from tests.pages.fake_inspections import INSPECTION_ID, inspection, refused, strange, worse


@pytest.fixture
def report(visit):
    def open_it(found=None):
        seen = visit("Index", "idle")
        if found is not None:
            seen.client.inspection = found
        seen.app.query_params["inspection"] = INSPECTION_ID
        return seen.run()

    return open_it


def test_restoring_from_the_row_begins_with_an_inspection(visit):
    seen = visit("Index", "idle")
    seen.button(f"restore_{takebacks.SNAPSHOT_ID}").click().run()
    ((request, key),) = seen.asked("start_inspection")
    assert request == InspectRequest(source=SnapshotSource(snapshot_id=takebacks.SNAPSHOT_ID))
    assert key
    assert seen.param("inspection") == INSPECTION_ID


@pytest.mark.feature("M3")
def test_the_report_says_what_would_change_and_what_the_next_refresh_does(report):
    seen = report()
    for words in ("good", "It may be served", "Rows it lacks", "Recall@10", "100.0%", "3 golden questions", "KB-001", "IDMap2,Flat"):
        assert words in seen.text, words
    assert "by itself, within moments: 35 rows." in seen.text


@pytest.mark.feature("M3", "N5")
def test_a_worse_candidate_is_flagged_and_served_only_by_whoever_types_its_name(report):
    seen = report(worse())
    for words in ("sy-box-bad", "worse", "14 of 135 unchanged rows hold another vector", "gets worse", "Who is on call?", "81.0%"):
        assert words in seen.text, words
    seen.button("restore").click().run()
    assert "The inspection found it worse than what is served." in seen.text
    assert "A safety snapshot of generation 3 is taken first: restore that one to have it back." in seen.text
    assert seen.button("dialog_confirm").disabled
    seen.typed_field().set_value("before the big clean-up").run()
    seen.button("dialog_confirm").click().run()
    ((request, key),) = seen.asked("start_restore")
    assert request == RestoreRequest(inspection_id=INSPECTION_ID, typed_name="before the big clean-up")
    assert key
    assert "Restore of “before the big clean-up” started" in seen.text


@pytest.mark.feature("N5")
def test_a_refused_file_says_why_by_name_and_has_no_way_to_be_served(report):
    seen = report(refused())
    for words in ("refused", "Its lists lie in another file, whose name it carries.", "names_another_file", "Nothing of it was kept"):
        assert words in seen.text, words
    assert seen.button("restore").disabled
    assert "It cannot be served." in seen.text
    assert not [field for field in seen.app.text_input if field.key == "inspection_text"], "there is nothing to search"


@pytest.mark.feature("N5")
def test_a_refused_file_says_what_to_do_about_it_and_a_strange_one_promises_nothing(report):
    seen = report(refused())
    assert "Do not open it elsewhere before you know who made it." in seen.text
    seen = report(strange())
    for words in ("You can look into it here. It cannot be served.", "Another model made it.", "cosine", "beside generation 4"):
        assert words in seen.text, words
    assert "If it is served" not in seen.text
    assert "its vectors have 64 components, and the model in use makes vectors of 256" in seen.text
    assert not [field for field in seen.app.text_input if field.key == "inspection_text"], "no text can be looked for in it"


def test_an_inspection_that_failed_says_why_where_its_report_would_be(visit):
    seen = visit("Index", "idle")
    error = JobError(code=JobFailure.NO_SPACE, detail="The disk of the data folder is full.", action="Make room.")
    seen.client.jobs = [job(Operation.INSPECT, JobState.FAILED, job_id="a" * 32, error=error)]
    seen.app.query_params["inspection"] = "a" * 32
    for words in ("The inspection is failed", "The disk of the data folder is full.", "There is no report"):
        assert words in seen.run().text, words


def test_one_click_is_promised_only_where_no_refresh_comes_between(report):
    sound = inspection().comparison
    assert sound is not None
    same = sound.model_copy(update={"only_in_table": 0, "only_in_file": 0, "changed": 0})
    seen = report(inspection(comparison=same))
    seen.button("restore").click().run()
    assert "A safety snapshot is taken first, and one click goes back to generation 3." in seen.text


def test_each_fault_has_its_advice():
    assert set(ADVICE) == set(Fault)


def test_what_to_do_is_about_what_is_wrong_and_not_only_about_a_missing_manifest():
    missing, other = (Obstacle(fault=fault, detail="") for fault in (Fault.NO_MANIFEST, Fault.WRONG_DIMENSION))
    assert what_to_do([]) == ""
    assert what_to_do([missing]) == ADVICE[Fault.NO_MANIFEST]
    assert what_to_do([missing, other]) == ADVICE[Fault.WRONG_DIMENSION]


def test_the_figures_say_when_another_generation_is_served_by_now(report):
    assert "beside generation 4; generation 3 is served by now, so look into it again" in report().text


def test_the_inspected_file_is_searched_and_what_the_table_lacks_is_counted(report):
    seen = report()
    seen.app.text_input(key="inspection_text").set_value("cannot log in").run()
    assert seen.asked("search_inspection") == [(INSPECTION_ID, "cannot log in", 10)]
    assert "Left out: 2 hits whose row the table does not have." in seen.text


@pytest.mark.feature("N5")
def test_one_click_goes_back_and_undo_goes_forward(visit):
    seen = visit("Index", "idle")
    assert not seen.has_button("go_back_button"), "there is nothing to go back to"
    seen.client.previous = 2
    seen = visit_again(seen)
    assert seen.button("go_back_button").label == "Go back to generation 2"
    assert "stays served until somebody presses Refresh or Rebuild" in seen.text
    seen.button("go_back_button").click().run()
    seen.button("undo_action").click().run()
    assert seen.asked("go_back") == [(GoBackRequest(generation=2, expected=3),), (GoBackRequest(generation=3, expected=2),)]


def test_a_generation_people_went_back_to_says_that_it_stays_and_what_ends_that(visit):
    seen = visit("Index", "idle")
    seen.hub.readings[Topic.INDEX] = seen.hub.readings[Topic.INDEX].model_copy(update={"turned_back": True, "unindexed": 4})
    seen.run()
    assert "Somebody went back to generation 3: it stays served, and nothing is taken in, until you press a button." in seen.text


def visit_again(seen):
    import streamlit as st

    st.cache_data.clear()
    return seen.run()


def test_looking_into_a_file_needs_one_and_says_so(visit):
    seen = visit("Index", "idle", tab="Look into a file")
    assert seen.button("start_inspection").disabled
    assert "No file has arrived yet: choose one above." in seen.text
    assert "Nothing is changed by looking." in seen.text


def test_the_job_of_an_inspection_leads_to_its_report_and_the_tab_lists_earlier_ones(visit):
    assert "Open the report" in visit("Index", "idle", job=INSPECTION_ID).text
    seen = visit("Index", "idle", tab="Look into a file")
    assert INSPECTION_ID[:8] in seen.text
