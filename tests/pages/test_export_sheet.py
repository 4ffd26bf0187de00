"""Export to a Google sheet: choose, compare, decide, write, and learn whether it arrived."""

from __future__ import annotations

from typing import Any

import pytest
import streamlit as st

from lib.contract.events import Topic
from lib.contract.export_plans import CellChange, ExportPlanCounts
from lib.contract.exports import Side
from lib.contract.jobs import QUOTA_WAIT, Job, JobError, Progress
from lib.contract.operations import Gate, Reason
from lib.contract.states import JobState, Operation, PlanState
from lib.ui.frames.conflicts import KEEP_WORDS
from lib.ui.frames.writing import describe_commit
from lib.ui.results import summarize
from tests.pages.canned import JOB_ID, PLAN_ID, job, now
from tests.pages.fake_access import EMAIL, TABS, with_access
from tests.pages.fake_exports import TARGET, export_plan

SHEET = {"target": "A Google sheet", "spreadsheet": TABS.spreadsheet_id, "sheet": "Data"}
OURS = KEEP_WORDS[Side.OURS]


def writing(state: JobState, **more: Any) -> Job:
    arguments = {"plan_id": PLAN_ID, "target": TARGET.model_dump()}
    return job(Operation.EXPORT, state, arguments=arguments, **more)


def with_job(seen: Any, running: Job) -> None:
    """The feed knows of this job too."""
    jobs = seen.hub.readings[Topic.JOBS]
    place = "active" if running.is_active else "recent"
    seen.hub.readings[Topic.JOBS] = jobs.model_copy(update={place: [running]})
    seen.client.jobs = [running]


class TestChoosing:
    def test_without_a_key_it_says_what_is_missing_and_where_it_is_stored(self, visit):
        seen = visit("Export", "idle", target="A Google sheet")
        assert seen.button("compare_sheet").disabled
        assert "No Google key is stored yet, so no sheet can be read." in seen.text
        assert "Store a Google key" in seen.text

    @pytest.mark.feature("E2")
    def test_a_link_holds_the_sheet_and_the_comparison_gets_the_whole_choice(self, visit):
        seen = visit("Export", "idle", contains="refund", **SHEET)
        seen.hub.readings |= with_access()
        seen.run()
        assert EMAIL in [each.value for each in seen.app.code]
        seen.button("compare_sheet").click().run()
        ((request,),) = seen.asked("preview_export")
        assert (request.target, request.filter.text) == (TARGET, "refund")
        assert seen.param("plan") == PLAN_ID

    @pytest.mark.parametrize(
        ("params", "why"),
        [
            ({"target": "A Google sheet"}, "Paste the address of the sheet first."),
            ({**SHEET, "sheet": "Gone"}, "Choose the tab to write to."),
        ],
    )
    def test_what_is_missing_stands_beside_the_button(self, visit, params, why):
        seen = visit("Export", "idle", **params)
        seen.hub.readings |= with_access()
        seen.run()
        assert seen.button("compare_sheet").disabled
        assert why in seen.text

    def test_a_field_without_a_value_narrows_nothing_and_says_so(self, visit):
        seen = visit("Export", "idle", field="owner")
        assert "Type which value “owner” must have" in seen.text
        assert not seen.button("start_export").disabled
        assert [wanted.fields for (wanted,) in seen.asked("get_export_scope")] == [{}]


