"""The service on another host stops answering: what was known stays, looks old, and says since when. Off means that nothing is asked."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import requests
from playwright.sync_api import expect

from lib.contract.exports import ExportRequest
from lib.contract.states import Actual
from tests.browser.conftest import Visit
from tests.browser.test_accessibility import examine
from tests.browser.test_pages import find_faults
from tests.browser.visitor import PAGES, Visitor
from tests.browser.walk import SAMPLE, client_of, load_sample, read_rows
from tests.browser.wire import Wire
from tests.faults.console import Console, until

pytestmark = pytest.mark.browser

#: The feed is lost after two and a half missed signs of life, and then tried again with a back-off of at most 5 s.
NOTICING = 40_000
#: Words of the banner.
AWAY = "The service does not answer"


@dataclass
class Pair:
    """A service, a console elsewhere that uses it, and the wire between them."""

    service: Console
    wire: Wire
    pages: Console

    def freeze(self) -> psutil.Process:
        """SIGSTOP: connections stay open and nothing comes."""
        assert self.service.process is not None
        self.service.process.suspend()
        return self.service.process


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """A service in use, and its console."""
    with make_pair(tmp_path_factory.mktemp("away")) as pair:
        load_sample(pair.service)
        yield pair


@contextmanager
def make_pair(folder: Path) -> Iterator[Pair]:
    """A service with nothing in it, and a console that knows it only by its address."""
    service = Console(folder / "service", environment={"SWITCHYARD_WORKERS": "1"})
    try:
        service.start()
        wire = Wire(service.port)
        address = {"SWITCHYARD_API_URL": f"http://127.0.0.1:{wire.port}"}
        pages = Console(folder / "pages", pages=True, environment=address).start(wait=False)
        try:
            until(lambda: is_serving(pages), 40, "the console")
            yield Pair(service, wire, pages)
        finally:
            pages.sweep()
            wire.stop()
    finally:
        if service.process is not None and service.process.is_running():
            service.process.resume()
        service.sweep()


def is_serving(pages: Console) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{pages.port}/_stcore/health", timeout=1).ok
    except requests.RequestException:
        return False


@pytest.mark.feature("L6")
def test_with_refresh_off_no_page_asks_the_service_for_anything(visit: Visit, pair: Pair) -> None:
    visitor = visit(pair.pages).open("Home")
    visitor.page.get_by_test_id("stSidebar").get_by_role("radio", name="Off").click()
    expect(visitor.page.locator(".sy-bar")).to_contain_text("Refresh off")
    for page in PAGES:
        visitor.go(page)
        expect(visitor.page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
        asked = len(pair.wire.asked)
        visitor.wait_for_ticks(1)  # the state bar's own, which reads memory
        assert pair.wire.asked[asked:] == [], page
    visitor.go("Workers")
    client_of(pair.service).pause_worker("embedding-1", "a change nobody here sees yet")
    expect(visitor.page.locator(".sy-bar")).to_contain_text(re.compile(r"\d+ updates? waiting"), timeout=NOTICING)
    visitor.shot("off")
    unseen = visitor.page.get_by_text("a change nobody here sees yet")
    expect(unseen).to_have_count(0)
    visitor.page.get_by_role("button", name="Refresh now").click()
    expect(unseen.first).to_be_visible()
    client_of(pair.service).resume_worker("embedding-1")


@pytest.mark.feature("X14")
def test_axe_finds_nothing_serious_while_rows_fail_jobs_wait_and_everybody_is_held(visit: Visit, pair: Pair) -> None:
    with trouble(pair.service) as job_id:
        visitor, faults = visit(pair.pages).open("Home"), []
        expect(visitor.said("3 rows could not be embedded")).to_be_visible()
        for page in PAGES:
            visitor.go(page)
            visitor.shot_both(f"trouble-{page}")
            faults += [f"{page}, {fault}" for fault in (*examine(visitor), *find_faults(visitor))]
        visitor.open("Home", job=job_id)
        faults += [f"job, {fault}" for fault in (*examine(visitor), *find_faults(visitor))]
    assert faults + visitor.complaints == []


@pytest.mark.feature("X10", "X14")
def test_a_frozen_service_leaves_the_last_known_values_on_a_page_that_says_so(visit: Visit, pair: Pair) -> None:
    visitors = {page: visit(pair.pages).open(page) for page in ("Queue", "Index")}
    process = pair.freeze()
    try:
        for page, visitor in visitors.items():
            expect(visitor.page.get_by_role("alert").filter(has_text=AWAY).first).to_be_visible(timeout=NOTICING)
            visitor.shot(f"1-away-{page}")
            see_the_last_known(visitor, page)
        walk_while_away(visitors["Queue"])
    finally:
        process.resume()
    for visitor in visitors.values():
        expect(visitor.page.get_by_role("alert").filter(has_text=AWAY)).to_have_count(0, timeout=NOTICING)
        expect(visitor.page.locator(".sy-bar")).to_contain_text("live", timeout=NOTICING)
        assert visitor.complaints == []


def test_a_service_that_is_down_and_comes_back_brings_the_page_back_with_it(visit: Visit, pair: Pair) -> None:
    visitor = visit(pair.pages).open("Workers")
    pair.service.kill9("group")
    expect(visitor.page.get_by_role("alert").filter(has_text=AWAY).first).to_be_visible(timeout=NOTICING)
    expect(visitor.button("Pause all")).to_be_disabled()
    expect(visitor.said("embedding-1")).to_be_visible()
    visitor.shot("1-down")
    pair.service.start()
    expect(visitor.page.get_by_role("alert").filter(has_text=AWAY)).to_have_count(0, timeout=NOTICING)
    expect(visitor.button("Pause all")).to_be_enabled(timeout=NOTICING)
    visitor.shot("2-back")
    assert visitor.complaints == []


@contextmanager
def trouble(service: Console) -> Iterator[str]:
    """Three rows have failed, everybody is held by a person, and an export waits for them: its job. Afterwards all is as it was."""
    workers = [worker.worker_id for worker in service.client.list_workers().workers]
    with closing(sqlite3.connect(service.data_dir / "switchyard.sqlite", timeout=30)) as connection, connection:
        connection.execute(FAIL_THREE, (time.time(),) * 3)
        connection.execute("INSERT INTO counters VALUES ('failed', 3) ON CONFLICT (name) DO UPDATE SET value = 3")
    for worker in workers:
        client_of(service).pause_worker(worker, "provider maintenance until 15:00")
    until(lambda: {service.state_of(worker) for worker in workers} == {Actual.PAUSED}, 30, "workers that stand still")
    job_id = client_of(service).start_export(ExportRequest())
    try:
        yield job_id
    finally:
        client_of(service).cancel_job(job_id)
        for worker in workers:
            client_of(service).resume_worker(worker)
        with closing(sqlite3.connect(service.data_dir / "switchyard.sqlite", timeout=30)) as connection, connection:
            connection.execute("DELETE FROM items")
            connection.execute("UPDATE counters SET value = 0 WHERE name = 'failed'")
        until(lambda: not service.client.get_job(job_id).is_active, 40, "the end of the export")


FAIL_THREE = """INSERT INTO items (entry_id, content_hash, state, priority, attempts, enqueued_at, available_at, cause, error, failed_at)
    SELECT entry_id, content_hash, 'failed', 0, 3, ?, ?, 'text_too_long', '9,000 tokens', ? FROM entries LIMIT 3"""


def see_the_last_known(visitor: Visitor, page: str) -> None:
    """Figures instead of zeros, each with the moment until which they were true, and no button that would do nothing."""
    see_stale(visitor)
    if page == "Queue":
        expect(visitor.tile("Embedded")).to_have_text(count_of_sample())
    else:
        expect(visitor.fact("Vectors")).to_have_text(count_of_sample())
        expect(visitor.button("Rebuild")).to_be_disabled()
        expect(visitor.said("actions are off until it is back")).to_be_visible()


def see_stale(visitor: Visitor) -> None:
    """Every block says since when it is not confirmed, and looks it."""
    expect(visitor.page.locator(".sy-bar")).to_contain_text("does not answer")
    expect(visitor.page.locator(".sy-asof.sy-old").first).to_contain_text("stale since", timeout=NOTICING)
    expect(visitor.page.locator(".sy-asof:not(.sy-old)")).to_have_count(0)
    blocks = visitor.page.locator("[class*=st-key-live_]").evaluate_all("blocks => blocks.map(block => getComputedStyle(block).filter)")
    assert blocks
    assert set(blocks) == {"grayscale(1)"}


def walk_while_away(visitor: Visitor) -> None:
    """Every page knows what the hub knows, and says of the rest that it is not known; no button does nothing."""
    for page in PAGES:
        visitor.page.get_by_test_id("stSidebar").get_by_role("link", name=re.compile(rf"^{page}\b")).click()
        expect(visitor.page.locator(".sy-title h1")).to_have_text(page)
        expect(visitor.page.get_by_role("alert").filter(has_text=AWAY).first).to_be_visible()
        see_stale(visitor)
        visitor.shot_both(f"2-meanwhile-{page}")
        assert find_faults(visitor) + examine(visitor) == []
        for action in ACTIONS.get(page, ()):
            expect(visitor.button(action).first).to_be_disabled()
    visitor.page.get_by_test_id("stSidebar").get_by_role("link", name="Home").click()
    expect(visitor.stage("Table")).to_contain_text(count_of_sample())
    expect(visitor.page.get_by_text("all well")).to_have_count(0)
    expect(visitor.page.get_by_text("Nothing needs attention.")).to_have_count(0)


#: What must not be offered while nothing could come of it.
ACTIONS = {
    "Import": ("Load the sample sheet",),
    "Export": ("Export to CSV",),
    "Workers": ("Pause all", "Drain all", "Pause", "Drain"),
    "Index": ("Refresh", "Rebuild"),
    "Settings": ("Change",),
}


def count_of_sample() -> str:
    return str(len(read_rows(SAMPLE)) - 1)
