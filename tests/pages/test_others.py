"""Export, Workers, Queue, Index and Settings in the states empty, busy, failed, offline."""

from __future__ import annotations

import pytest

from lib.contract.events import Topic
from lib.contract.queue import Window
from lib.contract.states import Desired
from tests.pages import canned

PAGES = ["Home", "Import", "Export", "Workers", "Queue", "Index", "Settings"]


@pytest.mark.parametrize("scene", ["fresh", "idle", "busy", "failed", "offline", "silent"])
@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_in_every_situation_and_never_disables_without_words(visit, page, scene):
    seen = visit(page, scene)
    assert f"<h1>{page}</h1>" in seen.text
    assert "sy-bar" in seen.text
    if any(button.disabled for button in seen.app.button):
        assert "sy-why" in seen.text


@pytest.mark.feature("X10")
@pytest.mark.parametrize("page", PAGES)
def test_offline_each_page_says_so_since_when_and_looks_stale(visit, page):
    seen = visit(page, "offline")
    assert "grayscale(1)" in seen.text
    assert "stale since" in seen.text
    assert "What you see is the last that was known" in seen.text
    assert "The service does not answer" in seen.text
    assert "connection refused" in seen.text


@pytest.mark.feature("X10")
def test_one_block_that_nobody_confirms_is_stale_by_itself_while_the_others_are_not(visit):
    seen = visit("Home", "idle")
    seen.hub.silent = frozenset({Topic.SHIFT})
    seen.run()
    heads = {
        html.proto.body.split("<h2>")[1].split("<")[0].strip(): html.proto.body
        for html in seen.app.get("html")
        if "<h2>" in html.proto.body
    }
    old = [head for head, body in heads.items() if "sy-old" in body]
    assert old == ["Shift log"]
    assert "stale since" in heads["Shift log"]
    assert "4 min ago" in heads["Shift log"]
    assert "as of" in heads["Running now"]
    assert "The service does not answer" not in seen.text


class TestExport:
    def test_it_counts_what_would_be_written(self, visit):
        seen = visit("Export", "idle")
        assert ">150<" in seen.text
        seen.app.text_input[0].set_value("refund").run()
        assert seen.asked("get_export_scope")[-1][0].text == "refund"
        assert ">7<" in seen.text

    def test_it_starts_with_the_filter_and_the_choice(self, visit):
        seen = visit("Export", "idle")
        seen.app.text_input[0].set_value("refund").run()
        seen.app.checkbox[0].uncheck().run()
        seen.button("start_export").click().run()
        ((request, key),) = seen.asked("start_export")
        assert request.filter.text == "refund"
        assert request.target.spreadsheet_safe is False
        assert key
        assert "Export started" in seen.text

    @pytest.mark.feature("E1")
    def test_a_link_holds_the_whole_choice(self, visit):
        choice = {"format": "XLSX", "contains": "refund", "state": "failed", "since": "2025-02-01", "field": "owner", "value": "Maria"}
        seen = visit("Export", "idle", columns="advice", **choice)
        seen.button("start_export").click().run()
        ((request, _),) = seen.asked("start_export")
        assert request.target.format == "xlsx"
        assert (request.filter.text, request.filter.state, request.filter.fields) == ("refund", "failed", {"owner": "Maria"})
        assert request.filter.updated_since.isoformat() == "2025-02-01T00:00:00+00:00"
        assert request.columns == ["advice"]

    @pytest.mark.feature("E1")
    def test_what_xlsx_cannot_hold_is_said_before(self, visit):
        assert "will stop and name it" not in visit("Export", "idle").text
        seen = visit("Export", "idle", format="XLSX")
        assert "32,767 characters" in seen.text
        assert "2 entries hold more than 32,767 characters" in seen.text

    def test_a_double_click_repeats_the_idempotency_key(self, visit):
        seen = visit("Export", "idle")
        seen.button("start_export").click().run()
        seen.button("start_export").click().run()
        first, second = (key for _, key in seen.asked("start_export"))
        assert first == second

    def test_each_file_has_size_checksum_age_and_a_ticketed_link_to_the_api(self, visit):
        seen = visit("Export", "idle")
        assert f'href="/api/exports/{canned.EXPORT_ID}/file?ticket=t1cket"' in seen.text
        assert "40.3 KiB" in seen.text
        assert "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" in seen.text
        assert seen.asked("create_ticket") == [("GET", f"/api/exports/{canned.EXPORT_ID}/file")]

    def test_an_empty_table_cannot_be_exported_and_says_where_to_go(self, visit):
        seen = visit("Export", "fresh")
        assert seen.button("start_export").disabled
        assert "The table is empty" in seen.text


