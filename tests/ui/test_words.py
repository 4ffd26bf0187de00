"""The pure parts of widgets, findings, results and plans."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lib.client.errors import Invalid, TimedOut, Unreachable
from lib.contract.errors import ErrorCode, FieldError, Problem
from lib.contract.events import Topic
from lib.contract.imports import FieldDifference, PlanCounts, PlanRow, RowError
from lib.contract.jobs import Progress
from lib.contract.operations import Gate, Reason
from lib.contract.states import Change, Desired, JobState, Operation
from lib.contract.trace import Turn
from lib.ui import gates, plans, results, widgets
from lib.ui.eta import describe_searchable, describe_turn
from lib.ui.findings import Readings
from lib.ui.live import Freshness
from lib.ui.notices import describe_error
from lib.ui.rules import find_findings, judge
from tests.pages import canned, scenes

NOW = canned.now()


def test_progress_says_only_what_is_known():
    assert widgets.progress_line(None) == "waiting to start"
    assert widgets.progress_line(Progress(phase="reading", done=0)) == "reading · time left unknown"
    full = Progress(phase="embedding", done=1234, total=5000, rate_per_second=120, eta_seconds=31)
    assert widgets.progress_line(full) == "embedding · 1,234 of 5,000 · 120/s · about 31 s left"


@pytest.mark.parametrize(("done", "total", "ratio"), [(5, None, None), (5, 0, None), (5, 10, 0.5), (12, 10, 1.0), (-1, 10, 0.0)])
def test_progress_never_exceeds_its_scale(done, total, ratio):
    assert widgets.progress_ratio(Progress(phase="x", done=done, total=total)) == ratio


def test_a_shut_gate_says_why_by_whom_since_when_and_until_when():
    gate = Gate(
        allowed=False,
        reason_code=Reason.OPERATION_RUNNING,
        reason_text="An import is running.",
        holder="abcdef0123456789",
        since=NOW - timedelta(seconds=9),
        eta=NOW + timedelta(seconds=65),
    )
    said = gates.explain_gate(gate, NOW)
    assert said.startswith("An import is running (held by abcdef01, since ")
    assert said.endswith("free in about 1 min 5 s).")


def test_a_gate_that_should_be_open_by_now_promises_nothing():
    gate = Gate(allowed=False, reason_text="Busy.", eta=NOW - timedelta(seconds=5))
    assert gates.explain_gate(gate, NOW) == "Busy."
    running = gate.model_copy(update={"reason_code": Reason.OPERATION_RUNNING})
    assert gates.explain_gate(running, NOW) == "Busy (time left unknown)."


def test_a_holder_that_is_no_id_is_named_in_full_and_a_long_past_since_has_its_date():
    gate = Gate(allowed=False, reason_text="It is paused.", holder="embedding-1", since=datetime(2025, 3, 1, tzinfo=UTC))
    assert gates.explain_gate(gate, NOW) == "It is paused (held by embedding-1, since 2025-03-01 00:00:00 UTC)."


def test_a_block_says_when_it_was_true_and_since_when_it_is_not_known_to_be():
    assert "as of —" in widgets.as_of_line(Freshness(None, None), NOW)
    stale = widgets.as_of_line(Freshness(NOW, NOW - timedelta(seconds=75)), NOW)
    assert "stale since" in stale
    assert "1 min ago" in stale


def test_an_error_says_what_happened_what_it_means_and_what_to_do():
    problem = Problem(
        title="Unprocessable",
        status=422,
        code=ErrorCode.INVALID,
        detail="A field is wrong.",
        action="Correct it.",
        errors=[FieldError(pointer="/name", detail="empty")],
    )
    trouble = describe_error(Invalid(problem), "Nothing was uploaded")
    assert (trouble.what, trouble.meaning, trouble.action) == ("Nothing was uploaded", "A field is wrong.", "Correct it.")
    assert trouble.details == [("Code", "invalid"), ("/name", "empty")]


def test_an_unknown_outcome_is_not_called_a_failure():
    assert "outcome is not known" in describe_error(TimedOut("http://x", 10), "The import was not started").meaning
    assert "does not answer" in describe_error(Unreachable("http://x", "refused"), "x").meaning


def _readings(known, **more):
    names = {Topic.QUEUE: "queue", Topic.WORKERS: "workers", Topic.JOBS: "jobs", Topic.INDEX: "index", Topic.SETTINGS: "settings"}
    facts = dict.fromkeys(names.values()) | {names[topic]: reading for topic, reading in known.items() if topic in names}
    return Readings(**(facts | more), now=NOW)


@pytest.mark.parametrize(
    ("known", "word"),
    [
        ({}, "not known yet"),
        (scenes.empty_readings(), "nothing imported yet"),
        (scenes.idle_readings(), "all well"),
        (scenes.failed_readings(), "needs attention"),
        (scenes.busy_readings(), "waits for a person"),
    ],
)
def test_the_verdict_follows_from_the_findings(known, word):
    readings = _readings(known)
    assert judge(readings, find_findings(readings)).word == word


def test_a_person_who_paused_everybody_is_the_cause_before_any_technical_one():
    known = scenes.busy_readings()
    workers = [worker.model_copy(update={"desired": Desired.PAUSED, "desired_by": "Maria"}) for worker in known[Topic.WORKERS].workers[:2]]
    known[Topic.WORKERS] = known[Topic.WORKERS].model_copy(update={"workers": [*workers, known[Topic.WORKERS].workers[2]]})
    finding = next(each for each in find_findings(_readings(known)) if "held" in each.what)
    assert finding.what == "All embedding workers are held"
    assert "by Maria" in finding.evidence
    assert finding.impact == "38,104 rows wait."


def test_a_lost_operations_worker_is_found():
    known = scenes.idle_readings()
    known[Topic.WORKERS] = known[Topic.WORKERS].model_copy(update={"workers": known[Topic.WORKERS].workers[:2]})
    assert "No operations worker is alive" in [finding.what for finding in find_findings(_readings(known))]


def test_results_are_read_and_never_guessed():
    done = canned.job(Operation.IMPORT, JobState.SUCCEEDED, result={"new": 3, "changed": 0, "unchanged": 7})
    assert results.summarize(done) == "3 new, 7 unchanged"
    assert results.count_of(done, "removed") is None
    assert results.summarize(canned.job(Operation.EXPORT, JobState.SUCCEEDED)) == "— rows written"
    assert results.summarize(canned.job(Operation.IMPORT, JobState.CANCELLED)).startswith("Stopped on request")


def test_a_filter_counts_what_it_lists():
    counts = PlanCounts(new=1, changed=2, unchanged=30, removed=4, invalid=5)
    assert plans.count_change(counts, None) == 12
    assert plans.count_change(counts, Change.REMOVED) == 4


def test_rows_of_a_plan_show_before_and_after_and_escape_both():
    evil = "<script>"
    row = PlanRow(row=2, change=Change.CHANGED, key=evil, text=evil, differences=[FieldDifference(column=evil, before=evil, after=None)])
    bad = PlanRow(row=3, change=Change.INVALID, key="", text="", errors=[RowError(column=None, value=evil, rule=evil, fix=evil)])
    html = plans.plan_table([row, bad])
    assert "<script" not in html
    assert "(empty)" in html


@pytest.mark.feature("M11")
def test_when_the_index_waits_for_a_person_only_the_embedding_is_given_a_time():
    queue = scenes.idle_readings()[Topic.QUEUE].model_copy(update={"pending": 9, "eta_low_seconds": 60, "eta_high_seconds": 120})
    waits = queue.model_copy(update={"searchable_low_seconds": None, "searchable_high_seconds": None})
    assert describe_searchable(waits) == "Embedded in about 1 min to 2 min; searchable with the index refresh after that."
    assert describe_searchable(waits.model_copy(update={"eta_low_seconds": None})).startswith("Searchable: time unknown.")


@pytest.mark.feature("M11")
def test_a_row_that_waits_is_told_its_turn_as_far_as_it_is_known():
    assert describe_turn(Turn(ahead=0)).startswith("No row before it; when it is embedded is not known")
    known = Turn(ahead=1200, embedded_low_seconds=60, embedded_high_seconds=120)
    assert describe_turn(known) == "1,200 rows before it; embedded in about 1 min to 2 min. When it is searchable is not known."
    whole = known.model_copy(update={"searchable_low_seconds": 180, "searchable_high_seconds": 240})
    assert describe_turn(whole).endswith("searchable in about 3 min to 4 min, with the refresh that follows the queue.")
