"""How long the map of a large index takes to appear in a browser, and to answer a lasso drawn on it. Prints; judges nothing.

python -m tests.bench.map_paint sheet.csv key_column text_column [field,field]
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from lib.contract.imports import ColumnMapping, FileSource, ImportRequest, PreviewRequest
from lib.contract.maps import IndexMap, MapRequest
from lib.contract.states import JobState, PlanState
from tests.faults.console import Console, until

CHROMIUM = "/usr/bin/chromium"
ROUNDS = 4
MINUTES = 60.0
#: Whether anything but the background stands on the canvas: its points are drawn, not only its frame.
_PAINTED = """() => {
  const canvas = document.querySelector('[data-testid=stVegaLiteChart] canvas');
  if (!canvas || !canvas.width) return false;
  const pixels = canvas.getContext('2d').getImageData(0, canvas.height / 4, canvas.width, canvas.height / 2).data;
  let coloured = 0;
  for (let at = 0; at < pixels.length; at += 4)
    if (pixels[at + 3] && Math.max(pixels[at], pixels[at + 1], pixels[at + 2]) - Math.min(pixels[at], pixels[at + 1], pixels[at + 2]) > 24)
      coloured += 1;
  return coloured > 200;
}"""


def main() -> None:
    path, key, text, *fields = sys.argv[1:]
    mapping = ColumnMapping(key=key, text=[text], fields=fields[0].split(",") if fields else [])
    with tempfile.TemporaryDirectory() as folder:
        console = Console(Path(folder) / "data", pages=True)
        try:
            console.start()
            fill(console, Path(path), mapping)
            for layout in ("coarse", "fine"):
                made = lay_out(console, MapRequest(layout=layout))
                size = made.points_bytes / 2**20
                print(f"{layout}: {made.points:,} of {made.vectors:,} laid out in {made.seconds:.1f} s, {size:.1f} MiB to the console")
            with sync_playwright() as playwright:
                paint(playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"]), console)
        finally:
            console.sweep()


def fill(console: Console, path: Path, mapping: ColumnMapping) -> None:
    """Import it, and wait until all of it is in the index."""
    client = console.client
    with path.open("rb") as file:
        upload = client.upload_file(path.name, file)
    plan_id = client.preview_import(PreviewRequest(source=FileSource(upload_id=upload.upload_id), mapping=mapping))
    until(lambda: client.get_plan(plan_id).state is not PlanState.BUILDING, 5 * MINUTES, "the plan", every=0.5)
    job_id = client.start_import(ImportRequest(plan_id=plan_id))
    until(lambda: not client.get_job(job_id).is_active, 5 * MINUTES, "the import", every=0.5)
    entries = client.get_queue().entries
    until(lambda: client.get_index().vectors == entries, 15 * MINUTES, "the index", every=1)


def lay_out(console: Console, request: MapRequest) -> IndexMap:
    job_id = console.client.start_map(request)
    until(lambda: not console.client.get_job(job_id).is_active, 10 * MINUTES, "the map", every=0.5)
    job, latest = console.client.get_job(job_id), console.client.get_map().latest
    assert job.state is JobState.SUCCEEDED, job.error
    assert latest is not None
    return latest


def paint(browser: Browser, console: Console) -> None:
    """The first round also makes the console read the points, which it does once for everybody."""
    for number in range(ROUNDS):
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        began = time.monotonic()
        page.goto(f"http://127.0.0.1:{console.port}/Index?tab=Map")
        page.wait_for_function(_PAINTED, timeout=120_000)
        painted = time.monotonic() - began
        print(f"round {number + 1}: painted after {painted:.2f} s, the rows of a lasso after {draw_lasso(page):.2f} s")
        page.close()


def draw_lasso(page: Page) -> float:
    """Seconds from letting go of the mouse until the rows are told."""
    canvas = page.get_by_test_id("stVegaLiteChart").locator("canvas")
    canvas.scroll_into_view_if_needed()
    area = canvas.bounding_box()
    assert area is not None
    page.mouse.move(area["x"] + area["width"] * 0.3, area["y"] + area["height"] * 0.4)
    page.mouse.down()
    for across, down in ((0.6, 0.4), (0.6, 0.8), (0.3, 0.8)):
        page.mouse.move(area["x"] + area["width"] * across, area["y"] + area["height"] * down, steps=8)
    page.mouse.up()
    began = time.monotonic()
    page.get_by_text("rows in the lasso").first.wait_for(timeout=120_000)
    return time.monotonic() - began


if __name__ == "__main__":
    main()
