"""Home in every situation it can meet."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qsl

import pytest
from streamlit.testing.v1 import AppTest

from lib.contract.events import Topic
from lib.contract.index import LastCheck
from lib.contract.states import FailureCause, JobState, Operation
from lib.contract.visits import FailuresOfCause, JobsOfKind, Visit
from lib.ui.findings import Readings
from lib.ui.frames.drift import drift_tiles
from lib.ui.frames.overview import explain_verdict
from lib.ui.frames.visits import visit_lines, whose_visit
from lib.ui.rules import find_findings, find_quiet_rules
from lib.ui.stages import find_stages
from tests.pages import scenes
from tests.pages.canned import JOB_ID, ago, index_reading, now

NEWS = Visit(
    since=ago(days=1),
    jobs=[
        JobsOfKind(operation=Operation.IMPORT, state=JobState.SUCCEEDED, count=1),
        JobsOfKind(operation=Operation.IMPORT, state=JobState.FAILED, count=1),
        JobsOfKind(operation=Operation.EXPORT, state=JobState.SUCCEEDED, count=1),
    ],
    rows_new=12,
    rows_changed=3,
    rows_removed=1,
    failures=[FailuresOfCause(cause=FailureCause.QUOTA, count=4, is_new=True)],
    settings=["export.keep_days"],
    taken_at=now(),
)


def test_a_fresh_installation_offers_the_sample_sheet_and_ticks_what_is_done(visit):
    seen = visit("Home", "fresh")
    assert "First steps" in seen.text
    assert "nothing imported yet" in seen.text
    assert seen.text.count('data-icon="radio_button_unchecked"') >= 3
    assert "Load the sample sheet" in seen.text


@pytest.mark.feature("H4")
def test_the_first_steps_tick_themselves_and_go_when_all_are_done(visit):
    assert "check_circle" in visit("Home", "fresh").text.split("Workers are running")[0].rsplit("sy-badge", 1)[1]
    assert "First steps" not in visit("Home", "idle").text


def test_the_sample_link_uploads_the_sample_and_shows_its_columns(visit):
    seen = visit("Import", "fresh", upload="sample")
    assert seen.asked("upload_file") == [("playbook.csv",)]
    assert "What each column is" in seen.text


@pytest.mark.feature("H1")
def test_the_strip_shows_five_stages_with_count_state_age_and_link_and_one_verdict_with_its_why(visit):
    seen = visit("Home", "idle")
    for words in ("rows read", "entries", "waiting", "vectors", "rows written"):
        assert words in seen.text
    for state in ("imported", "kept", "empty", "up to date", "exported", "all well"):
        assert f"</span>{state}</span>" in seen.text
    for label in ("Show this import", "Export the table", "Open the queue", "Search the index", "Show this export"):
        assert label in seen.text
    assert "4 min ago" in seen.text
    assert "No rule fired" in seen.text
    links = {link.proto.label: (link.proto.page, dict(parse_qsl(link.proto.query_string))) for link in seen.app.get("page_link")}
    assert links["Show this import"] == ("Import", {"job": JOB_ID})
    assert links["Show this export"] == ("Export", {"job": "e" * 32})


@pytest.mark.feature("H1")
def test_the_verdict_names_every_rule_that_fired_with_its_evidence_and_those_that_found_nothing():
    known = {topic.value: reading for topic, reading in scenes.failed_readings().items() if topic is not Topic.SHIFT}
    readings = Readings(**known, now=now())
    why = explain_verdict(readings, find_findings(readings))
    assert why.index("These rules fired") < why.index("embedding-2 is paused") < why.index("found nothing")
    assert "key is being replaced" in why
    assert "A worker of each role is alive." in why.split("found nothing")[1]
    unknown = replace(readings, workers=None, queue=None)
    assert "worker" not in "".join(find_quiet_rules(unknown)).lower()


@pytest.mark.feature("H1", "M11")
def test_the_strip_says_how_long_the_queue_still_takes_as_a_range_and_nothing_when_that_is_unknown(visit):
    assert "about 18 s to 26 s left" in visit("Home", "busy").text
    known = {topic.value: reading for topic, reading in scenes.busy_readings().items() if topic is not Topic.SHIFT}
    unknown = known["queue"].model_copy(update={"eta_seconds": None, "eta_low_seconds": None, "eta_high_seconds": None})
    queue = next(stage for stage in find_stages(Readings(**known | {"queue": unknown}, now=now())) if stage.name == "Queue")
    assert "oldest waits" in queue.note
    assert "left" not in queue.note


@pytest.mark.feature("H3")
def test_what_is_new_since_the_last_visit_is_told_once_there_was_one(visit):
    assert "Since you last looked" not in visit("Home", "idle").text
    told = " ".join(visit_lines(NEWS))
    for words in (
        "2 × Import (1 failed)",
        "1 × Export",
        "12 new, 3 changed, 1 removed",
        "4 rows failed for the first time: quota",
        "Settings changed: Keep export files for",
    ):
        assert words in told, words
    assert list(visit_lines(Visit(since=ago(days=1), taken_at=now()))) == []
    assert "of Ann &amp; Co, shared by all" in whose_visit("Ann & Co")


@pytest.mark.feature("H2")
def test_what_needs_a_person_is_ranked_with_evidence_impact_and_next_step(visit):
    seen = visit("Home", "failed")
    order = [
        "1 worker went silent",
        "12 rows could not be embedded",
        "The last export failed",
        "embedding-2 is paused",
        "The index lacks 16 changes",
    ]
    body = seen.text[seen.text.index("Needs attention") :]
    places = [body.index(words) for words in order]
    assert places == sorted(places)
    assert "key is being replaced" in body
    assert "Free some space; nothing was lost." in body


@pytest.mark.feature("M6", "N6")
def test_sheet_table_and_index_stand_side_by_side_with_what_the_last_check_found_and_its_age(visit):
    seen = visit("Home", "idle")
    for words in (
        "Do sheet, table and index agree?",
        '<dt>Sheet</dt><dd class="">—<',
        '<dt>Table</dt><dd class="">150<',
        "nothing was checked yet",
    ):
        assert words in seen.text, words
    known = {topic.value: reading for topic, reading in scenes.idle_readings().items() if topic is not Topic.SHIFT}
    check = LastCheck(
        checked_at=ago(minutes=4),
        generation=2,
        disagree=7,
        sheet_name="<b>.csv",
        sheet_records=151,
        sheet_read_at=ago(days=1),
        sheet_differences=3,
    )
    readings = Readings(**(known | {"index": index_reading(last_check=check)}), now=now())
    sheet, table, index, disagree = drift_tiles(readings)
    assert (sheet.value, table.value, index.value, disagree.value) == ("151", "150", "150", "7")
    assert "“&lt;b&gt;.csv”" in sheet.note
    assert sheet.note.endswith("3 rows differ")
    assert "4 min ago" in disagree.note
    assert "generation 2" in disagree.note, "it is of another generation than the one that is served"
    assert [found.what for found in find_findings(readings)] == ["Table and index disagree in 7 rows"]
    unknown = replace(readings, index=None, queue=None)
    assert {tile.value for tile in drift_tiles(unknown)} == {"—"}


@pytest.mark.feature("H2")
def test_with_nothing_to_do_it_says_what_was_checked_and_when(visit):
    seen = visit("Home", "idle")
    assert "Nothing needs attention." in seen.text
    assert "Checked at" in seen.text
    assert "workers alive" in seen.text


def test_a_running_job_shows_phase_done_total_rate_and_what_is_left(visit):
    assert "draining" in visit("Home", "busy").text
    seen = visit("Home", "busy")
    assert [bar.proto.text for bar in seen.app.get("progress")] == ["adding vectors · 61,440 of 99,976 · 20,480/s · about 2 s left"]


def test_cancelling_a_job_is_asked_first_and_then_done_by_its_id(visit):
    seen = visit("Home", "busy")
    seen.button(f"running_cancel_{'f' * 32}").click().run()
    assert "everything is left **as it was before**" in seen.text
    assert not seen.asked("cancel_job")
    seen.button("dialog_confirm").click().run()
    assert seen.asked("cancel_job") == [("f" * 32,)]
    assert "Asked the index rebuild to stop" in seen.text


def test_the_safe_answer_closes_the_dialog_and_does_nothing(visit):
    seen = visit("Home", "busy")
    seen.button(f"running_cancel_{'f' * 32}").click().run()
    seen.button("dialog_cancel").click().run()
    assert not seen.asked("cancel_job")
    assert not seen.has_button("dialog_confirm")


def test_offline_keeps_what_was_known_and_says_since_when(visit):
    seen = visit("Home", "offline")
    assert "The service does not answer" in seen.text
    assert "150" in seen.text
    assert "stale since" in seen.text


def test_before_the_first_word_nothing_is_shown_as_zero(visit):
    seen = visit("Home", "silent")
    assert "not known yet" in seen.text
    assert ">0 <" not in seen.text


def test_the_link_of_a_job_shows_its_facts_and_its_log(visit):
    seen = visit("Index", "failed", job="f" * 32)
    assert "Log, oldest line first" in seen.text
    assert "read 150 records" in seen.text
    assert "generation 3" in seen.text


def test_the_link_of_a_job_that_is_gone_says_so(visit):
    seen = visit("Export", "idle", job="0" * 32)
    assert "This job cannot be shown" in seen.text
    assert "Nothing has this id." in seen.text


def _history() -> None:
    from lib.ui.frames.jobs import show_job_history

    show_job_history()


def test_history_filters_come_from_the_link(visit):
    seen = visit("Index", "failed")
    app = AppTest.from_function(_history)
    app.query_params["operation"], app.query_params["state"] = "Import", "succeeded"
    app.run()
    assert seen.asked("list_jobs")[-1] == (Operation.IMPORT, JobState.SUCCEEDED, 25, None, None, None)
    assert "148 new, 2 changed" in "".join(element.proto.body for element in app.get("html"))


@pytest.mark.feature("H1")
def test_what_waits_to_start_is_called_queued_and_never_running(visit):
    seen = visit("Home", "busy")
    assert "Index :blue-badge[running]" in seen.text
    assert ">building<" in seen.text
    jobs = seen.hub.reading(Topic.JOBS)
    (job,) = jobs.active
    waiting = job.model_copy(update={"state": JobState.QUEUED, "progress": None})
    operations = [each.model_copy(update={"running": each.running and waiting}) for each in jobs.operations]
    seen.hub.readings[Topic.JOBS] = jobs.model_copy(update={"active": [waiting], "operations": operations})
    seen.run()
    assert "Index :gray-badge[queued]" in seen.text
    assert ">building<" not in seen.text
