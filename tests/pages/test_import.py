"""Import: every step, and every state a plan and its job may be in."""

from __future__ import annotations

import pytest

from lib.contract.events import Topic
from lib.contract.imports import PlanCounts
from lib.contract.jobs import JobError, Progress
from lib.contract.operations import Gate, Reason
from lib.contract.states import Change, ImportMode, InvalidPolicy, JobState, Operation, PlanState
from tests.pages import canned


def test_the_limits_are_said_before_anything_is_uploaded(visit):
    seen = visit("Import", "fresh")
    assert "At most 512 MiB, 256 columns, 50,000 characters per cell. A workbook may unpack to 2 GiB" in seen.text
    assert 'aria-current="step"><span class="sy-dot">1</span>Choose' in seen.text


def test_the_sample_is_one_click_away(visit):
    seen = visit("Import", "fresh")
    seen.button("load_sample").click().run()
    assert seen.asked("upload_file") == [("playbook.csv",)]
    assert seen.param("upload") == canned.UPLOAD_ID
    assert "What each column is" in seen.text


def test_a_gate_that_is_shut_says_why_beside_the_button(visit):
    seen = visit("Import", "busy")
    assert seen.button("load_sample").disabled
    assert "An index rebuild is running" in seen.text


def test_columns_come_prefilled_and_say_how_the_file_was_read(visit):
    seen = visit("Import", "idle", upload=canned.UPLOAD_ID)
    assert "CSV, UTF-8, comma-separated, 6 columns" in seen.text
    assert [box.value for box in seen.app.selectbox] == ["utf-8", ",", "key"]
    assert seen.app.multiselect[0].value == ["title", "advice"]
    assert not seen.button("preview").disabled


def test_a_column_used_twice_blocks_with_its_name(visit):
    seen = visit("Import", "idle", upload=canned.UPLOAD_ID)
    seen.app.multiselect[1].set_value(["title"]).run()
    assert seen.button("preview").disabled
    assert "used twice: title" in seen.text


def test_the_preview_asks_for_exactly_what_was_chosen_and_the_url_then_names_the_plan(visit):
    seen = visit("Import", "idle", upload=canned.UPLOAD_ID)
    seen.app.radio[0].set_value(ImportMode.MIRROR).run()
    seen.button("preview").click().run()
    ((request,),) = seen.asked("preview_import")
    assert request.mode is ImportMode.MIRROR
    assert request.mapping == canned.MAPPING
    assert seen.param("plan") == canned.PLAN_ID


def test_a_ready_plan_shows_counts_differences_and_errors(visit):
    seen = visit("Import", "idle", plan=canned.PLAN_ID)
    assert "Plan for playbook.csv" in seen.text
    assert '<del class="sy-was">Peter</del> → <ins class="sy-is">Jonas</ins>' in seen.text
    assert "The key is empty." in seen.text
    assert "Give the row a key of its own." in seen.text
    assert "Rows 1–4 of 141" in seen.text


def test_the_filter_of_the_link_asks_only_for_those_rows(visit):
    seen = visit("Import", "idle", plan=canned.PLAN_ID, change="Invalid")
    assert [wanted.change for _, wanted, limit, _ in seen.asked("get_plan") if limit] == [Change.INVALID]
    assert "Peter" not in seen.text


def test_a_filter_nobody_knows_shows_all_rows(visit):
    assert "Rows 1–4 of 141" in visit("Import", "idle", plan=canned.PLAN_ID, change="nonsense").text


def test_held_removals_stay_unless_somebody_chooses_to_remove_them_and_types_their_number(visit):
    seen = visit("Import", "idle", plan=canned.PLAN_ID)
    assert "Apply: 122 entries" in seen.text
    seen.app.radio(key="removals").set_value(True).run()
    assert "Apply: 140 entries" in seen.text
    seen.button("apply_plan").click().run()
    assert not seen.asked("start_import")
    assert "Apply and remove 18 entries?" in seen.dialog_title
    assert "A safety snapshot of the index is taken first" in seen.text
    assert seen.button("dialog_confirm").disabled
    seen.typed_field().set_value("17").run()
    assert seen.button("dialog_confirm").disabled
    seen.typed_field().set_value("18").run()
    seen.button("dialog_confirm").click().run()
    ((request, key),) = seen.asked("start_import")
    assert request.approve_removals == 18
    assert request.policy is InvalidPolicy.SKIP
    assert key
    assert seen.param("job") == canned.JOB_ID


