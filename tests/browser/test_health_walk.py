"""How good the index is, as an analyst sees to it: a golden question from writing to deletion, and a check."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.visitor import PATIENCE, Visitor
from tests.faults.console import Console

pytestmark = pytest.mark.browser

TEXT = "somebody cannot sign in at all"


@pytest.mark.feature("M10", "M6", "N6")
def test_a_golden_question_is_written_changed_and_deleted_and_a_check_finds_nothing(
    filled_console: Console, visit: Callable[..., Visitor]
) -> None:
    visitor = visit(filled_console).open("Index", tab="Golden questions")
    form = visitor.page.locator("[data-testid=stExpander]", has_text="Write a golden question")
    form.locator("summary").click()
    form.get_by_label("Question", exact=True).fill(TEXT)
    form.get_by_label("Rows that must be found").fill("ACC-001")
    form.get_by_label("Rows that must be found").press("Tab")
    form.get_by_role("button", name="Save").click()
    card = visitor.page.locator("[class*='st-key-golden_']", has=visitor.page.locator(".sy-pair", has_text=TEXT)).last
    expect(card).to_contain_text("must find ACC-001 among the first 10", timeout=PATIENCE)
    (question,) = [each for each in filled_console.client.list_golden_questions().questions if each.text == TEXT]

    card.get_by_role("button", name="Edit").click()
    card.get_by_label("Rows that must be found").fill("ACC-001\nACC-002")
    card.get_by_label("Rows that must be found").press("Tab")
    card.get_by_role("button", name="Save").click()
    expect(card).to_contain_text("must find ACC-001, ACC-002 among the first 10", timeout=PATIENCE)
    expect(card.get_by_role("button", name="Save")).to_have_count(0, timeout=PATIENCE)
    card.get_by_role("button", name="Delete").click()
    expect(visitor.page.locator(".sy-pair", has_text=TEXT)).to_have_count(0, timeout=PATIENCE)
    assert question.question_id not in {each.question_id for each in filled_console.client.list_golden_questions().questions}

    visitor.open("Index", tab="Health")
    visitor.button("Check now").click()
    expect(visitor.fact("Recall")).to_have_text("exact", timeout=PATIENCE)
    expect(visitor.tile("Disagree")).to_have_text("0", timeout=PATIENCE)
    visitor.open("Home")
    expect(visitor.tile("Disagree")).to_have_text("0", timeout=PATIENCE)
    assert visitor.complaints == []
