"""Golden questions on the Index page: saved with one click, judged by name."""

from __future__ import annotations

import pytest

from lib.client.live import Link
from lib.contract.golden import GoldenRequest
from lib.contract.operations import Gate
from tests.pages.canned import ago
from tests.pages.fake_index import golden, no_golden

TAB = "Golden questions"


@pytest.mark.feature("M10")
def test_one_click_beside_a_hit_makes_it_a_golden_question_and_undo_takes_it_back(visit):
    seen = visit("Index", "idle", q="how do I get in")
    seen.button("expect_1").click().run()
    assert seen.asked("create_golden_question") == [(GoldenRequest(text="how do I get in", expected_keys=["KB-001"]),)]
    assert "saved: it passes, at place 1" in seen.text
    seen.button("undo_action").click().run()
    assert seen.asked("delete_golden_question") == [("7" * 32,)]


def test_a_second_row_is_added_to_the_question_there_is(visit):
    seen = visit("Index", "idle", q="Customer cannot log in")
    assert not seen.has_button("expect_1"), "KB-001 is expected already"
    seen.button("expect_2").click().run()
    assert seen.asked("put_golden_question") == [
        ("1" * 32, GoldenRequest(text="Customer cannot log in", expected_keys=["KB-001", "KB-017"])),
    ]


@pytest.mark.feature("M10")
def test_what_got_worse_is_named_with_what_is_found_instead(visit):
    seen = visit("Index", "idle", tab=TAB)
    assert "“customer cannot log in” no longer finds KB-001" in seen.text
    assert "Generation 2: place 1" in seen.text
    assert "First hits now: KB-009, KB-004." in seen.text
    assert ">1 of 2<" in seen.text


def test_without_any_question_it_says_how_to_make_one(visit):
    seen = visit("Index", "fresh", tab=TAB)
    assert "There is no golden question yet." in seen.text
    assert "press “Expect this” beside the right row" in seen.text


def test_one_is_written_by_hand_with_its_keys_one_a_line(visit):
    seen = visit("Index", "idle", tab=TAB)
    seen.app.text_input(key="golden_text_0").set_value(" parcel is late ").run()
    seen.app.text_area(key="golden_keys_0").set_value("KB-030\n\n KB-031 \nKB-030").run()
    seen.app.number_input(key="golden_k_0").set_value(5).run()
    seen.button("golden_save").click().run()
    assert seen.asked("create_golden_question") == [(GoldenRequest(text="parcel is late", expected_keys=["KB-030", "KB-031"], k=5),)]
    assert seen.app.text_input(key="golden_text_1").value == ""


def test_half_a_question_is_not_sent(visit):
    seen = visit("Index", "idle", tab=TAB)
    seen.app.text_input(key="golden_text_0").set_value("parcel is late").run()
    seen.button("golden_save").click().run()
    assert not seen.asked("create_golden_question")
    assert "Not saved: write the question, and at least one key." in seen.text
    assert "Not saved" in seen.run().text, "the next tick does not wipe it away"
    seen.app.text_area(key="golden_keys_0").set_value("\n".join(map(str, range(21)))).run()
    assert "at most 20 rows can be expected of one question; these are 21" in seen.text
    assert not seen.asked("create_golden_question")


def test_a_question_that_was_refused_stays_as_it_was_written(visit):
    seen = visit("Index", "idle", tab=TAB)
    seen.app.text_input(key="golden_text_0").set_value("parcel is late").run()
    seen.app.text_area(key="golden_keys_0").set_value("KB-030").run()
    seen.client.refusal = Gate(allowed=False, reason_text="This is a golden question already.")
    seen.button("golden_save").click().run()
    assert "This is a golden question already." in seen.text
    assert next(fold for fold in seen.app.expander if fold.label == "Write a golden question").proto.expanded
    assert seen.app.text_area(key="golden_keys_0").value == "KB-030"


def test_a_deleted_question_comes_back_with_undo(visit):
    seen = visit("Index", "idle", tab=TAB)
    seen.button(f"golden_delete_{'2' * 32}").click().run()
    assert seen.asked("delete_golden_question") == [("2" * 32,)]
    seen.button("undo_action").click().run()
    assert seen.asked("create_golden_question") == [(GoldenRequest(text="reset mail is missing", expected_keys=["KB-017"]),)]


def test_while_nobody_answers_it_is_said_once_why_no_question_can_be_changed(visit):
    seen = visit("Index", "idle", tab=TAB)
    seen.hub.connection = Link("offline", ago(seconds=75), "connection refused")
    seen.run()
    assert seen.button(f"golden_edit_{'2' * 32}").disabled
    whys = [html.proto.body for html in seen.app.get("html") if "sy-why" in html.proto.body and "until it is back" in html.proto.body]
    assert len(whys) == 3, "for the link to here, for the form, and once for all questions"


def test_two_generations_are_compared_as_chosen(visit):
    seen = visit("Index", "idle", tab=TAB)
    assert seen.asked("compare_golden_runs") == [("1" * 32, "2" * 32)]
    table = next(html.proto.body for html in seen.app.get("html") if "Answers that changed" in html.proto.body)
    assert "regressed" in table
    assert "reset mail" not in table


def test_many_questions_come_in_pages_the_failing_first(visit):
    seen = visit("Index", "fresh", tab=TAB)
    some = golden().questions
    seen.client.golden = no_golden().model_copy(
        update={"questions": [some[1].model_copy(update={"question_id": f"{number:032}"}) for number in range(24)] + [some[0]]}
    )
    seen.app.session_state["golden_acted"] = 1
    seen.run()
    rows = [html.proto.body for html in seen.app.get("html") if "must find" in html.proto.body]
    assert len(rows) == 20
    assert "customer cannot log in" in rows[0]
    seen.button("golden_on").click().run()
    assert "Questions 21–25 of 25" in seen.text


@pytest.mark.feature("M10")
def test_a_question_is_changed_where_it_stands_and_undo_puts_it_back(visit):
    seen = visit("Index", "idle", tab=TAB)
    ident = "2" * 32
    seen.button(f"golden_edit_{ident}").click().run()
    text = seen.app.text_input(key=f"golden_text_{ident}_0")
    assert (text.value, seen.app.text_area(key=f"golden_keys_{ident}_0").value) == ("reset mail is missing", "KB-017")
    text.set_value("the reset mail never came").run()
    seen.app.text_area(key=f"golden_keys_{ident}_0").set_value("KB-017\nKB-018").run()
    seen.button(f"golden_save_{ident}_0").click().run()
    changed = GoldenRequest(text="the reset mail never came", expected_keys=["KB-017", "KB-018"])
    assert seen.asked("put_golden_question") == [(ident, changed)]
    assert not seen.has_button(f"golden_save_{ident}_1"), "the form is gone"
    seen.button("undo_action").click().run()
    assert seen.asked("put_golden_question")[-1] == (ident, GoldenRequest(text="reset mail is missing", expected_keys=["KB-017"]))


def test_a_question_can_be_left_as_it_is(visit):
    seen = visit("Index", "idle", tab=TAB)
    seen.button(f"golden_edit_{'2' * 32}").click().run()
    seen.button("golden_leave").click().run()
    assert not seen.has_button("golden_leave")
    assert not seen.asked("put_golden_question")
