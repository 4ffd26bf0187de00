"""The rehearsal room in the browser: an import tried from its plan, read, searched on both sides, and thrown away."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.test_accessibility import examine
from tests.browser.visitor import PATIENCE, Visitor
from tests.browser.walk import edit_sample, make_plan
from tests.faults.console import Console

pytestmark = pytest.mark.browser


@pytest.mark.feature("M15")
def test_an_import_is_rehearsed_from_its_plan_read_and_thrown_away(filled_console: Console, visit: Callable[..., Visitor]) -> None:
    content, _ = edit_sample("ACC-001", "advice", "Water the plants before noon.")
    plan_id, index = make_plan(filled_console, content, "plants.csv"), filled_console.client.get_index()
    visitor = visit(filled_console).open("Import", plan=plan_id)
    visitor.page.get_by_text("Rehearse this import…").click()
    visitor.button("Rehearse").click()
    rehearsals = filled_console.client.list_rehearsals
    visitor.until(lambda: rehearsals().items and rehearsals().items[0].verdict, "the rehearsal")

    visitor.open("Index", tab="Rehearsals")
    row = visitor.page.locator("[class*='st-key-rehearsal_']", has_text="plants.csv").first
    row.get_by_role("button", name="Open").click()
    report = visitor.page.locator(".st-key-live_rehearsal")
    expect(report).to_contain_text("that the import touches", timeout=PATIENCE)
    expect(visitor.tile("Changed")).to_have_text(str(filled_console.client.get_plan(plan_id, limit=0).counts.changed))
    assert examine(visitor) == []
    visitor.page.get_by_label("Search before and after").fill("water the plants")
    visitor.button("Search both").click()
    after = visitor.page.locator("ol[aria-label='As it would be'] li").first
    expect(after).to_contain_text("ACC-001", timeout=PATIENCE)
    visitor.shot("report", full=True)

    report.get_by_role("button", name="Throw away").click()
    expect(visitor.dialog()).to_contain_text("Production is not touched.")
    visitor.dialog().get_by_role("button", name="Throw away").click()
    expect(report).to_have_count(0, timeout=PATIENCE)
    assert rehearsals().items[0].expires_at is None
    served = filled_console.client.get_index()
    assert (served.generation, served.sha256, served.unindexed) == (index.generation, index.sha256, index.unindexed)
    assert visitor.complaints == []
