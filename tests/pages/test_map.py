"""The Map part of the Index page: what was laid out, the lasso of a link, the rows behind it, and the list beside it."""

from __future__ import annotations

import pytest
import streamlit as st

from lib.contract.events import Topic
from lib.contract.maps import MapPart, MapRequest, RenewRequest
from lib.contract.states import JobState, Operation
from tests.pages.canned import job, operations
from tests.pages.fake_maps import laid_out


def visit_map(visit, latest, **params):
    seen = visit("Index", "fresh" if latest is None else "idle", tab="Map", **params)
    seen.client.map = latest
    st.cache_data.clear()
    return seen.run().run()


def test_without_a_map_the_page_says_what_one_is_good_for_and_why_none_can_be_laid_out(visit):
    seen = visit_map(visit, None)
    assert "Nothing was laid out yet." in seen.text
    assert seen.button("start_map").disabled, "there is no index, and the gate says so"
    assert not seen.asked("get_map_points")


@pytest.mark.feature("M5")
def test_the_map_says_its_age_its_generation_and_that_the_index_has_moved_on(visit):
    seen = visit_map(visit, laid_out(vectors=99_976, generation=2))
    for words in (
        "120 of 99,976 rows, a sample that stays the same",
        "6 min ago",
        "by Maria",
        "117 stand where they stood",
        "generation 3 by now",
    ):
        assert words in seen.text, words
    assert "log, in" in seen.text, "the regions are listed for those who do not see the chart"
    assert len(seen.asked("get_map_points")) == 1, "the points are read once"
    seen.button("start_map").click().run()
    seen.button("start_other_map").click().run()
    seen.button("start_map_anew").click().run()
    assert [request for request, _ in seen.asked("start_map")] == [MapRequest(), MapRequest(layout="fine"), MapRequest(anew=True)]


@pytest.mark.feature("M5", "X11")
def test_the_lasso_of_a_link_lists_exactly_the_rows_inside(visit):
    seen = visit_map(visit, laid_out(), lasso="9.5_0.5_11.5_0.5_11.5_1_9.5_1")
    assert "20 rows in the lasso" in seen.text
    assert "KB-120" in seen.text
    assert "KB-119" not in seen.text.replace("KB-119</td>", "")  # only as somebody's nearest
    assert seen.param("lasso") == "9.5_0.5_11.5_0.5_11.5_1_9.5_1"
    assert "drawn on another map" not in seen.text
    assert "Download 20 rows (CSV)" in {button.label for button in seen.app.get("download_button")} or "20 rows" in seen.text


@pytest.mark.feature("M5")
def test_the_rows_of_a_lasso_are_embedded_again_after_a_question_that_says_how_many_and_what_it_costs(visit):
    seen = visit_map(visit, laid_out(), lasso="9.5_0.5_11.5_0.5_11.5_1_9.5_1")
    seen.button("start_renewal").click().run()
    assert seen.dialog_title == "Embed 20 rows again?"
    for words in ("**20 rows**", "no money", "Search goes on with the present vectors", "Nobody can bring back"):
        assert words in seen.text, words
    assert not seen.asked("start_renewal")
    seen.button("dialog_confirm").click().run()
    ((request, key),) = seen.asked("start_renewal")
    assert request == RenewRequest(map_id="6" * 32, part=MapPart(lasso=((9.5, 0.5), (11.5, 0.5), (11.5, 1.0), (9.5, 1.0))))
    assert key
    assert "20 rows are put into the queue to be embedded again" in seen.text


@pytest.mark.feature("M5")
def test_the_map_says_what_came_of_embedding_again_and_why_rows_were_skipped(visit):
    seen = visit_map(visit, laid_out())
    result = {"done": 18, "skipped": 2, "gone": 1, "in_queue": 1, "failed_before": 0, "discarded": 0}
    renewed = operations(renew=job(Operation.RENEW, JobState.SUCCEEDED, result=result))
    seen.hub.readings[Topic.JOBS] = seen.hub.readings[Topic.JOBS].model_copy(update={"operations": renewed})
    seen.run()
    assert "18 rows in the queue to be embedded again, 2 skipped (1 no longer in the table, 1 in the queue already)" in seen.text


@pytest.mark.feature("M5", "X14")
def test_without_the_chart_a_region_and_what_is_there_twice_are_found_by_choosing(visit):
    seen = visit_map(visit, laid_out(), region="log, in", kind="Nearly the same")
    assert "2 rows of “log, in”, nearly the same" in seen.text.replace("Nearly", "nearly")
    assert "KB-000" in seen.text
    assert "0.99" in seen.text
    seen = visit_map(visit, laid_out(), kind="Stand alone")
    assert "KB-039" in seen.text
    assert "KB-001<" not in seen.text


@pytest.mark.feature("M5", "X11")
def test_what_a_link_to_the_map_says_that_this_map_does_not_have_is_said_and_left_aside(visit):
    seen = visit_map(visit, laid_out(), lasso="here_there", colour="Mood", region="Atlantis")
    said = seen.text.split("Part of this link was not understood")[1].split("left aside")[0]
    assert all(each in said for each in ("lasso=here_there", "colour=Mood", "region=Atlantis"))
    assert "draw a line around some rows" in seen.text, "and the page shows what it shows without"
    assert not {"lasso", "colour", "region"} & set(seen.app.query_params)


@pytest.mark.feature("M5", "X11")
def test_a_lasso_that_was_drawn_on_another_map_says_so_and_one_of_this_map_does_not(visit):
    assert "drawn on another map" in visit_map(visit, laid_out(), lasso="9.5_0.5_11.5_0.5_11.5_1_9.5_1", map="77777777").text
    assert "drawn on another map" not in visit_map(visit, laid_out(), lasso="9.5_0.5_11.5_0.5_11.5_1_9.5_1", map="66666666").text