class TestWorkers:
    def test_wanted_and_actual_are_shown_apart_when_they_differ(self, visit):
        seen = visit("Workers", "busy")
        assert "Wanted <b>paused</b>, says <b>busy</b>." in seen.text
        assert "</span>pausing</span>" in seen.text

    def test_a_pause_says_who_why_and_since(self, visit):
        seen = visit("Workers", "failed")
        assert "Paused by Maria: “key is being replaced” (14 min ago)." in seen.text

    def test_a_heartbeat_is_alive_or_its_age_when_stale(self, visit):
        assert "alive" in visit("Workers", "idle").text
        assert 'class="sy-ink-bad"><time' in visit("Workers", "failed").text

    def test_a_silent_worker_is_stale_with_its_age_and_no_capacity(self, visit):
        seen = visit("Workers", "failed")
        assert "stale, silent for 4" in seen.text
        assert "0 of 2" in seen.text

    def test_pausing_all_asks_for_a_reason_and_sends_it(self, visit):
        seen = visit("Workers", "idle")
        seen.button("pause_all").click().run()
        assert not seen.asked("pause_workers")
        seen.app.text_input(key="dialog_reason").set_value("maintenance").run()
        seen.button("dialog_confirm").click().run()
        assert seen.asked("pause_workers") == [("maintenance", None, dict.fromkeys(("embedding-1", "embedding-2"), Desired.RUNNING))]
        assert "Paused 2 embedding workers" in seen.text

    def test_draining_one_acts_on_its_id(self, visit):
        seen = visit("Workers", "idle")
        seen.button("drain_embedding-2").click().run()
        seen.button("dialog_confirm").click().run()
        assert seen.asked("drain_worker") == [("embedding-2", "", Desired.RUNNING, None)]

    def test_resuming_is_not_asked_about(self, visit):
        seen = visit("Workers", "failed")
        seen.button("resume_embedding-2").click().run()
        assert seen.asked("resume_worker") == [("embedding-2", "", Desired.PAUSED)]
        assert "Resumed embedding-2" in seen.text

    def test_when_the_service_cannot_the_dialog_stays_and_says_why(self, visit):
        seen = visit("Workers", "idle")
        seen.button("pause_all").click().run()
        seen.client.down = True
        seen.button("dialog_confirm").click().run()
        assert "Not done: Pause 2 embedding workers?" in seen.text
        assert seen.has_button("dialog_confirm")

    def test_a_pause_is_felt_on_the_pages_it_affects(self, visit):
        for page in ("Queue", "Import"):
            assert "embedding-2 is paused" in visit(page, "busy").text


class TestQueue:
    def test_the_numbers_of_a_draining_queue(self, visit):
        seen = visit("Queue", "busy")
        for number in ("38,104", "2,048", "59,824", "32 s", "312/s", "1,940/s", "time left: about 18 s to 26 s"):
            assert number in seen.text

    def test_discarded_rows_have_a_tile_only_when_there_are_any(self, visit):
        seen = visit("Queue", "busy")
        assert "Discarded" not in seen.text
        queue = seen.hub.readings[Topic.QUEUE]
        seen.hub.readings[Topic.QUEUE] = queue.model_copy(update={"discarded": 7})
        assert "given up on by people" in seen.run().text

    def test_the_window_of_the_link_is_the_one_asked_for(self, visit):
        seen = visit("Queue", "busy", window="24h")
        assert seen.asked("get_queue_history") == [("24h",)]

    def test_a_window_nobody_knows_falls_back(self, visit):
        assert visit("Queue", "busy", window="9y").asked("get_queue_history") == [("15m",)]

    def test_the_charts_have_a_table_alternative(self, visit):
        assert "Samples, newest first" in visit("Queue", "busy").text

    @pytest.mark.feature("Q2", "X14")
    def test_the_table_covers_the_whole_window_and_names_the_days(self, visit):
        seen = visit("Queue", "busy", window="7d")
        times = [point.at for point in canned.history(Window.D7).points]
        told = seen.text[seen.text.index("Samples, newest first") :]
        assert f"{times[-1]:%Y-%m-%d}" in told
        assert f"{times[3]:%Y-%m-%d}" in told, "the oldest end of the window as well"
        assert told.count(" UTC</td>") <= 20