class TestPlan:
    @pytest.mark.feature("E2")
    def test_it_shows_each_cell_and_what_stays_of_other_people(self, visit):
        seen = visit("Export", "idle", plan=PLAN_ID)
        assert "1 column of other people stays untouched: <b>notes &lt;b&gt;</b>." in seen.text
        assert '<del class="sy-was">old</del> → <ins class="sy-is">new</ins>' in seen.text
        assert "Write 1 cell" in seen.button("write_plan").label
        seen = visit("Export", "idle", plan=PLAN_ID, change="Change")
        assert "KB-003" in seen.text
        assert seen.asked("get_export_plan")[0][1] == "change"
        assert "Rows 1–1 of 1" in seen.text

    @pytest.mark.feature("E4")
    def test_theirs_stay_until_a_person_decides_by_row_or_for_all(self, visit):
        seen = visit("Export", "idle", plan=PLAN_ID)
        assert "theirs &lt;i&gt;" in seen.text
        assert "(not known)" in seen.text
        decide = next(each for each in seen.app.get("button_group") if (each.key or "").startswith("decide_"))
        decide.set_value(OURS).run()
        assert seen.button("write_plan").label == "Write 3 cells"
        seen.button("write_plan").click().run()
        assert seen.dialog_title == "Write 3 cells to “Data”?"
        assert "2 of 3 conflicting cells overwritten" in seen.text
        seen.button("dialog_confirm").click().run()
        ((request, key),) = seen.asked("start_export")
        assert (request.plan_id, request.keep, request.choices) == (PLAN_ID, Side.THEIRS, {"KB-001": Side.OURS})
        assert key
        assert seen.param("job") == JOB_ID
        assert visit("Export", "idle", plan=PLAN_ID, keep=OURS).button("write_plan").label == "Write 4 cells"

    def test_conflicts_of_many_rows_say_how_many_there_are(self, visit):
        seen = visit("Export", "idle", plan=PLAN_ID)
        conflict = next(row for row in seen.client.export_plan.rows if row.change is CellChange.CONFLICT)
        seen.client.export_plan = export_plan(rows=[conflict.model_copy(update={"key": f"KB-{each}"}) for each in range(11)])
        st.cache_data.clear()
        assert "Rows with a conflict 1–10 of 11" in seen.run().text

    def test_many_cells_that_are_taken_away_want_their_number(self, visit):
        seen = visit("Export", "idle", plan=PLAN_ID)
        seen.client.export_plan = export_plan(counts=ExportPlanCounts(clear=400, rows=200))
        seen.run()
        seen.button("write_plan").click().run()
        assert seen.button("dialog_confirm").disabled
        seen.typed_field().set_value("400").run()
        assert not seen.button("dialog_confirm").disabled

    def test_nothing_to_write_is_said_and_not_offered(self, visit):
        seen = visit("Export", "idle", plan=PLAN_ID)
        why = "Nothing to do: the sheet holds exactly this already."
        seen.client.export_plan = export_plan(
            counts=ExportPlanCounts(unchanged_rows=150),
            rows=[],
            gate=Gate(allowed=False, reason_code=Reason.NOTHING_TO_DO, reason_text=why),
        )
        st.cache_data.clear()
        seen.run()
        assert seen.button("write_plan").disabled
        assert seen.button("write_plan").label == "Nothing to write"
        assert why in seen.text

    @pytest.mark.parametrize("state", [PlanState.FAILED, PlanState.STALE, PlanState.APPLIED])
    def test_a_plan_that_cannot_be_written_offers_a_new_comparison(self, visit, state):
        error = JobError(code="tab_missing", detail="There is no tab <Data>.") if state is PlanState.FAILED else None
        seen = visit("Export", "idle", plan=PLAN_ID)
        seen.client.export_plan = export_plan(state=state, error=error, applied_by_job=JOB_ID)
        seen.run()
        assert not seen.has_button("write_plan")
        assert state is not PlanState.FAILED or "There is no tab &lt;Data&gt;." in seen.text
        seen.button("compare_again").click().run()
        assert seen.asked("preview_export")[0][0].target == TARGET

    def test_an_unknown_plan_is_said_to_be_unknown(self, visit):
        assert "This plan cannot be shown" in visit("Export", "idle", plan="nonsense").text


class TestWriting:
    @pytest.mark.feature("E7")
    def test_a_wait_for_quota_is_a_countdown_and_can_be_called_off(self, visit):
        progress = Progress(phase=f"{QUOTA_WAIT}: 12 s", updated_at=now())
        seen = visit("Export", "idle", job=JOB_ID)
        with_job(seen, writing(JobState.RUNNING, progress=progress))
        seen.run()
        assert "Google’s calls per minute are used up: it goes on by itself in 12 s." in seen.text
        seen.button(f"export_cancel_{JOB_ID}").click().run()
        seen.button("dialog_confirm").click().run()
        assert seen.asked("cancel_job") == [(JOB_ID,)]

    @pytest.mark.feature("E3")
    def test_the_outcome_says_that_the_sheet_holds_it(self, visit):
        seen = visit("Export", "idle", job=JOB_ID)
        result = {"spreadsheet": "Playbook", "tab": "Data", "rows": 150, "add": 2, "change": 1, "clear": 0, "keep": 2}
        with_job(seen, writing(JobState.SUCCEEDED, result=result | {"conflicts_ours": 1, "conflicts_theirs": 0}))
        seen.run()
        assert "Playbook · Data: 2 added, 1 changed" in seen.text
        assert "The sheet holds it." in seen.text

    @pytest.mark.feature("E3")
    @pytest.mark.parametrize(
        ("state", "code", "began", "said"),
        [
            (JobState.FAILED, "plan_stale", True, "Nothing was written"),
            (JobState.CANCELLED, None, True, "Nothing was written"),
            (JobState.FAILED, "sheets_unreachable", False, "Nothing was written"),
            (JobState.FAILED, "sheets_unreachable", True, "It is not known here"),
            (JobState.INTERRUPTED, None, True, "It is not known here"),
        ],
    )
    def test_what_is_known_of_a_write_that_broke_off(self, state, code, began, said):
        error = JobError(code=code, detail="It broke off.") if code else None
        assert said in describe_commit(writing(state, error=error), began=began)[1]

    @pytest.mark.feature("E3")
    def test_a_cancel_after_a_worker_died_denies_no_write(self):
        again = writing(JobState.CANCELLED, attempt=2)
        assert "It is not known here" in describe_commit(again, began=True)[1]
        assert "as it was before" not in summarize(again)
        assert "as it was before" in summarize(writing(JobState.CANCELLED))

    def test_the_job_of_a_comparison_leads_to_its_plan(self, visit):
        seen = visit("Export", "idle")
        with_job(seen, job(Operation.COMPARE, JobState.SUCCEEDED, arguments={"plan_id": PLAN_ID}))
        seen.app.query_params["job"] = JOB_ID
        seen.run()
        assert seen.param("plan") == PLAN_ID
