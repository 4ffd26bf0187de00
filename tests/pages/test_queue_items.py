"""Queue: failures by cause with what helps, the rows one by one, and where a row is."""

from __future__ import annotations

import pytest

from lib.contract.events import Topic
from lib.contract.queue import ItemFilter, ItemSelection, RequeueRequest
from lib.contract.states import FailureCause, ItemState
from tests.pages import canned

LONG = FailureCause.TEXT_TOO_LONG


@pytest.mark.feature("Q6", "M4")
def test_each_cause_stands_in_a_group_with_its_words_its_samples_and_what_helps(visit):
    seen = visit("Queue", "failed")
    for words in (
        "text too long",
        "empty text",
        "worker lost",
        "4 rows",
        "KB-100",
        "ValueError: 9,214 tokens",
        "Fill its text in the sheet",
    ):
        assert words in seen.text
    for key in ("shorten_text_too_long", "discard_empty_text", "retry_worker_lost"):
        assert seen.has_button(key)
    assert not seen.has_button("retry_empty_text"), "there is nothing to embed: trying again helps nobody"


@pytest.mark.feature("M4")
def test_shortening_and_retrying_is_one_click_with_the_length_the_model_named(visit):
    seen = visit("Queue", "failed")
    assert seen.app.number_input(key="shorten_to_text_too_long").value == 8192
    seen.button("shorten_text_too_long").click().run()
    ((request, key),) = seen.asked("start_requeue")
    assert request == RequeueRequest(selection=ItemSelection(cause=LONG), shorten_to=8192, canary=True)
    assert key
    assert "Shorten 4 rows to 8,192 characters and retry: started" in seen.text


@pytest.mark.feature("M4")
def test_a_group_is_retried_behind_a_canary(visit):
    seen = visit("Queue", "failed")
    seen.button("retry_worker_lost").click().run()
    ((request, _),) = seen.asked("start_requeue")
    assert request == RequeueRequest(selection=ItemSelection(cause=FailureCause.WORKER_LOST), canary=True)


def test_the_rows_of_a_group_are_one_click_away(visit):
    seen = visit("Queue", "failed", rows="All")
    seen.button("rows_empty_text").click().run()
    wanted = seen.asked("list_items")[-1][0]
    assert (wanted.state, wanted.cause) == (ItemState.FAILED, FailureCause.EMPTY_TEXT)


@pytest.mark.feature("Q5", "X11")
def test_the_filters_of_the_link_are_the_ones_asked_for(visit):
    seen = visit("Queue", "failed", rows="Waiting", cause="quota", worker="embedding-2", age="over an hour", text="refund")
    expected = ItemFilter(
        state=ItemState.PENDING, cause=FailureCause.QUOTA, worker_id="embedding-2", older_than_seconds=3600, text="refund"
    )
    assert seen.asked("list_items")[0][0] == expected
    assert "No row matches." in seen.text


@pytest.mark.feature("Q4")
def test_selected_rows_are_retried_by_id_even_after_the_list_has_moved(visit):
    seen = visit("Queue", "failed")
    seen.app.session_state["item_ids"] = [103]
    seen.client.failures = seen.client.failures[2:]
    seen.app.session_state["items_acted"] = 1
    seen.run()
    assert [failure.entry_id for failure in seen.client.failures].index(103) == 1
    seen.button("retry_chosen").click().run()
    assert seen.asked("retry_failures") == [(ItemSelection(entry_ids=[103]),)]


def test_the_rows_stand_still_until_newer_ones_are_asked_for(visit):
    seen = visit("Queue", "failed")
    assert not seen.has_button("items_refresh")
    queue = seen.hub.readings[Topic.QUEUE]
    seen.hub.readings[Topic.QUEUE] = queue.model_copy(update={"failed": queue.failed + 5})
    seen.run()
    assert len(seen.asked("list_items")) == 1
    seen.button("items_refresh").click().run()
    assert len(seen.asked("list_items")) == 2
    assert not seen.has_button("items_refresh")


@pytest.mark.feature("Q4")
def test_retry_all_covers_the_filter_and_says_what_it_did(visit):
    seen = visit("Queue", "failed", cause="empty text")
    assert "Retry all 4" in seen.text
    seen.button("retry_all").click().run()
    assert seen.asked("retry_failures") == [(ItemSelection(state=ItemState.FAILED, cause=FailureCause.EMPTY_TEXT),)]
    assert "Back in the queue" in seen.text


def test_discarding_is_asked_first_with_the_exact_number(visit):
    seen = visit("Queue", "failed")
    seen.button("discard_all").click().run()
    assert "Discard 12 rows?" in str(seen.app.get("dialog")[0].proto)
    assert "Those that were never embedded are found by no search; those that were go on being found" in seen.text
    assert not seen.asked("discard_failures")
    seen.button("dialog_confirm").click().run()
    assert "1 skipped, no longer failed" in seen.text


@pytest.mark.feature("Q8")
def test_waiting_rows_can_be_put_first_and_many_of_them_as_a_job(visit):
    seen = visit("Queue", "failed", rows="Waiting")
    seen.button("first_all").click().run()
    assert seen.asked("put_items_first") == [(ItemSelection(state=ItemState.PENDING),)]
    assert "Put first: so many rows that a job does it" in seen.text


@pytest.mark.feature("Q3")
def test_one_selected_row_shows_its_raw_error_and_its_workers_log_behind_folds_and_leads_to_its_trail(visit):
    seen = visit("Queue", "failed")
    seen.app.session_state["item_ids"] = [101]
    seen.run()
    assert "<details><summary>Details</summary><pre" in seen.text
    ((worker_id, _),) = seen.asked("get_worker_log")
    assert worker_id == "embedding-1"
    assert "embedding_failed cause=quota rows=1 detail=HTTP 429: &lt;slow&gt; down" in seen.text
    seen.button("trace_one").click().run()
    assert seen.asked("trace_entry") == [(101,)]
    assert seen.param("row") == "101"


@pytest.mark.feature("M9", "Q7")
def test_a_row_that_is_the_only_match_is_followed_at_once(visit):
    seen = visit("Queue", "idle", where="one")
    assert seen.asked("trace_entry") == [(101,)]
    for words in ("It is searchable.", "row 7 of playbook.csv", "HTTP 429: &lt;slow&gt; down", f"?job={canned.JOB_ID}"):
        assert words in seen.text
    assert "gap</span>" in seen.text


@pytest.mark.feature("M9", "Q7")
def test_of_several_matches_a_person_chooses_one(visit):
    seen = visit("Queue", "idle", where="two")
    assert "2 rows match. There are more" in seen.text
    assert not seen.asked("trace_entry")
    seen.button("trace_102").click().run()
    assert seen.asked("trace_entry") == [(102,)]
    assert "No row matches." in visit("Queue", "idle", where="nobody").text


def test_the_empty_states_differ(visit):
    idle = visit("Queue", "idle").text
    assert "No row has failed." in idle
    assert "No failed row." in idle
    assert "No row matches." in visit("Queue", "failed", text="nothing like this").text


@pytest.mark.feature("Q2", "X14")
def test_what_the_charts_say_stands_in_a_table_too_with_what_failed_and_what_people_did_meanwhile(visit):
    seen = visit("Queue", "busy", window="15m")
    samples, done = seen.text.index("Samples, newest first"), seen.text.index("What people did and wrote meanwhile")
    assert "Failed" in seen.text[samples:done]
    told = seen.text[done:]
    assert told.index("The &lt;b&gt;disk&lt;/b&gt; is new") < told.index("Paused 2 workers: disk is being replaced")
    assert "Maria" in told