def test_without_that_choice_the_rest_is_applied_at_once_and_nothing_is_removed(visit):
    seen = visit("Import", "idle", plan=canned.PLAN_ID)
    seen.button("apply_plan").click().run()
    ((request, _),) = seen.asked("start_import")
    assert request.approve_removals is None


def test_all_or_nothing_is_refused_on_the_page_while_rows_are_invalid(visit):
    seen = visit("Import", "idle", plan=canned.PLAN_ID)
    seen.app.radio(key="policy").set_value(InvalidPolicy.ALL_OR_NOTHING).run()
    assert seen.button("apply_plan").disabled
    assert "1 row is invalid" in seen.text


def test_a_plan_without_changes_says_there_is_nothing_to_do(visit):
    seen = visit("Import", "idle")
    nothing = Gate(
        allowed=False,
        reason_code=Reason.NOTHING_TO_DO,
        reason_text="Nothing to do: the table already holds exactly this.",
        holder=canned.PLAN_ID,
    )
    seen.client.plan = canned.plan(counts=PlanCounts(unchanged=150), to_embed=0, held_removals=0, rows=[], gate=nothing)
    seen.app.query_params["plan"] = canned.PLAN_ID
    seen.run()
    assert seen.button("apply_plan").disabled
    assert "Nothing to do: the table already holds exactly this" in seen.text


def test_a_refusal_of_the_service_is_shown_in_its_own_words(visit):
    seen = visit("Import", "idle", plan=canned.PLAN_ID)
    seen.client.refusal = Gate(
        allowed=False, reason_code=Reason.PLAN_STALE, reason_text="The table has changed since this plan was made.", fix_link="/Import"
    )
    seen.button("apply_plan").click().run()
    assert "The plan was not applied" in seen.text
    assert "The table has changed since this plan was made." in seen.text


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (canned.plan(PlanState.STALE), "This plan can no longer be applied."),
        (canned.plan(PlanState.APPLIED, applied_by_job=canned.JOB_ID), "This plan was applied."),
        (
            canned.plan(
                PlanState.FAILED, error=JobError(code="unreadable_source", detail="Line 7 has 9 cells instead of 6.", action="Mend line 7.")
            ),
            "Line 7 has 9 cells instead of 6.",
        ),
    ],
)
def test_a_plan_that_cannot_be_applied_says_why_and_offers_no_apply(visit, plan, words):
    seen = visit("Import", "idle")
    seen.client.plan = plan
    seen.app.query_params["plan"] = canned.PLAN_ID
    seen.run()
    assert words in seen.text
    assert not seen.has_button("apply_plan")


def test_a_plan_in_the_making_shows_its_progress(visit):
    seen = visit("Import", "idle")
    running = canned.job(Operation.PREVIEW, JobState.RUNNING, progress=Progress(phase="reading", done=512, total=1024))
    jobs = seen.hub.readings[Topic.JOBS]
    seen.hub.readings[Topic.JOBS] = jobs.model_copy(update={"active": [running]})
    seen.client.plan = canned.plan(PlanState.BUILDING)
    seen.app.query_params["plan"] = canned.PLAN_ID
    seen.run()
    assert [bar.proto.text for bar in seen.app.get("progress")] == ["reading · 512 of 1,024 · time left unknown"]


def test_a_plan_that_is_gone_says_so_instead_of_a_trace(visit):
    assert "This plan cannot be shown" in visit("Import", "idle", plan="0" * 32).text


def test_the_job_of_the_link_shows_what_came_of_it_and_where_to_go_next(visit):
    seen = visit("Import", "idle", job=canned.JOB_ID)
    assert "148 new, 2 changed" in seen.text
    assert "Everything is searchable: 150 entries in generation 3." in seen.text
    assert "Watch the queue" in seen.text


def test_after_an_import_the_way_to_being_searchable_is_shown(visit):
    seen = visit("Import", "busy", job=canned.JOB_ID)
    assert [bar.proto.text for bar in seen.app.get("progress")] == ["Embedding: 40,152 rows to go"]


@pytest.mark.feature("I8", "M11")
def test_beside_the_last_import_stands_when_what_waits_will_be_searchable(visit):
    text = visit("Import", "busy").text
    assert "searchable with the index refresh after that" in text[text.index("Last import") :]
    assert "Searchable in" not in visit("Import", "idle").text


