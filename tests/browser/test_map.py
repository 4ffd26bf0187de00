"""The map in a real browser: laid out with a click, and a line drawn around rows with the mouse lists exactly those."""

from __future__ import annotations

import re

import pyarrow as pa
import pytest
from playwright.sync_api import Locator, expect

from lib.client.api import Client
from lib.contract.maps import MapPart
from lib.ui.map_lasso import read_lasso
from lib.ui.map_points import choose
from tests.browser.conftest import Visit
from tests.browser.test_accessibility import examine
from tests.browser.visitor import PATIENCE, Visitor
from tests.faults.console import Console


@pytest.mark.feature("M5", "N9")
def test_a_lasso_drawn_on_the_map_lists_its_rows_and_a_colleague_gets_the_same_by_the_link(visit: Visit, filled_console: Console) -> None:
    client = filled_console.client
    before = client.get_index().generation
    visitor = visit(filled_console).open("Index", tab="Map")
    visitor.button("Lay out the map").click()
    canvas = visitor.page.get_by_test_id("stVegaLiteChart").locator("canvas")
    expect(canvas).to_be_visible(timeout=PATIENCE)
    expect(visitor.page.get_by_role("table", name="Regions of the map")).to_be_visible()
    told = draw_around(visitor, canvas, (0.1, 0.2), (0.6, 0.2), (0.6, 0.9))
    assert told == count_inside(client, visitor.param("lasso"))
    listed = visitor.page.get_by_role("table", name=re.compile("^Rows 1 to")).locator("tbody tr")
    expect(listed).to_have_count(min(50, told))
    visitor.shot("lasso", full=True)
    assert examine(visitor) == []
    colleague = visit(filled_console, theme="dark").open("Index", tab="Map", lasso=visitor.param("lasso"))
    expect(colleague.page.get_by_role("heading", name=re.compile(rf"^Rows {told} rows in the lasso"))).to_be_visible(timeout=PATIENCE)
    expect(colleague.page.get_by_test_id("stVegaLiteChart").locator("canvas")).to_be_visible(timeout=PATIENCE)
    colleague.shot("colleague", full=True)
    colleague.button("Remove the lasso").click()
    expect(colleague.page.get_by_role("table", name="Regions of the map")).to_be_visible(timeout=PATIENCE)
    expect(colleague.page).not_to_have_url(re.compile("lasso="))
    told = draw_around(
        colleague,
        colleague.page.get_by_test_id("stVegaLiteChart").locator("canvas"),
        (0.3, 0.3),
        (0.9, 0.5),
        (0.3, 0.9),
        let_go=(-0.02, 0.6),
    )
    assert told == count_inside(client, colleague.param("lasso")), "also when the mouse is let go beside the map"
    colleague.button("Embed again…").click()
    expect(colleague.dialog()).to_contain_text(f"Embed {told} rows again?")
    colleague.dialog().get_by_role("button", name="Embed").click()
    expect(visitor.said(f"{told} rows in the queue to be embedded again")).to_be_visible(timeout=PATIENCE)
    visitor.until(lambda: client.get_index().generation != before, "the index with the new vectors", seconds=60)
    assert visitor.complaints + colleague.complaints == []


def draw_around(visitor: Visitor, canvas: Locator, *corners: tuple[float, float], let_go: tuple[float, float] | None = None) -> int:
    """Along these corners, in parts of the chart's width and height; how many rows the page says are inside."""
    canvas.scroll_into_view_if_needed()
    area = canvas.bounding_box()
    assert area is not None
    mouse = visitor.page.mouse
    for number, (across, down) in enumerate((*corners, let_go) if let_go else corners):
        mouse.move(area["x"] + area["width"] * across, area["y"] + area["height"] * down, steps=8 if number else 1)
        if not number:
            mouse.down()
    mouse.up()
    heading = visitor.page.get_by_role("heading", name=re.compile(r"^Rows \d+ rows in the lasso"))
    expect(heading).to_be_visible(timeout=PATIENCE)
    told = re.search(r"(\d+) rows in the lasso", heading.inner_text())
    assert told
    return int(told[1])


def count_inside(client: Client, lasso: str) -> int:
    latest = client.get_map().latest
    assert latest is not None
    table = pa.ipc.open_stream(client.get_map_points(latest.map_id)).read_all()
    return len(choose(table, MapPart(lasso=read_lasso(lasso))))
