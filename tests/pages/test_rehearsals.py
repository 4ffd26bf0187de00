"""The rehearsal room: begun on a plan or beside another model, read and searched before and after, promoted or thrown away."""

from __future__ import annotations

import pytest

from lib.contract.imports import ImportRequest
from lib.contract.operations import Gate, Reason
from lib.contract.reembedding import ReembedRequest
from lib.contract.rehearsals import ImportChange, ModelChange, RehearsedSide, RehearseRequest
from lib.contract.states import EmbedderKind, JobState
from tests.pages.canned import PLAN_ID
from tests.pages.fake_rehearsals import MODEL, REHEARSAL_ID, head, heads, promoted, promotion, rehearsal, worse


@pytest.fixture
def report(visit):
    def open_it(found=None):
        seen = visit("Index", "idle")
        if found is not None:
            seen.client.rehearsal = found
        seen.app.query_params["rehearsal"] = REHEARSAL_ID
        return seen.run()

    return open_it


@pytest.mark.feature("M15")
def test_a_plan_is_rehearsed_exactly_as_it_would_be_applied(visit):
    seen = visit("Import", "idle", plan=PLAN_ID)
    assert "Nothing that is served, kept or queued changes." in seen.text
    seen.app.number_input(key=f"rehearse_rows_plan_{PLAN_ID}").set_value(700).run()
    seen.app.checkbox(key="rehearse_removals").check().run()
    seen.button(f"rehearse_plan_{PLAN_ID}").click().run()
    ((request, key),) = seen.asked("start_rehearsal")
    change = ImportChange(plan_id=PLAN_ID, mode="mirror", approve_removals=18, ticks_revision=0)
    assert request == RehearseRequest(change=change, rows=700)
    assert key
    assert "Rehearsal started; production stays as it is" in seen.text


def test_a_plan_says_that_it_was_rehearsed_and_where_to_look(visit):
    seen = visit("Import", "idle", plan=PLAN_ID)
    seen.client.rehearsals = [head()]
    seen.run()
    assert f"/Index?tab=Rehearsals&rehearsal={REHEARSAL_ID}" in visit_again(seen).text


def visit_again(seen):
    import streamlit as st

    st.cache_data.clear()
    return seen.run()


@pytest.mark.feature("M15")
def test_another_model_is_rehearsed_beside_its_cost(visit):
    seen = visit("Index", "idle")
    seen.app.selectbox(key="reembed_kind").set_value(EmbedderKind.OPENAI).run()
    seen.button("plan_reembedding").click().run()
    seen.button("rehearse_model").click().run()
    ((request, _),) = seen.asked("start_rehearsal")
    assert request == RehearseRequest(change=ModelChange(**MODEL.model_dump(exclude={"kind"})))
    assert not seen.asked("start_reembedding")


@pytest.mark.feature("M15")
def test_the_report_shows_before_beside_after_and_promotes_exactly_what_was_tried(report):
    seen = report()
    for words in (
        "nothing got worse",
        "Tried on the 122 rows that the import touches, and 150 rows of the table (of 152) that it leaves alone",
        "91.0%",
        "121 texts embedded for it",
        "3 golden questions asked. All are answered as now.",
        "As it would be",
    ):
        assert words in seen.text, words
    seen.button("promote").click().run()
    assert "**122 rows** of the table are touched; nothing has to be embedded any more" in seen.text
    assert not seen.button("dialog_confirm").disabled, "asked, and not typed: the import can be undone"
    seen.button("dialog_confirm").click().run()
    ((request, key),) = seen.asked("start_import")
    assert request == ImportRequest(plan_id=PLAN_ID, ticks_revision=0)
    assert key
    assert not seen.asked("start_reembedding")


def test_removals_that_were_held_are_typed_also_when_they_are_promoted(report):
    seen = report(rehearsal(change=ImportChange(plan_id=PLAN_ID, approve_removals=18)))
    seen.button("promote").click().run()
    assert seen.button("dialog_confirm").disabled
    seen.typed_field().set_value("18").run()
    seen.button("dialog_confirm").click().run()
    assert seen.asked("start_import")[0][0] == ImportRequest(plan_id=PLAN_ID, approve_removals=18)


