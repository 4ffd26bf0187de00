"""Hands on the keyboard: to every page, to anything by a few letters, and what a tick must leave alone."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.conftest import Visit
from tests.browser.test_accessibility import examine, press_through_to
from tests.browser.test_pages import find_faults
from tests.browser.visitor import Visitor
from tests.faults.console import Console

pytestmark = pytest.mark.browser

LETTERS = {"Import": "i", "Export": "e", "Workers": "w", "Queue": "q", "Index": "x", "Settings": "s", "Home": "h"}


def press(visitor: Visitor, *keys: str, shortcuts: str = "on") -> None:
    """Once the page listens: its listener is a script, loaded after the rest."""
    visitor.page.locator(f"body[data-shortcuts={shortcuts}]").wait_for(state="attached")
    for key in keys:
        visitor.page.keyboard.press(key)


def go_by_letters(visitor: Visitor, page: str) -> None:
    """As anybody would: again, when a machine so busy that the letters were too far apart took them for two single ones."""
    for _ in range(3):
        press(visitor, "g", LETTERS[page])
        with suppress(AssertionError):
            expect(visitor.page.locator(".sy-title h1")).to_have_text(page, timeout=6_000)
            break
    visitor.arrive(page)


@pytest.mark.feature("X13")
def test_two_letters_lead_to_every_page_and_none_of_them_while_typing(visit: Visit, filled_console: Console) -> None:
    visitor = visit(filled_console).open("Home")
    for page in LETTERS:
        go_by_letters(visitor, page)
    go_by_letters(visitor, "Index")
    box = visitor.page.get_by_role("textbox", name="What are you looking for?")
    box.press_sequentially("g q / ? r")
    expect(box).to_have_value("g q / ? r")
    expect(visitor.page.locator(".sy-title h1")).to_have_text("Index")
    assert visitor.complaints == []


@pytest.mark.feature("X12", "X13")
def test_a_row_a_job_and_a_page_are_reached_by_a_few_letters_and_enter(visit: Visit, filled_console: Console) -> None:
    job = filled_console.client.list_jobs(limit=1).items[0]
    visitor = visit(filled_console).open("Queue")
    press(visitor, "/")
    box = visitor.dialog().get_by_role("textbox")
    expect(box).to_be_focused()
    box.press_sequentially("acc-001")
    expect(visitor.page.locator(".st-key-goto_places").get_by_role("link").first).to_contain_text("ACC-001")
    visitor.shot("places")
    assert examine(visitor) == []
    box.fill(job.job_id[:10])
    press(visitor, "Enter")
    expect(visitor.page.locator(".sy-crumb")).to_contain_text(f"Job {job.job_id[:8]}")
    assert visitor.param("job") == job.job_id
    expect(visitor.page.locator(".sy-lane i").first).to_be_visible()  # what it did when is drawn, not only written
    visitor.shot("job")
    press(visitor, "/")
    visitor.dialog().get_by_role("textbox").press_sequentially("export")
    expect(visitor.page.locator(".sy-answer")).to_have_attribute("data-to", "export")
    press(visitor, "ArrowDown", "ArrowDown", "ArrowUp", "Enter")
    visitor.arrive("Export")
    expect(visitor.dialog()).to_have_count(0)
    assert find_faults(visitor) + visitor.complaints == []


def leave_dialog(visitor: Visitor, *, shortcuts: str) -> None:
    """Escape, again if need be: one that is pressed while the dialog is drawn anew is lost, as for anybody."""
    press(visitor, shortcuts=shortcuts)
    visitor.until(lambda: not visitor.dialog().count() or visitor.page.keyboard.press("Escape"), "the end of the dialog")


@pytest.mark.feature("X13")
def test_the_help_can_switch_the_shortcuts_off_and_on(visit: Visit, filled_console: Console) -> None:
    visitor = visit(filled_console).open("Home")
    press(visitor, "?")
    expect(visitor.dialog().get_by_text("Go to Queue")).to_be_visible()
    visitor.shot("shortcuts")
    visitor.dialog().get_by_text("Shortcuts are on").click()
    leave_dialog(visitor, shortcuts="off")
    press(visitor, "g", "q", "?", shortcuts="off")
    visitor.wait_for_ticks(2)
    expect(visitor.dialog()).to_have_count(0)
    expect(visitor.page.locator(".sy-title h1")).to_have_text("Home")
    visitor.page.get_by_role("button", name="Keyboard shortcuts").click()
    visitor.dialog().get_by_text("Shortcuts are on").click()
    leave_dialog(visitor, shortcuts="on")
    press(visitor, "g", "q")
    visitor.arrive("Queue")
    assert visitor.complaints == []


@pytest.mark.feature("X13", "X14", "W3")
def test_the_keyboard_alone_pauses_all_workers_with_a_reason_and_resumes_them(visit: Visit, filled_console: Console) -> None:
    visitor = visit(filled_console).open("Home")
    go_by_letters(visitor, "Workers")
    press_through_to(visitor, "Pause all")
    dialog = visitor.dialog()
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()  # whoever presses Enter without reading does no harm
    press_back_to(visitor, dialog.get_by_role("textbox", name="Reason"))
    visitor.page.keyboard.type("month-end report")
    press_through_to(visitor, "Pause all")
    expect(dialog).to_have_count(0)
    expect(visitor.said("Paused 1 embedding worker")).to_be_visible()
    row = visitor.page.locator(".sy-wish").first
    expect(row).to_contain_text("month-end report")
    expect(visitor.button("Resume all")).to_be_visible()
    press_through_to(visitor, "Resume all")
    expect(visitor.said("Resumed 1 embedding worker")).to_be_visible()
    expect(row).to_have_count(0)
    assert visitor.complaints == []


def press_back_to(visitor: Visitor, field: Locator) -> None:
    """Shift and Tab, to what stands before the answer that has the focus first."""
    for _ in range(10):
        if field.evaluate("element => element === document.activeElement"):
            return
        visitor.page.keyboard.press("Shift+Tab")
    raise AssertionError(f"Shift+Tab does not reach {field}")


@pytest.mark.feature("L6")
def test_no_tick_moves_the_table_under_the_pointer_or_reaches_a_hidden_tab(visit: Visit, filled_console: Console) -> None:
    visitor = visit(filled_console).open("Home")
    visitor.page.get_by_role("radio", name="1 s").click()
    expect(visitor.page.locator(".sy-bar")).to_contain_text("every 1 s")
    visitor.page.locator(".st-key-live_job_history tbody tr").first.hover()
    visitor.page.evaluate(LISTEN_FOR_TICKS)
    visitor.until(lambda: heard(visitor).get("overview", 0) >= 3, "three ticks of another block")
    assert "job_history" not in heard(visitor)
    visitor.page.mouse.move(5, 5)
    visitor.until(lambda: "job_history" in heard(visitor), "a tick of the table, once nobody points at it")
    visitor.page.evaluate(
        "() => { Object.defineProperty(document, 'hidden', { configurable: true, get: () => true }); window.__heard = {}; }"
    )
    visitor.wait_for_ticks(2)  # of the frame, whose timer is the watchdog
    assert heard(visitor) == {}
    visitor.page.evaluate("() => { delete document.hidden; }")
    visitor.until(lambda: {"overview", "job_history"} <= set(heard(visitor)), "ticks, once the tab is seen again")


def heard(visitor: Visitor) -> dict[str, int]:
    """How many ticks came as far as Streamlit, by the block they would redraw."""
    ticks: dict[str, int] = visitor.page.evaluate("() => window.__heard")
    return ticks


LISTEN_FOR_TICKS = """() => {
  window.__heard = {};
  window.addEventListener('message', (event) => {
    const frame = [...document.querySelectorAll('[class*=st-key-ticker_] iframe')].find((each) => each.contentWindow === event.source);
    if (!frame || event.data?.type !== 'streamlit:setComponentValue') return;
    const name = [...frame.closest('[class*=st-key-ticker_]').classList].find((each) => each.startsWith('st-key-ticker_')).slice(14);
    window.__heard[name] = (window.__heard[name] || 0) + 1;
  });
}"""


@pytest.mark.feature("L6", "X10")
def test_blocks_whose_timers_fall_into_step_are_all_redrawn(visit: Visit, filled_console: Console) -> None:
    visitor = visit(filled_console).open("Index")
    visitor.page.locator(".st-key-ticker_snapshots iframe").wait_for(state="attached")
    visitor.page.get_by_role("radio", name="15 s").click()
    expect(visitor.page.locator(".sy-bar")).to_contain_text("every 15 s")
    before = Counter(visitor.ticks)
    asked = visitor.page.evaluate(TICK_ALL_AT_ONCE)
    assert asked >= 3
    # The frame has a timer of its own.
    visitor.until(lambda: len(visitor.ticks - before) == asked + 1, "a run of every block", seconds=10)


TICK_ALL_AT_ONCE = """() => {
  const frames = [...document.querySelectorAll('[class*=st-key-ticker_] iframe')];
  for (const { contentWindow: source } of frames) {
    const data = { isStreamlitMessage: true, type: 'streamlit:setComponentValue', value: 1000, dataType: 'json' };
    window.dispatchEvent(new MessageEvent('message', { data, source, origin: location.origin }));
  }
  return frames.length;
}"""
