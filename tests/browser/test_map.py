"""The map in a real browser: laid out with a click, and a box drawn with the mouse lists exactly its rows."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.browser.test_accessibility import examine
from tests.browser.visitor import PATIENCE
from tests.faults.console import Console


@pytest.mark.feature("M5", "N9")
def test_a_box_drawn_on_the_map_lists_its_rows_and_a_colleague_gets_the_same_by_the_link(visit: Visit, filled_console: Console) -> None:
    client = filled_console.client
    before = client.get_index().generation
    visitor = visit(filled_console).open("Index", tab="Map")
    visitor.button("Lay out the map").click()
    canvas = visitor.page.get_by_test_id("stVegaLiteChart").locator("canvas")
    expect(canvas).to_be_visible(timeout=PATIENCE)
    expect(visitor.page.get_by_role("table", name="Regions of the map")).to_be_visible()
    canvas.scroll_into_view_if_needed()
    area = canvas.bounding_box()
    assert area is not None
    mouse, (left, top) = visitor.page.mouse, (area["x"], area["y"])
    mouse.move(left + area["width"] * 0.1, top + area["height"] * 0.2)
    mouse.down()
    mouse.move(left + area["width"] * 0.4, top + area["height"] * 0.6, steps=5)
    mouse.move(left + area["width"] * 0.6, top + area["height"] * 0.9, steps=5)
    mouse.up()
    note = visitor.page.get_by_role("heading", name=re.compile(r"^Rows \d+ rows in the box"))
    expect(note).to_be_visible(timeout=PATIENCE)
    told = re.search(r"(\d+) rows in the box", note.inner_text())
    assert told
    listed = visitor.page.get_by_role("table", name=re.compile("^Rows 1 to")).locator("tbody tr")
    expect(listed).to_have_count(min(50, int(told[1])))
    visitor.shot("box", full=True)
    assert examine(visitor) == []
    expect(visitor.page).to_have_url(re.compile("box="))
    colleague = visit(filled_console, theme="dark").open("Index", tab="Map", box=visitor.param("box").replace("%2C", ","))
    expect(colleague.page.get_by_role("heading", name=re.compile(rf"^Rows {told[1]} rows in the box"))).to_be_visible(timeout=PATIENCE)
    expect(colleague.page.get_by_test_id("stVegaLiteChart").locator("canvas")).to_be_visible(timeout=PATIENCE)
    colleague.shot("colleague", full=True)
    colleague.button("Embed again…").click()
    expect(colleague.dialog()).to_contain_text(f"Embed {told[1]} rows again?")
    colleague.dialog().get_by_role("button", name="Embed").click()
    expect(visitor.said(f"{told[1]} rows in the queue to be embedded again")).to_be_visible(timeout=PATIENCE)
    visitor.until(lambda: client.get_index().generation != before, "the index with the new vectors", seconds=60)
    assert visitor.complaints + colleague.complaints == []
