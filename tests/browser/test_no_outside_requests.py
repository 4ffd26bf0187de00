"""With every other host cut off, no page notices, because none asks one."""

from __future__ import annotations

import pytest
from playwright.sync_api import Route, expect

from tests.browser.conftest import Visit
from tests.browser.visitor import HERE, PAGES, Visitor, elsewhere, host_of
from tests.faults.console import Console

pytestmark = pytest.mark.browser


def cut_off(visitor: Visitor) -> None:
    """From now on only this machine answers."""

    def answer(route: Route) -> None:
        if host_of(route.request.url) in HERE:
            route.continue_()
        else:
            route.abort()

    visitor.page.context.route("**/*", answer)


@pytest.mark.feature("X15")
def test_no_page_asks_another_host_for_anything(visit: Visit, filled_console: Console) -> None:
    visitor = visit(filled_console)
    cut_off(visitor)
    visitor.open("Home")
    for page in PAGES[1:]:
        visitor.go(page)
    use_what_loads_late(visitor)
    assert len(visitor.requests) > len(PAGES)
    assert elsewhere(visitor) == []
    assert visitor.complaints == []


def use_what_loads_late(visitor: Visitor) -> None:
    """Dialogs, results, charts, tables and menus bring their own scripts and fonts when they are first shown."""
    visitor.open("Index", q="customer cannot log in")
    expect(visitor.page.locator(".sy-hits li").first).to_be_visible()
    visitor.go("Queue")
    expect(visitor.page.locator("[data-testid=stVegaLiteChart] svg, [data-testid=stVegaLiteChart] canvas").first).to_be_visible()
    visitor.page.get_by_text("The same as a table").click()
    expect(visitor.page.get_by_role("table", name="Samples, newest first")).to_be_visible()
    visitor.go("Workers")
    visitor.button("Pause all").click()
    expect(visitor.dialog()).to_be_visible()
    visitor.page.keyboard.press("Escape")
    expect(visitor.dialog()).to_have_count(0)
    visitor.page.get_by_test_id("stMainMenu").click()
    expect(visitor.page.get_by_test_id("stMainMenuPopover")).to_be_visible()
