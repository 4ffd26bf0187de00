"""A snapshot's whole life in the browser: taken, downloaded, brought back, inspected; from the list restored by keyboard alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.test_accessibility import examine
from tests.browser.visitor import PATIENCE, Visitor
from tests.browser.walk import finish
from tests.faults.console import Console

pytestmark = pytest.mark.browser

#: More presses of Tab than any page has places to stop at.
MOST_STOPS = 120


def tab_to(visitor: Visitor, place: Locator) -> None:
    """Press Tab until ``place`` has the focus, as somebody without a mouse does."""
    for _ in range(MOST_STOPS):
        if place.evaluate("element => element.getRootNode().activeElement === element"):
            return
        visitor.page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not reach {place} on {visitor.page.url}")


def served(console: Console) -> int:
    generation = console.client.get_index().generation
    assert generation is not None
    return generation


@pytest.mark.feature("N3", "N5", "M3", "X13", "X14")
def test_a_snapshot_is_taken_brought_back_inspected_restored_and_gone_back_from(
    filled_console: Console, visit: Callable[..., Visitor], tmp_path: Path
) -> None:
    visitor = visit(filled_console).open("Index")
    before = served(filled_console)
    visitor.page.get_by_label("Name", exact=True).fill("before the move")
    visitor.page.get_by_label("Name", exact=True).press("Enter")
    visitor.button("Take a snapshot").click()
    row = visitor.page.locator(".st-key-live_snapshots [class*='st-key-snapshot_']", has_text="before the move").first
    expect(row).to_be_visible(timeout=PATIENCE)
    row.get_by_role("button", name="Download").click()
    link = visitor.page.get_by_role("link", name="Download the complete set of “before the move”")
    path = tmp_path / "mine.switchyard.tar"
    visitor.download(link).save_as(path)

    visitor.open("Index", tab="Look into a file")
    assert examine(visitor) == []
    visitor.page.locator("input[type=file]").set_input_files(path)
    expect(visitor.said("The file has arrived in quarantine.")).to_be_visible(timeout=PATIENCE)
    visitor.button("Look inside").click()
    report = visitor.page.locator(".st-key-live_inspection")
    expect(report).to_contain_text("It may be served, and answers as it should.", timeout=PATIENCE)
    expect(visitor.tile("Rows it lacks")).to_have_text("0")
    visitor.shot("inspection", full=True)
    assert examine(visitor) == []

    visitor.open("Index")
    press_enter_on(visitor, row.get_by_role("button", name="Restore"))
    expect(report).to_contain_text("“before the move”", timeout=PATIENCE)
    expect(visitor.page.locator(".st-key-close_inspection")).to_be_in_viewport()
    expect(visitor.page.get_by_label("Search in this file")).to_be_visible()
    restore_by_keyboard(visitor, report, "before the move")
    visitor.until(lambda: served(filled_console) == before + 1, "the swap")
    finish(filled_console, filled_console.client.list_jobs(limit=1).items[0].job_id)
    go_back_by_keyboard(visitor, filled_console, before)
    visitor.button("Undo").click()
    visitor.until(lambda: served(filled_console) == before + 1, "the way forward again")
    assert visitor.complaints == []


def press_enter_on(visitor: Visitor, place: Locator) -> None:
    expect(place).to_be_enabled(timeout=PATIENCE)
    tab_to(visitor, place)
    visitor.page.keyboard.press("Enter")


def restore_by_keyboard(visitor: Visitor, report: Locator, name: str) -> None:
    press_enter_on(visitor, report.get_by_role("button", name="Restore"))
    dialog = visitor.dialog()
    expect(dialog).to_contain_text(f"Restore “{name}”?")
    tab_to(visitor, dialog.get_by_role("textbox"))
    visitor.page.keyboard.type(name)
    press_enter_on(visitor, dialog.get_by_role("button", name="Restore"))
    expect(dialog).to_have_count(0, timeout=PATIENCE)


def go_back_by_keyboard(visitor: Visitor, console: Console, generation: int) -> None:
    visitor.open("Index")
    press_enter_on(visitor, visitor.button(f"Go back to generation {generation}"))
    visitor.until(lambda: served(console) == generation, "going back")
    expect(visitor.page.get_by_text(f"Generation {generation} is served again")).not_to_have_count(0, timeout=PATIENCE)
    expect(visitor.page.get_by_text(f"Somebody went back to generation {generation}: it stays served")).to_be_visible(timeout=PATIENCE)
