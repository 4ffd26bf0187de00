"""The confirmation ladder: done at once with Undo, asked first, or asked and typed."""

from __future__ import annotations

from typing import Any

import pytest

from lib.contract.events import Topic
from lib.contract.queue import ItemSelection
from lib.contract.states import Desired
from lib.contract.workers import WorkersReading
from tests.pages import canned, takebacks


def says(seen: Any, *words: str) -> None:
    missing = [each for each in words if each not in seen.text]
    assert not missing, missing


@pytest.mark.feature("X8")
def test_pausing_one_worker_is_done_at_once_and_can_be_undone(visit):
    seen = visit("Workers", "idle")
    seen.app.text_input(key="wish_reason_0").set_value("month-end report").run()
    seen.button("pause_embedding-2").click().run()
    assert not seen.has_button("dialog_confirm")
    assert seen.asked("pause_worker") == [("embedding-2", "month-end report", Desired.RUNNING)]
    assert [toast.value for toast in seen.app.toast] == ["Paused embedding-2"]
    seen.button("undo_action").click().run()
    assert seen.asked("resume_worker") == [("embedding-2", "", Desired.PAUSED)]
    says(seen, "embedding-2 runs again")
    assert not seen.has_button("undo_action")


def test_a_reason_is_good_for_one_wish(visit):
    seen = visit("Workers", "idle")
    seen.app.text_input(key="wish_reason_0").set_value("month-end report").run()
    seen.button("pause_embedding-2").click().run()
    seen.button("pause_embedding-1").click().run()
    assert seen.asked("pause_worker")[1] == ("embedding-1", "", Desired.RUNNING)


@pytest.mark.feature("X8")
def test_resuming_one_worker_can_be_undone_with_the_reason_it_had(visit):
    seen = visit("Workers", "failed")
    seen.button("resume_embedding-2").click().run()
    seen.button("undo_action").click().run()
    assert seen.asked("pause_worker") == [("embedding-2", "key is being replaced", Desired.RUNNING)]


def test_an_undo_that_is_refused_says_why_and_stays_on_the_page(visit):
    seen = visit("Workers", "idle")
    seen.button("pause_embedding-2").click().run()
    seen.client.down = True
    seen.button("undo_action").click().run()
    says(seen, "It was not taken back", "The service does not answer.")


#: Page, scene, key, what the title names, what the body counts, how it is taken back, the verb.
ASKED = {
    "pause all": ("Workers", "busy", "pause_all", "1 embedding worker", "**40,152 rows** wait", "undoes it at any time", "Pause all"),
    "drain all": ("Workers", "busy", "drain_all", "1 embedding worker", "**40,152 rows** wait", "undoes it at any time", "Drain all"),
    "drain one": ("Workers", "idle", "drain_embedding-1", "embedding-1", "It holds nothing right now", "undoes it at any time", "Drain"),
    "cancel": ("Home", "busy", f"running_cancel_{'f' * 32}", "index rebuild", "61,440 of 99,976", "start it again", "Cancel index rebuild"),
    "discard": ("Queue", "failed", "discard_all", "12 rows", "gives up on **12 rows**", "puts them back", "Discard 12 rows"),
    "undo": ("Import", "idle", "undo_import_last", "playbook.csv", "**148 rows**", "import the sheet again", "Undo import"),
    "rebuild": ("Index", "idle", "rebuild_index", "150 entries", "**150 entries**", "cancelled at any time", "Rebuild"),
}


@pytest.mark.feature("X8")
@pytest.mark.parametrize("name", ASKED)
def test_what_disrupts_is_asked_with_object_count_consequence_and_the_way_back(visit, name):
    page, scene, key, thing, count, back, verb = ASKED[name]
    seen = visit(page, scene)
    before = len(seen.client.calls)
    seen.button(key).click().run()
    assert thing in seen.dialog_title
    says(seen, count, back)
    assert seen.button("dialog_confirm").label == verb
    assert not {"pause_workers", "drain_workers", "drain_worker", "cancel_job", "discard_failures", "start_undo", "start_rebuild"} & {
        called for called, _ in seen.client.calls[before:]
    }
    seen.button("dialog_cancel").click().run()
    assert not seen.has_button("dialog_confirm")


def test_the_safe_answer_to_cancelling_a_job_cannot_be_mistaken_for_cancelling_it(visit):
    seen = visit("Home", "busy")
    seen.button(f"running_cancel_{'f' * 32}").click().run()
    assert seen.button("dialog_cancel").label == "Let it go on"


@pytest.mark.feature("X8")
def test_what_destroys_also_wants_the_name_typed(visit):
    seen = visit("Index", "idle")
    seen.button(f"delete_{takebacks.SNAPSHOT_ID}").click().run()
    says(
        seen,
        "**150 vectors**",
        "Nobody can bring it back.",
        ", taken ",
        "Type “before the big clean-up” to go on.",
    )
    assert seen.typed_field().label == "To delete it, type its name: before the big clean-up"
    assert seen.button("dialog_confirm").disabled
    seen.typed_field().set_value("before the big").run()
    assert seen.button("dialog_confirm").disabled
    seen.typed_field().set_value(" before the big clean-up ").run()
    seen.button("dialog_confirm").click().run()
    assert seen.asked("delete_snapshot") == [(takebacks.SNAPSHOT_ID, "before the big clean-up")]
    says(seen, "Snapshot “before the big clean-up” deleted")


def test_the_dialog_asks_the_browser_to_put_the_focus_on_the_safe_answer(visit):
    seen = visit("Workers", "idle")
    seen.button("pause_all").click().run()
    assert "st-key-dialog_cancel" in str([element.proto for element in seen.app.get("bidi_component")])


def test_rows_discarded_by_name_come_back_by_undo(visit):
    seen = visit("Queue", "failed")
    seen.button("discard_all").click().run()
    seen.button("dialog_confirm").click().run()
    seen.button("undo_action").click().run()
    ((selection,),) = seen.asked("retry_failures")
    assert selection == ItemSelection(entry_ids=[failure.entry_id for failure in seen.client.failures])


def test_workers_that_were_resumed_together_are_held_again_each_as_it_was(visit):
    seen = visit("Workers", "failed")
    workers = seen.hub.readings[Topic.WORKERS].workers
    third = workers[0].model_copy(update={"worker_id": "embedding-3", "desired": Desired.DRAINING, "desired_reason": "new disk"})
    seen.hub.readings[Topic.WORKERS] = WorkersReading(workers=[*workers, third], taken_at=canned.now())
    seen.run()
    seen.button("resume_all").click().run()
    seen.button("undo_action").click().run()
    assert seen.asked("pause_workers") == [("key is being replaced", ["embedding-2"], {"embedding-2": Desired.RUNNING})]
    assert [each[:3] for each in seen.asked("drain_workers")] == [("new disk", ["embedding-3"], {"embedding-3": Desired.RUNNING})]
    says(seen, "2 embedding workers held as before")


def test_the_reason_asked_on_the_page_is_the_one_the_dialog_begins_with(visit):
    seen = visit("Workers", "idle")
    seen.app.text_input(key="wish_reason_0").set_value("key is being replaced").run()
    seen.button("pause_all").click().run()
    seen.button("dialog_confirm").click().run()
    assert seen.asked("pause_workers") == [("key is being replaced", None, dict.fromkeys(("embedding-1", "embedding-2"), Desired.RUNNING))]