@pytest.mark.feature("I8")
@pytest.mark.parametrize(
    ("state", "word"), [(JobState.SUCCEEDED, "succeeded"), (JobState.FAILED, "failed"), (JobState.CANCELLED, "cancelled")]
)
def test_the_last_run_card_is_the_same_on_success_failure_and_cancellation(visit, state, word):
    seen = visit("Import", "idle")
    last = canned.job(
        Operation.IMPORT, state, error=JobError(code="internal", detail="The disk is full.") if state is JobState.FAILED else None
    )
    jobs = seen.hub.readings[Topic.JOBS]
    seen.hub.readings[Topic.JOBS] = jobs.model_copy(update={"operations": canned.operations(**{"import": last})})
    seen.run()
    card = seen.text[seen.text.index("Last import") :].split("\n")[0]
    for words in (f"</span>{word}</span>", "4 min ago", "took 59 s", "by local admin", f"/?job={canned.JOB_ID}", "<time datetime="):
        assert words in card


def test_offline_every_start_is_off_with_the_reason(visit):
    seen = visit("Import", "offline")
    assert seen.button("load_sample").disabled
    assert "actions are off until it is back" in seen.text


@pytest.mark.feature("I7")
def test_what_was_suggested_says_how_sure_it_is(visit):
    seen = visit("Import", "idle", upload=canned.UPLOAD_ID)
    assert "look twice at category" in seen.text
    assert "a guess: look twice" in seen.text
    assert "its cells have about 61 characters" in seen.text


def test_how_the_file_was_read_can_be_put_right_and_stays_in_the_link(visit):
    seen = visit("Import", "idle", upload=canned.UPLOAD_ID)
    seen.app.selectbox(key="read_encoding_utf-8").set_value("cp1250").run()
    assert seen.param("encoding") == "cp1250"
    assert seen.asked("get_upload_columns")[-1][0].encoding == "cp1250"
    again = visit("Import", "idle", upload=canned.UPLOAD_ID, header_row="4", delimiter=";", encoding="nonsense")
    asked = again.asked("get_upload_columns")[0][0]
    assert (asked.header_row, asked.delimiter, asked.encoding) == (4, ";", None)


@pytest.mark.feature("M1")
def test_rows_are_left_out_with_an_undo_and_the_apply_says_so(visit):
    seen = visit("Import", "idle", plan=canned.PLAN_ID)
    seen.app.multiselect[0].set_value([2]).run()
    ((_, request),) = seen.asked("tick_rows")
    assert (request.positions, request.ticked, request.ticks_revision) == ([2], False, 0)
    assert "1 row left out of the plan" in seen.text
    assert "left out</span>" in seen.text
    assert "Apply: 121 entries" in seen.text
    seen.button("apply_plan").click().run()
    assert seen.asked("start_import")[0][0].ticks_revision == 1


@pytest.mark.feature("M1")
def test_a_single_column_of_a_row_is_left_out_with_an_undo_and_the_plan_shows_what_stays(visit):
    seen = visit("Import", "idle", plan=canned.PLAN_ID)
    seen.app.multiselect[1].set_value([(2, "owner")]).run()
    ((_, request),) = seen.asked("tick_rows")
    assert (request.positions, request.columns, request.ticked, request.ticks_revision) == ([2], ["owner"], False, 0)
    assert "1 column left out of the plan" in seen.text
    assert '<span>owner</span><span>Peter <span class="sy-badge' in seen.text
    assert "What was left out (1 single column) stays as it is in the table." in seen.text
    seen.button("undo_action").click().run()
    assert [request.ticked for _, request in seen.asked("tick_rows")] == [False, True]
    assert "The columns are in the plan as they were before" in seen.text
    seen.button("apply_plan").click().run()
    assert seen.asked("start_import")[0][0].ticks_revision == 2


def test_all_rows_that_match_are_left_out_at_once(visit):
    seen = visit("Import", "idle", plan=canned.PLAN_ID, find="Invoice")
    assert "Leave out all 1 that match" in seen.text
    seen.button("untick_all").click().run()
    assert seen.asked("tick_rows")[0][1].matching.text == "Invoice"


@pytest.mark.feature("I5")
def test_bad_rows_are_counted_by_rule_and_can_be_downloaded(visit):
    seen = visit("Import", "idle", plan=canned.PLAN_ID)
    box = next(box for box in seen.app.selectbox if box.key == "rule")
    assert box.options[:2] == ["All rules", "The key is empty"]
    assert "The key is empty: 1" in seen.text
    assert f"/api/plans/{canned.PLAN_ID}/bad-rows?ticket=t1cket" in seen.text
    box.set_value("The key is empty").run()
    assert "key_empty" in {wanted.rule for _, wanted, _, _ in seen.asked("get_plan")}
    linked = visit("Import", "idle", plan=canned.PLAN_ID, rule="The key is empty")
    assert {wanted.rule for _, wanted, limit, _ in linked.asked("get_plan") if limit} == {"key_empty"}
