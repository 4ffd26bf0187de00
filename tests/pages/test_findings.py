"""Each kind of finding has one button: its safest next step, taken in place through the gate, or the place where one reads first."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

import pytest

from lib.client.api import Client
from lib.contract.checks import Check
from lib.contract.events import Topic
from lib.contract.index import LastCheck
from lib.contract.operations import Gate, Reason
from lib.contract.states import Actual, CheckName, CheckState, Desired, Operation, WorkerRole
from lib.ui.findings import Readings
from lib.ui.rules import RULES, find_findings
from tests.pages import scenes
from tests.pages.canned import JOB_ID, ago, index_reading, now, worker

SHEET = "1" * 44


def _check(name: CheckName, state: CheckState) -> Check:
    return Check(name=name, state=state, detail="not shared", spreadsheet_id=SHEET, tab="Rows", seconds=0.1, checked_at=ago(minutes=1))


def _held(*names: str, role: WorkerRole = WorkerRole.EMBEDDING) -> list[Any]:
    held = {"desired": Desired.PAUSED, "actual": Actual.PAUSED, "desired_by": "Maria"}
    return [worker("embedding-9"), worker("operations-9", WorkerRole.OPERATIONS), *(worker(name, role, **held) for name in names)]


def _workers(*workers: Any) -> dict[Topic, Any]:
    known = scenes.idle_readings()
    return {Topic.WORKERS: known[Topic.WORKERS].model_copy(update={"workers": list(workers)})}


def _checked(*checks: Check) -> dict[Topic, Any]:
    return {Topic.SETTINGS: scenes.idle_readings()[Topic.SETTINGS].model_copy(update={"checks": list(checks)})}


#: What is the matter → what the button says and leads to.
READ_FIRST: dict[str, tuple[dict[Topic, Any], str, str, dict[str, str]]] = {
    "no_embedding_worker": (_workers(worker("operations-9", WorkerRole.OPERATIONS)), "See the workers", "Workers", {}),
    "stale_workers": (_workers(*_held(), worker("embedding-8", stale=True)), "See the 1 worker", "Workers", {}),
    "failed_rows": ({Topic.QUEUE: scenes.failed_readings()[Topic.QUEUE]}, "See the 12 rows", "Queue", {"rows": "Failed"}),
    "last_export": ({Topic.JOBS: scenes.failed_readings()[Topic.JOBS]}, "See what happened", "Home", {"job": "e" * 32}),
    "drift": (
        {Topic.INDEX: index_reading(last_check=LastCheck(checked_at=now(), generation=2, disagree=7))},
        "See the 7 rows",
        "Index",
        {"tab": "Health"},
    ),
}
#: What is the matter → what the button says, and what the service is asked for.
AT_ONCE: dict[str, tuple[dict[Topic, Any], str, str, tuple[Any, ...]]] = {
    "embedding_held": (_workers(*_held("embedding-8")), "Resume embedding-8", "resume_worker", ("embedding-8", "", Desired.PAUSED)),
    "operations_held": (
        _workers(*_held("operations-7", "operations-8", role=WorkerRole.OPERATIONS)),
        "Resume 2 workers",
        "resume_workers",
        ("", ["operations-7", "operations-8"], dict.fromkeys(("operations-7", "operations-8"), Desired.PAUSED)),
    ),
    "access": (
        _checked(_check(CheckName.SHEET_REACHABLE, CheckState.FAILED), _check(CheckName.MAY_WRITE, CheckState.SKIPPED)),
        "Check again",
        "check_settings",
        (),
    ),
    "index_behind": (
        {topic: scenes.failed_readings()[topic] for topic in (Topic.INDEX, Topic.SETTINGS)},
        "Refresh the index",
        "start_refresh",
        (),
    ),
}


def test_no_kind_of_finding_is_left_out():
    cases = [change for change, *_ in (*READ_FIRST.values(), *AT_ONCE.values())]
    assert {rule.checks for rule in RULES if any(find_one(rule.find, case) for case in cases)} == {rule.checks for rule in RULES}


def find_one(find: Any, change: dict[Topic, Any]) -> bool:
    known = {topic.value: reading for topic, reading in (scenes.idle_readings() | change).items() if topic is not Topic.SHIFT}
    return any(True for _ in find(Readings(**known, now=now())))


@pytest.mark.feature("H2")
@pytest.mark.parametrize("cause", READ_FIRST)
def test_where_one_has_to_read_first_the_button_leads_to_exactly_that_and_says_so(visit, cause):
    change, label, page, params = READ_FIRST[cause]
    seen = see(visit, change)
    assert (cause, label) in [(each.cause, each.button) for each in find_findings(readings_of(seen))]
    links = [(link.proto.page, dict(parse_qsl(link.proto.query_string))) for link in seen.app.get("page_link") if link.proto.label == label]
    assert links == [("" if page == "Home" else page, params)]


@pytest.mark.feature("H2")
@pytest.mark.parametrize("cause", AT_ONCE)
def test_what_is_reversible_or_only_looks_is_done_at_once_and_its_result_is_said(visit, cause):
    change, label, method, arguments = AT_ONCE[cause]
    seen = see(visit, change)
    button = seen.button(f"next_{cause}")
    assert (button.label, hasattr(Client, method)) == (label, True)
    button.click().run()
    (asked,) = seen.asked(method)
    assert not arguments or asked == arguments
    assert 'class="sy-what"' in seen.text, "what came of it stands on the page"


@pytest.mark.feature("H2")
def test_a_sheet_is_checked_again_as_it_was_before_and_nothing_is_written_to_one_that_is_only_read(visit):
    seen = see(visit, AT_ONCE["access"][0])
    seen.button("next_access").click().run()
    ((request,),) = seen.asked("check_settings")
    assert (request.spreadsheet, request.tab, request.writing) == (SHEET, "Rows", False)


@pytest.mark.feature("H2", "N5")
def test_after_going_back_what_has_changed_since_is_a_finding_that_says_why_it_waits(visit):
    index = scenes.idle_readings()[Topic.INDEX]
    for turned_back, evidence in ((False, []), (True, ["Somebody went back to generation 3."])):
        seen = see(visit, {Topic.INDEX: index.model_copy(update={"turned_back": turned_back, "unindexed": 4})})
        assert [each.evidence for each in find_findings(readings_of(seen)) if each.cause == "index_behind"] == evidence


@pytest.mark.feature("H2")
def test_when_the_gate_refuses_the_next_step_its_reason_stands_beside_the_button(visit):
    seen = see(visit, AT_ONCE["index_behind"][0])
    jobs = seen.hub.reading(Topic.JOBS)
    closed = Gate(allowed=False, reason_code=Reason.OPERATION_RUNNING, reason_text="A rebuild is running.", holder=JOB_ID)
    operations = [each.model_copy(update={"gate": closed}) if each.operation is Operation.REFRESH else each for each in jobs.operations]
    seen.hub.readings[Topic.JOBS] = jobs.model_copy(update={"operations": operations})
    seen.run()
    assert seen.button("next_index_behind").disabled
    assert "A rebuild is running (" in seen.text
    assert seen.has_button("next_index_behind_when_free")


def see(visit: Any, change: dict[Topic, Any]) -> Any:
    seen = visit("Home", "idle")
    seen.hub.readings.update(change)
    return seen.run()


def readings_of(seen: Any) -> Readings:
    known = {topic.value: seen.hub.reading(topic) for topic in Topic if topic is not Topic.SHIFT}
    return Readings(**known, now=now())
