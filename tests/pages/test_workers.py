"""The Workers page: some or all, how many, how large, and the shift log beside it."""

from __future__ import annotations

from typing import Any

import pytest

from lib.contract.events import Topic
from lib.contract.shift import ShiftReading
from lib.contract.states import Actual, Desired, FailureCause
from lib.ui.sparks import spark
from tests.pages import canned


def change(seen: Any, name: str, **facts: Any) -> Any:
    """As if the feed had told of it."""
    reading = seen.hub.readings[Topic.WORKERS]
    workers = [worker.model_copy(update=facts) if worker.worker_id == name else worker for worker in reading.workers]
    seen.hub.readings[Topic.WORKERS] = reading.model_copy(update={"workers": workers})
    return seen.run()


@pytest.mark.feature("W3")
def test_those_that_are_ticked_are_paused_as_they_were_shown_and_undo_resumes_exactly_them(visit):
    seen = visit("Workers", "idle")
    seen.app.checkbox(key="choose_embedding-2").check().run()
    assert seen.button("pause_all").label == "Pause 1 chosen"
    seen.button("pause_all").click().run()
    assert "the others go on with them" in seen.text
    seen.button("dialog_confirm").click().run()
    assert seen.asked("pause_workers") == [("", ["embedding-2"], {"embedding-2": Desired.RUNNING})]
    seen.button("undo_action").click().run()
    assert seen.asked("resume_workers") == [("", ["embedding-2"], {"embedding-2": Desired.PAUSED})]


@pytest.mark.feature("W4")
def test_a_drain_shows_what_is_in_hand_how_long_it_takes_and_can_be_called_off(visit):
    seen = visit("Workers", "busy")
    seen.button("drain_embedding-1").click().run()
    seen.app.selectbox(key="dialog_deadline").select("5 minutes").run()
    seen.button("dialog_confirm").click().run()
    assert seen.asked("drain_worker") == [("embedding-1", "", Desired.RUNNING, 300)]
    change(seen, "embedding-1", desired=Desired.DRAINING, actual=Actual.DRAINING, desired_by="Maria", drain_ends_at=canned.ago(minutes=-5))
    assert "1,024 rows in hand, about " in seen.text
    assert "goes back to the queue" in seen.text
    assert seen.button("resume_embedding-1").label == "Call off the drain"
    seen.button("resume_embedding-1").click().run()
    assert seen.asked("resume_worker") == [("embedding-1", "", Desired.DRAINING)]


@pytest.mark.feature("W5")
def test_a_row_tells_both_rates_with_a_picture_the_batch_and_the_last_failure(visit):
    seen = visit("Workers", "busy")
    assert "1,023/s · 980/s" in seen.text or "1,022/s · 980/s" in seen.text, seen.text[seen.text.index("Rate 1") :][:300]
    assert "Rate over its last 15 minutes: from 900/s to 1,020/s, last 990/s" in seen.text
    change(seen, "embedding-1", worked_at=canned.ago(seconds=30))
    assert "worked <time" not in seen.text, "that is as good as now"
    change(seen, "embedding-1", worked_at=canned.ago(minutes=12))
    assert "12 min ago</time>" in seen.text
    change(seen, "embedding-1", failed=3, last_failure_cause=FailureCause.BAD_KEY, last_failure_at=canned.ago(minutes=1))
    assert '<a href="/Queue?cause=bad_key"' in seen.text
    assert "The embedding service refused the key." in seen.text


def test_a_gap_in_the_rates_breaks_the_line():
    picture = spark([1.0, None, 2.0, 2.0])
    assert picture.count("height: ") == 3
    assert "50%" in picture
    assert "<svg" not in picture
    assert spark([1.0]) == ""


@pytest.mark.feature("W7")
def test_another_number_or_size_shows_what_it_does_to_the_time_left_before_it_is_taken(visit):
    seen = visit("Workers", "busy")
    assert "As it is: 40,152 rows in about 1 min to 2 min 10 s." in seen.text
    seen.app.number_input(key="crew_count_2").set_value(4).run()
    assert "With 4 workers and batches of 1,024: 40,152 rows in about 30 s to 1 min 5 s." in seen.text
    seen.button("scale").click().run()
    assert seen.asked("scale_workers") == [(4, 2)]
    seen.app.number_input(key="crew_size_1024").set_value(512).run()
    assert "One batch of 512 takes about 0.5 s" in seen.text
    seen.button("resize").click().run()
    assert seen.asked("put_setting") == [("embedding.batch_size", 512, 1024)]


@pytest.mark.feature("X8")
def test_removing_workers_is_asked_with_what_they_hold(visit):
    seen = visit("Workers", "busy")
    seen.app.number_input(key="crew_count_2").set_value(0).run()
    seen.button("scale").click().run()
    assert "1,024 rows" in seen.text
    assert "**Nothing is embedded any more**" in seen.text
    seen.button("dialog_confirm").click().run()
    assert seen.asked("scale_workers") == [(0, 2)]


@pytest.mark.feature("M14")
@pytest.mark.parametrize("page", ["Home", "Workers"])
def test_the_shift_log_shows_notes_pauses_and_imports_and_takes_a_note(visit, page):
    seen = visit(page, "idle")
    assert "The &lt;b&gt;disk&lt;/b&gt; is new" in seen.text
    assert "Paused 2 workers: disk is being replaced" in seen.text
    seen.app.text_input(key="note_0").set_value(" all quiet ").run()
    seen.button("add_note").click().run()
    assert seen.asked("add_note") == [("all quiet", None)]
    seen.button("undo_action").click().run()
    assert seen.asked("delete_note") == [(7,)]
    seen.hub.readings[Topic.SHIFT] = ShiftReading(entries=[], taken_at=canned.now())
    assert "Nothing was noted." in seen.run().text
