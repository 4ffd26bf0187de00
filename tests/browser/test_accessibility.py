"""Every page by axe's rules, in both themes, empty and in use; and the way from the first page to an applied import by keyboard alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit, make_console
from tests.browser.visitor import PAGES, Visitor
from tests.browser.walk import make_plan, edit_sample
from tests.faults.console import Console

pytestmark = pytest.mark.browser

THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
#: What Streamlit 1.67 does by itself and we cannot change: rule → a part of the element's HTML.
STREAMLITS_OWN: dict[str, str] = {}


@pytest.mark.parametrize("state", ["empty", "filled"])
def test_axe_finds_nothing_serious_on_any_page_in_either_theme(visit: Visit, request: pytest.FixtureRequest, state: str) -> None:
    console: Console = request.getfixturevalue(f"{state}_console")
    visitor = visit(console).open("Home")
    faults: list[str] = []
    for page in PAGES:
        visitor.go(page)
        faults += [f"{page}, {fault}" for fault in examine(visitor)]
    assert faults == []


def test_axe_finds_nothing_serious_in_plans_results_and_dialogs(visit: Visit, filled_console: Console) -> None:
    content, _ = edit_sample("ACC-005", "advice", "Somebody has found a better way.")
    faults: list[str] = []
    visitor = visit(filled_console).open("Import", plan=make_plan(filled_console, content))
    faults += [f"plan, {fault}" for fault in examine(visitor)]
    visitor.open("Index", q="customer cannot log in")
    expect(visitor.page.locator(".sy-hits li").first).to_be_visible()
    faults += [f"search, {fault}" for fault in examine(visitor)]
    visitor.open("Settings", tab="Audit")
    faults += [f"audit, {fault}" for fault in examine(visitor)]
    visitor.open("Home", job="gone")
    faults += [f"error, {fault}" for fault in examine(visitor)]
    visitor.open("Workers")
    visitor.button("Drain all").click()
    expect(visitor.dialog().get_by_role("textbox", name="Reason")).to_be_visible()
    faults += [f"dialog, {fault}" for fault in examine(visitor)]
    assert faults == []


def examine(visitor: Visitor) -> list[str]:
    """Serious and critical violations of the page as it stands, in both themes."""
    faults = []
    for theme in THEMES:
        visitor.page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        visitor.settle()
        for violation in Axe().run(visitor.page, options={"resultTypes": ["violations"]}).response["violations"]:
            if violation["impact"] in {"serious", "critical"}:
                faults += [
                    f"{theme}: {violation['id']} ({violation['impact']}) {node['html'][:220]} | {node.get('failureSummary', '')[:260]}"
                    for node in violation["nodes"]
                    if STREAMLITS_OWN.get(violation["id"], "\0") not in node["html"]
                ]
    return faults
