"""Every page by axe's rules, in both themes, empty and in use; and from the first page to an applied import by keyboard alone.

No exceptions are needed: Streamlit 1.67 itself breaks none of the rules that axe calls serious or critical on these pages.
"""

from __future__ import annotations

import re
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from lib.contract.imports import ImportRequest
from lib.contract.operations import SnapshotRequest
from lib.contract.states import Operation
from tests.browser.conftest import Visit
from tests.browser.visitor import PAGES, Visitor
from tests.browser.walk import edit_sample, finish, make_plan
from tests.faults.console import Console

pytestmark = pytest.mark.browser


@pytest.mark.feature("X14")
@pytest.mark.parametrize("state", ["empty", "filled"])
def test_axe_finds_nothing_serious_on_any_page_in_either_theme(visit: Visit, request: pytest.FixtureRequest, state: str) -> None:
    console: Console = request.getfixturevalue(f"{state}_console")
    visitor = visit(console).open("Home")
    faults: list[str] = []
    for page in PAGES:
        visitor.go(page)
        faults += [f"{page}, {fault}" for fault in examine(visitor)]
    assert faults == []


@pytest.mark.feature("X14")
def test_axe_finds_nothing_serious_in_plans_results_tabs_and_dialogs(visit: Visit, filled_console: Console) -> None:
    content, _ = edit_sample("ACC-005", "advice", "Somebody has found a better way.")
    faults: list[str] = []
    visitor = visit(filled_console).open("Import", plan=make_plan(filled_console, content))
    faults += [f"plan, {fault}" for fault in examine(visitor)]
    visitor.open("Index", q="customer cannot log in")
    expect(visitor.page.locator(".sy-hits li").first).to_be_visible()
    faults += [f"search, {fault}" for fault in examine(visitor)]
    for tab in ("Look into a file", "Health", "Golden questions", "Rehearsals"):
        visitor.open("Index", tab=tab)
        expect(visitor.page.get_by_role("radio", name=tab)).to_be_checked()
        faults += [f"{tab}, {fault}" for fault in examine(visitor)]
    visitor.open("Queue", as_of=filled_console.client.create_moment().moment_id)
    expect(visitor.page.locator("caption", has_text="Then and now")).to_have_count(1)
    faults += [f"then and now, {fault}" for fault in examine(visitor)]
    visitor.page.locator(".st-key-link_to_here").get_by_role("button").click()
    expect(visitor.button("Keep the figures of now with it")).to_be_enabled()
    faults += [f"link, {fault}" for fault in examine(visitor)]
    visitor.open("Settings", tab="Audit")
    faults += [f"audit, {fault}" for fault in examine(visitor)]
    visitor.open("Home", job="gone")
    faults += [f"error, {fault}" for fault in examine(visitor)]
    assert faults == []


@pytest.mark.feature("X14")
def test_axe_finds_nothing_serious_in_what_opens_on_top_of_a_page(visit: Visit, filled_console: Console) -> None:
    imported = next(job.job_id for job in filled_console.client.list_jobs().items if job.operation is Operation.IMPORT)
    finish(filled_console, filled_console.client.start_snapshot(SnapshotRequest(name="to look at")))
    faults: list[str] = []
    visitor = visit(filled_console).open("Home", job=imported)
    for name, page, button in (("undo", "Home", "Undo this import"), ("drain", "Workers", "Drain all"), ("deletion", "Index", "Delete")):
        visitor.page.emulate_media(color_scheme="light")
        if page != "Home":
            visitor.go(page)
        visitor.button(button).first.click()
        expect(visitor.dialog().get_by_role("button", name="Cancel")).to_be_visible()
        faults += [f"{name}, {fault}" for fault in examine(visitor)]
        visitor.shot(f"{name}-dark")
        visitor.dialog().get_by_role("button", name="Cancel").click()
        expect(visitor.dialog()).to_have_count(0)
    visitor.open("Home", job=imported)
    visitor.page.locator(".st-key-crumbs").get_by_role("link").click()
    expect(visitor.page).not_to_have_url(re.compile("job="))
    expect(visitor.page.locator(".st-key-crumbs")).to_have_count(0)
    assert faults == []


@pytest.mark.feature("X14")
def test_the_keyboard_alone_gets_from_the_import_page_to_an_applied_sample(visit: Visit, filled_console: Console) -> None:
    content, _ = edit_sample("ACC-006", "advice", "Somebody has found a better way.")
    plan_id = make_plan(filled_console, content)
    finish(filled_console, filled_console.client.start_import(ImportRequest(plan_id=plan_id)))
    visitor = visit(filled_console).open("Home")
    press_through_to(visitor, "Import")
    visitor.arrive("Import")
    press_through_to(visitor, "Load the sample sheet")
    expect(visitor.heading("The sheet as it was read")).to_be_visible()
    press_through_to(visitor, "Preview what would change")
    expect(visitor.heading("Plan for playbook.csv")).to_be_visible()
    expect(visitor.page.get_by_role("button", name="Apply: ")).to_be_enabled()
    press_through_to(visitor, "Apply: ")
    expect(visitor.heading("What came of it")).to_be_visible(timeout=60_000)
    assert visitor.complaints == []


def press_through_to(visitor: Visitor, name: str) -> None:
    """Tab until what bears that name has the focus, then press Enter. Nothing invisible takes the focus meanwhile."""
    passed: list[str] = []
    while not (at := visitor.page.evaluate(FOCUSED)).startswith(name):
        passed.append(at)
        assert len(passed) < 80, f"Tab never reached {name!r}, but {passed}"
        visitor.page.keyboard.press("Tab")
    assert "IFRAME" not in passed
    visitor.shot(f"focus-{name.split(':', maxsplit=1)[0]}")
    visitor.page.keyboard.press("Enter")


FOCUSED = """() => {
  let at = document.activeElement;
  while (at && at.shadowRoot && at.shadowRoot.activeElement) at = at.shadowRoot.activeElement;
  // An icon is a word in a font of symbols; the label is the last line.
  return (at.getAttribute('aria-label') || at.innerText || at.tagName).trim().split('\\n').pop();
}"""


def examine(visitor: Visitor) -> list[str]:
    """Serious and critical violations of the page as it stands: all rules in light, and of dark what depends on colours."""
    found = [*run_axe(visitor, "light"), *run_axe(visitor, "dark", {"runOnly": ["color-contrast", "link-in-text-block"]})]
    return [
        f"{violation['id']} ({violation['impact']}): {node['html'][:220]} | {node.get('failureSummary', '')[:260]}"
        for violation in found
        if violation["impact"] in {"serious", "critical"}
        for node in violation["nodes"]
    ]


def run_axe(visitor: Visitor, theme: Literal["light", "dark"], rules: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """What breaks a rule."""
    visitor.page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    visitor.settle()
    # The only frames are the timers', which nobody sees; axe would wait half a second for an answer from each.
    found = Axe().run(visitor.page, options={"resultTypes": ["violations"], "iframes": False} | (rules or {})).response
    assert found["passes"], "axe has looked at nothing"
    return list(found["violations"])