class TestIndex:
    def test_every_fact_is_explained(self, visit):
        seen = visit("Index", "idle")
        for words in ("IDMap2,Flat", "finds the true nearest", "154 KiB", "9f86d081884c7d65", "a copy with the same one is the same"):
            assert words in seen.text

    def test_a_refresh_starts_at_once_and_a_rebuild_is_asked_first_both_with_a_key(self, visit):
        seen = visit("Index", "idle")
        seen.button("refresh_index").click().run()
        assert len(seen.asked("start_refresh")) == 1
        seen.button("rebuild_index").click().run()
        assert not seen.asked("start_rebuild")
        assert "Searches are answered by generation 3 until it is whole" in seen.text
        seen.button("dialog_confirm").click().run()
        ((key,),) = seen.asked("start_rebuild")
        assert key
        assert "Index rebuild started" in seen.text

    def test_a_running_build_shows_progress_and_cancel_and_why_another_cannot_start(self, visit):
        seen = visit("Index", "busy")
        assert seen.has_button(f"building_cancel_{'f' * 32}")
        assert seen.button("rebuild_index").disabled
        assert "An index rebuild is running (held by ffffffff" in seen.text

    def test_a_search_shows_score_key_text_and_fields_and_is_in_the_url(self, visit):
        seen = visit("Index", "idle", q="customer cannot log in")
        assert seen.asked("search_index") == [("customer cannot log in", 10)]
        for words in ("0.812", "KB-001", "Ask which address they use", "owner: Maria", "2 hits · generation 3"):
            assert words in seen.text

    def test_without_an_index_it_says_when_there_will_be_one(self, visit):
        assert "There is no index yet." in visit("Index", "fresh").text

    def test_offline_a_search_is_not_attempted(self, visit):
        assert "Cannot search now." in visit("Index", "offline", q="refund").text


class TestSettings:
    def test_each_setting_says_how_it_stands_and_who_made_it_so(self, visit):
        seen = visit("Settings", "failed")
        assert "256 rows" in seen.text
        assert "by local admin" in seen.text
        assert "default 1,024 rows" in seen.text

    def test_a_change_shows_before_and_after_and_sends_the_value_that_was_seen(self, visit):
        seen = visit("Settings", "idle")
        seen.button("change_embedding.batch_size").click().run()
        assert seen.button("dialog_confirm").disabled
        seen.app.number_input(key="dialog_value").set_value(2048).run()
        assert '<span class="sy-was">1,024 rows</span> → <span class="sy-is"><b>2,048 rows</b></span>' in seen.text
        seen.button("dialog_confirm").click().run()
        assert seen.asked("put_setting") == [("embedding.batch_size", 2048, 1024)]
        assert "Batch size: 1,024 rows → 2,048 rows" in seen.text

    def test_a_value_out_of_bounds_cannot_be_saved_and_says_the_bounds(self, visit):
        seen = visit("Settings", "idle")
        seen.button("change_embedding.batch_size").click().run()
        seen.app.number_input(key="dialog_value").set_value(99_999).run()
        assert seen.button("dialog_confirm").disabled
        assert "between 1 and 8,192" in seen.text

    def test_the_audit_tab_lists_who_did_what_with_refusals(self, visit):
        seen = visit("Settings", "idle", tab="Audit")
        assert "put setting" in seen.text
        assert "refused: operation_running" in seen.text
        assert "value: 1024 → value: 256" in seen.text
