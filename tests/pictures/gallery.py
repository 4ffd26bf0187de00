"""Every page in every state, for somebody to look at: three widths, both themes, and what opens on top. Prints what axe finds serious.

    python -m tests.pictures.gallery [folder] [state…]

The states are ``empty``, ``used``, ``busy``, ``trouble`` and ``offline``; without any, all of them.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Error, expect, sync_playwright

from lib.contract.golden import GoldenRequest
from lib.contract.imports import ImportRequest
from lib.contract.maps import MapRequest
from lib.contract.operations import SnapshotRequest
from lib.contract.rehearsals import ImportChange, RehearseRequest
from tests.browser.conftest import CHROMIUM, make_console
from tests.browser.test_accessibility import examine
from tests.browser.test_pages import find_faults
from tests.browser.test_service_away import NOTICING, Pair, make_pair, trouble
from tests.browser.visitor import PAGES, THEMES, Visitor
from tests.browser.walk import edit_sample, finish, load_sample, make_plan
from tests.embeddings_endpoint import DIMENSION, Endpoint, serve_embeddings
from tests.faults.console import Console, until
from tests.faults.road import Sheet, import_sheet, start_import, start_preview, wait_plan
from tests.service.planted import PLANTED

TABS = {
    "Index": ("Map", "Look into a file", "Health", "Golden questions", "Rehearsals"),
    "Settings": ("Access", "Audit"),
}
WIDTHS = (1920, 1280, 800)
#: Rows that were embedded before, and rows that are being embedded while the pictures are taken.
BEFORE, WAITING = 3_000, 6_000
#: Seconds the endpoint thinks about eight rows.
SLOW = 0.4

View = tuple[str, str, dict[str, str]]
Open = Callable[[Console], Visitor]


def main() -> None:
    folder, *states = sys.argv[1:] or ["test-output/gallery"]
    with tempfile.TemporaryDirectory() as work, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for state, take in STATES.items():
            if not states or state in states:
                take(Path(work) / state, lambda console, name=state: sit_down(browser, console, Path(folder), name))
        browser.close()


def sit_down(browser: Browser, console: Console, folder: Path, state: str) -> Visitor:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    return Visitor(context.new_page(), f"http://127.0.0.1:{console.port}", folder, state)


# The states


def take_empty(folder: Path, sit: Open) -> None:
    with console_in(folder) as console:
        visitor = sit(console)
        picture_views(visitor, main_views())
        picture_what_opens(visitor)


def take_used(folder: Path, sit: Open) -> None:
    with console_in(folder) as console:
        views = use_everything(console)
        visitor = sit(console)
        picture_views(visitor, [*main_views(), *views])
        picture_what_opens(visitor)


def take_busy(folder: Path, sit: Open) -> None:
    with busy_pair(folder) as (pair, _):
        picture_views(sit(pair.pages), [*main_views(), ("row", "Queue", {"row": "1"})])


def take_trouble(folder: Path, sit: Open) -> None:
    with busy_pair(folder) as (pair, endpoint):
        endpoint.seconds = 0
        until(lambda: not pair.service.client.get_queue().pending, 120, "the end of the queue")
        with trouble(pair.service) as job_id:
            picture_views(sit(pair.pages), [*main_views(), ("job", "Home", {"job": job_id})])


def take_offline(folder: Path, sit: Open) -> None:
    with busy_pair(folder) as (pair, _):
        visitor = sit(pair.pages).open("Home")
        process = pair.freeze()
        try:
            expect(visitor.page.locator(".sy-asof.sy-old").first).to_be_visible(timeout=NOTICING)
            picture_views(visitor, main_views(), arrive=False)
        finally:
            process.resume()


STATES: dict[str, Callable[[Path, Open], None]] = {
    "empty": take_empty,
    "used": take_used,
    "busy": take_busy,
    "trouble": take_trouble,
    "offline": take_offline,
}


@contextmanager
def console_in(folder: Path) -> Iterator[Console]:
    yield from make_console(folder, SWITCHYARD_WORKERS="1", SWITCHYARD_ENVIRONMENT="gallery")


@contextmanager
def busy_pair(folder: Path) -> Iterator[tuple[Pair, Endpoint]]:
    """A service somewhere else, in the middle of a long import of which some rows fail."""
    with ExitStack() as stack:
        endpoint = stack.enter_context(serve_embeddings())
        pair = stack.enter_context(make_pair(folder))
        client = pair.service.client
        for name, value in {"url": endpoint.url, "dimension": DIMENSION, "embedder": "openai", "max_attempts": 1}.items():
            client.put_setting(f"embedding.{name}", value)
        sheet = Sheet(rows=BEFORE)
        import_sheet(pair.service, sheet)
        client.put_setting("embedding.batch_size", 8)
        sheet.extend(WAITING)
        bad = {f"bad-{cause}-{number}": f"{text} {number}" for cause, text in PLANTED.items() for number in range(3)}
        sheet.texts = bad | sheet.texts  # first in the file, first in the queue
        endpoint.seconds = SLOW
        plan_id = start_preview(pair.service, sheet)
        wait_plan(pair.service, plan_id)
        finish(pair.service, start_import(pair.service, plan_id))
        until(lambda: client.get_queue().failed, 60, "a failed row")
        yield pair, endpoint


def use_everything(console: Console) -> list[View]:
    """What people do in a week, and the pages that show it."""
    load_sample(console)
    client = console.client
    client.create_golden_question(GoldenRequest(text="customer cannot log in", expected_keys=["ACC-001"]))
    client.create_golden_question(GoldenRequest(text="where is my invoice", expected_keys=["BIL-001", "ACC-002"], k=3))
    changed, _ = edit_sample("ACC-005", "advice", "Somebody has found a better way.")
    finish(console, client.start_import(ImportRequest(plan_id=make_plan(console, changed))))
    snapshot_id = client.start_snapshot(SnapshotRequest(name="before the move"))
    finish(console, snapshot_id)
    finish(console, client.start_map(MapRequest(layout="fine")))
    finish(console, client.start_check())
    client.add_note("The provider moves on Friday.")
    plan_id = make_plan(console, edit_sample("ACC-006", "advice", "Water the plants before noon.")[0], "plants.csv")
    rehearsal_id = client.start_rehearsal(RehearseRequest(change=ImportChange(plan_id=plan_id), rows=100))
    finish(console, rehearsal_id)
    import_id = next(job.job_id for job in client.list_jobs().items if job.operation == "import")
    snapshot = client.list_snapshots().items[0].snapshot_id
    return [
        ("plan", "Import", {"plan": plan_id}),
        ("result", "Import", {"job": import_id}),
        ("job", "Home", {"job": import_id}),
        ("snapshot", "Index", {"snapshot": snapshot}),
        ("rehearsal", "Index", {"tab": "Rehearsals", "rehearsal": rehearsal_id}),
        ("search", "Index", {"q": "customer cannot log in"}),
        ("row", "Queue", {"row": "1"}),
        ("then-and-now", "Queue", {"as_of": client.create_moment().moment_id}),
    ]


def main_views() -> list[View]:
    """Each page, and each tab of those that have tabs."""
    views: list[View] = []
    for page in PAGES:
        views.append((page, page, {}))
        views += [(f"{page}-{tab.replace(' ', '-')}", page, {"tab": tab}) for tab in TABS.get(page, ())]
    return [*views, ("Export-sheet", "Export", {"target": "A Google sheet"})]


# The pictures


def picture_views(visitor: Visitor, views: list[View], *, arrive: bool = True) -> None:
    for name, page, params in views:
        try:
            if arrive:
                visitor.open(page, **params)
            else:
                visitor.page.goto(f"{visitor.base_url}/{'' if page == 'Home' else page}?{'&'.join(f'{k}={v}' for k, v in params.items())}")
                expect(visitor.page.locator(".sy-title h1")).to_have_text(page)
            visitor.page.wait_for_timeout(1_500)
            picture_both(visitor, name, WIDTHS)
        except (AssertionError, Error) as trouble_there:
            print(f"{visitor.name} {name}: {trouble_there}", file=sys.stderr)


def picture_both(visitor: Visitor, name: str, widths: tuple[int, ...]) -> None:
    visitor.page.emulate_media(color_scheme="light")
    for fault in {*examine(visitor), *find_faults(visitor)}:
        print(f"{visitor.name} {name}: {fault}", file=sys.stderr)
    for width in widths:
        visitor.page.set_viewport_size({"width": width, "height": 900})
        for theme in THEMES:
            visitor.page.emulate_media(color_scheme=theme)
            visitor.settle()
            visitor.shot(f"{name}-{width}-{theme}", full=True)
    visitor.page.set_viewport_size({"width": 1280, "height": 900})
    visitor.page.emulate_media(color_scheme="light")


def picture_what_opens(visitor: Visitor) -> None:
    """What a click or a key puts on top of a page or unfolds."""
    for name, page, opening in OPENINGS:
        try:
            opening(visitor.open(page))
            visitor.page.wait_for_timeout(800)
            picture_both(visitor, name, (1280, 800))
        except (AssertionError, Error) as trouble_there:
            print(f"{visitor.name} {name}: {trouble_there}", file=sys.stderr)


def unfold_all(visitor: Visitor) -> None:
    visitor.page.wait_for_timeout(1_000)
    for fold in visitor.page.get_by_test_id("stMain").locator("[data-testid=stExpander] summary").all():
        fold.click()


OPENINGS: tuple[tuple[str, str, Callable[[Visitor], None]], ...] = (
    ("go-to", "Home", lambda visitor: visitor.page.locator(".st-key-open_places button").click()),
    ("shortcuts", "Home", lambda visitor: visitor.page.locator(".st-key-open_shortcuts button").click()),
    ("link", "Queue", lambda visitor: visitor.page.locator(".st-key-link_to_here button").click()),
    ("drain", "Workers", lambda visitor: visitor.button("Drain all").click()),
    ("pause", "Workers", lambda visitor: visitor.button("Pause all").click()),
    ("change", "Settings", lambda visitor: visitor.button("Change").first.click()),
    ("unfolded-Home", "Home", unfold_all),
    ("unfolded-Export", "Export", unfold_all),
    ("unfolded-Workers", "Workers", unfold_all),
    ("unfolded-Queue", "Queue", unfold_all),
    ("unfolded-Index", "Index", unfold_all),
    ("unfolded-Settings", "Settings", unfold_all),
)


if __name__ == "__main__":
    main()