@pytest.mark.feature("M15", "M10")
def test_a_worse_model_is_flagged_by_the_question_and_promoted_only_by_whoever_types_its_name(report):
    seen = report(worse())
    for words in (
        "sy-box-bad",
        "1 golden question gets a worse answer.",
        "Who is on call?",
        "gets worse",
        "OPS-7",
        "ACC-1",
        "nomic-embed-text-768",
    ):
        assert words in seen.text, words
    assert "for the whole; no rate was measured" in seen.text
    seen.button("promote").click().run()
    assert "The rehearsal found it worse than what is served." in seen.text
    assert seen.button("dialog_confirm").disabled
    seen.typed_field().set_value("nomic-embed-text-768").run()
    seen.button("dialog_confirm").click().run()
    assert seen.asked("start_reembedding")[0][0] == ReembedRequest(**MODEL.model_dump(exclude={"kind"}))
    assert not seen.asked("start_import")


@pytest.mark.feature("M15", "M7")
def test_what_was_promoted_or_has_moved_says_why_it_cannot_be_promoted(report):
    seen = report(promoted())
    assert seen.button("promote").disabled
    assert "It has been promoted already" in seen.text
    assert "promoted by Maria" in seen.text
    assert f"/?job={'c' * 32}" in seen.text
    moved = Gate(
        allowed=False, reason_code=Reason.PLAN_STALE, reason_text="The table has changed since this plan was made.", fix_link="/Import"
    )
    seen = report(rehearsal(gate=moved))
    assert seen.button("promote").disabled
    assert "The table has changed since this plan was made" in seen.text


@pytest.mark.feature("M15")
def test_both_sides_are_searched_at_once_and_each_hit_says_where_the_other_has_it(report):
    seen = report()
    seen.app.text_input(key="rehearsal_text").set_value("cannot log in").run()
    assert seen.asked("search_rehearsal") == [(REHEARSAL_ID, "cannot log in", 5)]
    for words in ("As it is", "KB-200", "only here", "place 2 there"):
        assert words in seen.text, words


@pytest.mark.feature("M15")
@pytest.mark.parametrize(
    ("whole", "words"),
    [("IDMap2,Flat", "the scores are the same"), ("IDMap2,SQ8", "scores may differ a little"), ("IVF4899,SQ8", "miss about one of ten")],
)
def test_the_report_says_how_far_the_samples_scores_are_those_of_production(report, whole, words):
    side = RehearsedSide(embedder="wordllama-256", dimension=256, vectors=272, factory="IDMap2,Flat", whole_factory=whole)
    assert words in report(rehearsal(before=side, after=side)).text


def test_a_promotion_that_came_to_nothing_is_called_so(report):
    seen = report(rehearsal(promotion=promotion(JobState.CANCELLED)))
    assert "promotion cancelled" in seen.text
    assert not seen.button("promote").disabled


def test_without_golden_questions_it_says_that_nothing_knows_what_is_right(report):
    seen = report(rehearsal(questions_asked=0))
    assert "nothing here knows what a right answer is" in seen.text


def test_the_list_shows_every_state_and_one_is_thrown_away_only_when_asked(visit):
    seen = visit("Index", "idle", tab="Rehearsals")
    assert "Nothing was rehearsed yet." in seen.text
    seen.client.rehearsals = heads()
    seen = visit_again(seen)
    for words in ("running", "nothing got worse", "promoted", "worse", "cancelled", "no longer kept", "kept for", "272 rows tried"):
        assert words in seen.text, words
    assert not seen.has_button(f"open_rehearsal_{'5' * 32}")
    seen.button(f"throw_away_list_{REHEARSAL_ID}").click().run()
    assert "Production is not touched." in seen.text
    assert not seen.asked("delete_rehearsal")
    seen.button("dialog_confirm").click().run()
    assert seen.asked("delete_rehearsal") == [(REHEARSAL_ID,)]


def test_the_job_of_a_rehearsal_leads_to_its_report(visit):
    assert "Open the report" in visit("Index", "idle", job=REHEARSAL_ID).text
