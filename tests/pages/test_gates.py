"""“Why not?”: every control that is off says why, in the gate's own words, and can be put to wait where waiting helps."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from lib.contract.events import Topic
from lib.contract.exports import ExportRequest
from lib.contract.operations import EmptyRequest, Gate, Reason
from lib.contract.states import IntentionState, Operation
from tests.pages import canned, takebacks

#: Every control that one operation's gate decides: page, address, key of the button.
STARTS: dict[str, tuple[str, dict[str, str], str, Operation]] = {
    "load the sample": ("Import", {}, "load_sample", Operation.PREVIEW),
    "preview": ("Import", {"upload": canned.UPLOAD_ID}, "preview", Operation.PREVIEW),
    "apply": ("Import", {"plan": canned.PLAN_ID}, "apply_plan", Operation.IMPORT),
    "undo on the page": ("Import", {}, "undo_import_last", Operation.UNDO),
    "undo under the outcome": ("Import", {"job": canned.JOB_ID}, "undo_import_outcome", Operation.UNDO),
    "undo on the job's page": ("Home", {"job": canned.JOB_ID}, "undo_import_detail", Operation.UNDO),
    "export": ("Export", {}, "start_export", Operation.EXPORT),
    "refresh": ("Index", {}, "refresh_index", Operation.REFRESH),
    "rebuild": ("Index", {}, "rebuild_index", Operation.REBUILD),
    "snapshot": ("Index", {}, "take_snapshot", Operation.SNAPSHOT),
}


def shut(reason: Reason, **more: Any) -> Gate:
    facts: dict[str, Any] = {
        "allowed": False,
        "reason_code": reason,
        "reason_text": f"Because of {reason.value} & <co>.",
        "holder": "e" * 32,
        "since": canned.ago(seconds=9),
        "fix_link": "/Export?job=" + "e" * 32,
    }
    return Gate(**(facts | more))


def set_gate(seen: Any, operation: Operation, gate: Gate) -> None:
    jobs = seen.hub.readings[Topic.JOBS]
    readings = [each.model_copy(update={"gate": gate}) if each.operation is operation else each for each in jobs.operations]
    seen.hub.readings[Topic.JOBS] = jobs.model_copy(update={"operations": readings})


def words_beside(seen: Any, key: str) -> str:
    """The text in the nearest box around a control that says why; empty when no box but the page itself does."""
    for box in reversed(boxes_around(seen.app.main, key) or boxes_around(seen.app.sidebar, key)):
        said = "\n".join(str(element.proto.body) for element in box.get("html"))
        if "sy-why" in said:
            return said
    return ""


def boxes_around(box: Any, key: str) -> list[Any]:
    """The boxes from ``box`` down to the control called ``key``, the outermost left out."""
    for child in box.children.values():
        if getattr(child, "key", None) == key:
            return [box]
        if hasattr(child, "children") and (found := boxes_around(child, key)):
            return [box, *found] if box.type != "main" else found
    return []


@pytest.mark.feature("X2")
@pytest.mark.parametrize("name", STARTS)
def test_for_every_reason_a_start_that_is_off_says_the_gates_own_words_beside_it(visit, name):
    page, params, key, operation = STARTS[name]
    seen = visit(page, "idle", **params)
    assert not seen.button(key).disabled
    for reason in Reason:
        set_gate(seen, operation, shut(reason))
        seen.run()
        said = words_beside(seen, key)
        assert seen.button(key).disabled, reason
        assert f"Because of {reason.value} &amp; &lt;co&gt;" in said
        assert f'title="{reason.value}"' in said
        assert "held by eeeeeeee, since" in said
        assert "Show the job" in seen.text


@pytest.mark.feature("X2")
@pytest.mark.parametrize("reason", [Reason.PLAN_STALE, Reason.PLAN_APPLIED, Reason.NOTHING_TO_DO, Reason.REMOVALS_NOT_APPROVED])
def test_the_gate_of_a_plan_is_said_as_it_is(visit, reason):
    seen = visit("Import", "idle")
    seen.client.plan = canned.plan(gate=shut(reason))
    seen.app.query_params["plan"] = canned.PLAN_ID
    seen.run()
    assert seen.button("apply_plan").disabled
    assert f"Because of {reason.value} " in words_beside(seen, "apply_plan")


@pytest.mark.feature("X2")
@pytest.mark.parametrize("reason", [Reason.NOT_UNDOABLE, Reason.ALREADY_SO])
def test_the_gate_of_an_undo_is_said_as_it_is(visit, reason):
    seen = visit("Import", "idle")
    seen.client.undo = takebacks.undo_report(gate=shut(reason))
    jobs = seen.hub.readings[Topic.JOBS]
    seen.hub.readings[Topic.JOBS] = jobs.model_copy(update={"recent": jobs.recent[1:]})  # a job ended: it is asked anew
    seen.run()
    assert f"Because of {reason.value} " in words_beside(seen, "undo_import_last")


def _click(key: str) -> Callable[[Any], None]:
    def act(seen: Any) -> None:
        seen.button(key).click().run()
        if seen.has_button("dialog_confirm"):
            for field in [field for field in seen.app.text_input if (field.key or "").startswith("dialog_typed_")]:
                field.set_value("before the big clean-up").run()
            seen.button("dialog_confirm").click().run()

    return act


#: Every action whose gate is decided when it is asked for: page, scene, key of its button.
ACTIONS = {
    "pause a worker": ("Workers", "idle", "pause_embedding-1"),
    "drain a worker": ("Workers", "idle", "drain_embedding-1"),
    "resume a worker": ("Workers", "failed", "resume_embedding-2"),
    "pause all": ("Workers", "idle", "pause_all"),
    "drain all": ("Workers", "idle", "drain_all"),
    "resume all": ("Workers", "failed", "resume_all"),
    "cancel a job": ("Home", "busy", f"running_cancel_{'f' * 32}"),
    "retry": ("Queue", "failed", "retry_all"),
    "discard": ("Queue", "failed", "discard_all"),
    "delete a snapshot": ("Index", "idle", f"delete_{takebacks.SNAPSHOT_ID}"),
    "pin a snapshot": ("Index", "idle", f"pin_{takebacks.SNAPSHOT_ID}"),
    "change a snapshot": ("Index", "idle", f"edit_{takebacks.SNAPSHOT_ID}"),
    "refresh": ("Index", "idle", "refresh_index"),
    "rebuild": ("Index", "idle", "rebuild_index"),
    "snapshot": ("Index", "idle", "take_snapshot"),
    "export": ("Export", "idle", "start_export"),
    "undo": ("Import", "idle", "undo_import_last"),
}


@pytest.mark.feature("X2")
@pytest.mark.parametrize("name", ACTIONS)
def test_what_the_service_refuses_is_shown_with_its_words_and_its_code(visit, name):
    page, scene, key = ACTIONS[name]
    seen = visit(page, scene)
    for reason in (Reason.CHANGED_SINCE_SHOWN, Reason.ALREADY_SO, Reason.OPERATION_RUNNING):
        seen.client.refusal = shut(reason)
        _click(key)(seen)
        assert f"Because of {reason.value} &amp; &lt;co&gt;." in seen.text
        assert f"Reason: <span class='sy-code'>{reason.value}</span>" in seen.text
        if seen.has_button("dialog_cancel"):
            seen.button("dialog_cancel").click().run()


@pytest.mark.feature("X2")
@pytest.mark.parametrize("page", ["Home", "Import", "Export", "Workers", "Queue", "Index", "Settings"])
@pytest.mark.parametrize("scene", ["fresh", "busy", "offline", "silent"])
def test_no_control_is_off_without_words_beside_it(visit, page, scene):
    seen = visit(page, scene)
    for button in seen.app.button:
        if button.disabled:
            assert words_beside(seen, button.key), button.key


@pytest.mark.feature("M7")
@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("undo on the page", (Operation.UNDO, EmptyRequest(), canned.JOB_ID)),
        ("export", (Operation.EXPORT, ExportRequest(), None)),
        ("refresh", (Operation.REFRESH, EmptyRequest(), None)),
        ("rebuild", (Operation.REBUILD, EmptyRequest(), None)),
    ],
)
def test_where_another_operation_is_in_the_way_it_can_be_put_to_wait_and_called_off(visit, name, asked):
    page, params, key, operation = STARTS[name]
    seen = visit(page, "idle", **params)
    set_gate(seen, operation, shut(Reason.OPERATION_RUNNING, eta=canned.now() + timedelta(seconds=70)))
    assert "free in about 1 min" in words_beside(seen.run(), key)
    seen.button(f"{key}_when_free").click().run()
    assert seen.asked("start_when_free") == [asked]
    assert "it will start by itself as soon as the way is free" in seen.text
    assert not seen.has_button(f"{key}_when_free")
    seen.button("undo_action").click().run()
    assert seen.asked("cancel_intention") == [(takebacks.INTENTION_ID,)]


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason is not Reason.OPERATION_RUNNING])
def test_what_waiting_would_not_mend_is_not_offered_to_wait(visit, reason):
    seen = visit("Export", "idle")
    set_gate(seen, Operation.EXPORT, shut(reason))
    assert not seen.run().has_button("start_export_when_free")


def test_an_import_is_put_to_wait_with_exactly_the_choices_of_the_page(visit):
    seen = visit("Import", "idle", plan=canned.PLAN_ID)
    set_gate(seen, Operation.IMPORT, shut(Reason.OPERATION_RUNNING))
    seen.run().button("apply_plan_when_free").click().run()
    ((operation, request, _),) = seen.asked("start_when_free")
    assert operation is Operation.IMPORT
    assert (request.plan_id, request.approve_removals) == (canned.PLAN_ID, None)


def waiting(seen: Any, *intentions: Any) -> Any:
    jobs = seen.hub.readings[Topic.JOBS]
    seen.hub.readings[Topic.JOBS] = jobs.model_copy(update={"intentions": list(intentions)})
    return seen.run()


@pytest.mark.feature("M7")
@pytest.mark.parametrize(
    ("page", "operation", "key"),
    [
        ("Home", Operation.IMPORT, "home"),
        ("Import", Operation.IMPORT, "last"),
        ("Import", Operation.UNDO, "last"),
        ("Export", Operation.EXPORT, "export"),
        ("Index", Operation.REBUILD, "index"),
        ("Index", Operation.SNAPSHOT, "snapshot"),
    ],
)
def test_what_waits_is_shown_on_its_page_and_on_home_and_can_be_called_off(visit, page, operation, key):
    seen = waiting(visit(page, "idle"), takebacks.intention(operation=operation))
    assert "asked by Maria, <time" in seen.text
    assert "Waits because: An export is running, started by Jonas." in seen.text
    seen.button(f"call_off_{key}_{takebacks.INTENTION_ID}").click().run()
    assert seen.asked("cancel_intention") == [(takebacks.INTENTION_ID,)]
    assert "called off, it will not start by itself" in seen.text


def test_what_waits_already_is_not_offered_to_wait_again(visit):
    seen = visit("Import", "idle", plan=canned.PLAN_ID)
    set_gate(seen, Operation.IMPORT, shut(Reason.OPERATION_RUNNING))
    waiting(seen, takebacks.intention())
    assert not seen.has_button("apply_plan_when_free")
    waiting(seen, takebacks.intention(arguments={"plan_id": "0" * 32}))
    assert seen.has_button("apply_plan_when_free")


def test_a_start_that_can_never_happen_any_more_says_so_with_why(visit):
    seen = visit("Home", "idle")
    ended = {
        "state": IntentionState.DROPPED,
        "ended_at": canned.ago(minutes=1),
        "detail": "The table has changed since this plan was made.",
    }
    seen.client.intentions = [takebacks.intention(**ended)]
    waiting(seen, takebacks.intention(intention_id="0" * 32))
    assert "Import will not start by itself" in seen.text
    assert "The table has changed since this plan was made." in seen.text
