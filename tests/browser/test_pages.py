"""Every page, empty and in use, at three widths and in both themes: whole, calm, and never in the language of programmers."""

from __future__ import annotations

from typing import Literal

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.browser.visitor import PAGES, TRACES, Visitor, elsewhere
from tests.faults.console import Console

pytestmark = pytest.mark.browser

#: The theme changes colours only: each width once, and the usual one in both.
VIEWS: tuple[tuple[int, Literal["light", "dark"]], ...] = ((1920, "light"), (1280, "light"), (1280, "dark"), (800, "dark"))
#: Filters a link may carry by accident: from another installation, from long ago, or mistyped.
STRANGE = {
    "window": "99y",
    "change": "sideways",
    "cause": "bad_luck",
    "operation": "sing",
    "state": "odd",
    "tab": "Secrets",
    "k": "-1",
}
#: The same of ids: page, parameters, and the words that must answer them.
GONE = (
    ("Home", {"job": "xyz", "plan": "nope"}, "This job cannot be shown"),
    ("Import", {"job": "f" * 32}, "This import cannot be shown"),
    ("Import", {"plan": "nope"}, "This plan cannot be shown"),
    ("Import", {"upload": "gone"}, "The columns of this file cannot be shown"),
    ("Export", {"job": "xyz"}, "This job cannot be shown"),
    ("Index", {"job": "xyz"}, "This job cannot be shown"),
    ("Workers", {}, ""),
    ("Queue", {}, ""),
    ("Settings", {}, ""),
)


@pytest.fixture(params=["empty", "filled"])
def console(request: pytest.FixtureRequest) -> Console:
    """A new installation, and one in use."""
    found: Console = request.getfixturevalue(f"{request.param}_console")
    return found


def test_every_page_fits_its_window_in_both_themes_and_shows_no_trace_of_a_failure(visit: Visit, console: Console) -> None:
    visitor = visit(console).open("Home")
    faults: list[str] = []
    for page in PAGES:
        visitor.go(page)
        for width, theme in VIEWS:
            visitor.page.emulate_media(color_scheme=theme)
            visitor.page.set_viewport_size({"width": width, "height": 900})
            visitor.settle()
            visitor.shot(f"{page}-{theme}-{width}", full=True)
            faults += [f"{page} at {width}, {theme}: {fault}" for fault in find_faults(visitor)]
        visitor.page.set_viewport_size({"width": 1280, "height": 900})
    assert faults + visitor.complaints + elsewhere(visitor) == []


def test_unknown_parameters_in_a_link_degrade_to_words(visit: Visit, filled_console: Console) -> None:
    visitor, faults = visit(filled_console), []
    for number, (page, params, notice) in enumerate(GONE, start=1):
        visitor.open(page, **STRANGE, **params)
        if notice:
            expect(visitor.page.get_by_role("alert").filter(has_text=notice).first).to_be_visible()
        if page == "Queue":
            expect(visitor.page.get_by_role("radio", name="15m")).to_be_checked()
        visitor.settle()
        visitor.shot(f"{number}-{page}", full=True)
        faults += [f"{page} {params}: {fault}" for fault in find_faults(visitor)]
    assert faults + visitor.complaints == []


def find_faults(visitor: Visitor) -> list[str]:
    """What is wrong with the page as it stands."""
    faults = [f"says “{trace[0]}”" for trace in TRACES.finditer(visitor.text())]
    faults += [f"an error box: {text}" for text in visitor.page.get_by_test_id("stException").all_inner_texts()]
    too_wide = visitor.page.evaluate(WIDER_THAN_THE_WINDOW)
    return faults + [f"scrolls sideways: {name}" for name in too_wide]


#: Boxes meant to scroll (`sy-scroll`, Streamlit's own tables) are no fault; the page and its main parts are.
WIDER_THAN_THE_WINDOW = """() => {
  const parts = { page: document.documentElement, body: document.body, main: document.querySelector('[data-testid=stMain]'),
    sidebar: document.querySelector('[data-testid=stSidebarContent]'), foot: document.querySelector('[data-testid=stBottom]') };
  return Object.entries(parts).filter(([, part]) => part && part.scrollWidth > part.clientWidth + 1)
    .map(([name, part]) => `${name} (${part.scrollWidth} in ${part.clientWidth})`);
}"""
