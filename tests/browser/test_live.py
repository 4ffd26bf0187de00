"""The page lives: values move, while what people type, open and read stays where it is. What is held is said everywhere it matters."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import WebSocketRoute, expect
from streamlit.proto.BackMsg_pb2 import BackMsg

from lib.contract.imports import ImportRequest
from tests.browser.conftest import Visit, make_console
from tests.browser.test_accessibility import press_through_to
from tests.browser.test_pages import find_faults
from tests.browser.visitor import PAGES, PATIENCE
from tests.browser.walk import SAMPLE, client_of, edit_sample, finish, is_searchable, make_plan
from tests.faults.console import Console, until

pytestmark = pytest.mark.browser

REASON = "provider maintenance until 15:00"
#: Streamlit's back-off before it tries a lost connection again, and the start of a console on a busy machine.
RECOVERY = 60_000


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A console nobody has looked at yet, with two embedding workers."""
    yield from make_console(tmp_path_factory.mktemp("live"))


@pytest.fixture
def running(console: Console) -> Iterator[Console]:
    """The console with the sample in it; nobody is held when the test ends, whatever came of it."""
    if not console.client.get_queue().entries:
        finish(console, console.client.start_import(ImportRequest(plan_id=make_plan(console, SAMPLE.read_bytes()))))
        until(lambda: is_searchable(console), 60, "a searchable sample")
    yield console
    client_of(console).resume_workers("")


def test_a_link_into_a_fresh_process_shows_the_whole_frame(visit: Visit, console: Console) -> None:
    visitor = visit(console).open("Queue", window="1h")
    expect(visitor.page.get_by_test_id("stSidebar").get_by_role("link")).to_have_count(len(PAGES))
    expect(visitor.page.locator(".sy-bar")).to_contain_text("Environment local")
    expect(visitor.page.get_by_role("radio", name="1h")).to_be_checked()
    visitor.shot("deep-link")
    assert find_faults(visitor) == []
    assert visitor.complaints == []


def test_values_move_without_a_run_of_the_whole_page(visit: Visit, running: Console) -> None:
    visitor = visit(running).open("Queue").go("Index")
    visitor.page.go_back()
    visitor.arrive("Queue").wait_for_ticks(1)
    before = visitor.full_runs
    expect(visitor.tile("Pending")).to_have_text("0")
    client_of(running).pause_workers("so that rows wait")
    bring_in_one_change(running, "ACC-003")
    expect(visitor.tile("Pending")).to_have_text("1", timeout=PATIENCE)
    visitor.shot("waiting")
    client_of(running).resume_workers("")
    expect(visitor.tile("Pending")).to_have_text("0", timeout=PATIENCE)
    assert visitor.full_runs == before
    assert visitor.complaints == []


def test_a_late_tick_of_the_page_one_has_left_does_not_blank_the_next(visit: Visit, running: Console) -> None:
    visitor, late = visit(running), LateTick()
    visitor.page.route_web_socket("**/_stcore/stream", late.relay)
    visitor.open("Queue")
    visitor.until(lambda: late.tick, "a tick")
    late.is_kept = True
    visitor.go("Index")
    late.deliver()
    box = visitor.page.get_by_role("textbox", name="What are you looking for?")
    box.fill("customer cannot log in")
    box.press("Enter")
    expect(visitor.page.locator(".sy-hits li").first).to_contain_text("ACC-001")
    expect(visitor.page.locator(".sy-title h1")).to_have_text("Index")
    assert visitor.complaints == []


def test_what_is_being_typed_survives_the_ticks(visit: Visit, running: Console) -> None:
    visitor = visit(running).open("Index")
    box = visitor.page.get_by_role("textbox", name="What are you looking for?")
    box.press_sequentially("customer cannot")
    visitor.wait_for_ticks(2)
    expect(box).to_have_value("customer cannot")
    expect(box).to_be_focused()
    box.press_sequentially(" log in")
    box.press("Enter")
    expect(visitor.page.locator(".sy-hits li").first).to_contain_text("ACC-001")
    assert visitor.complaints == []


@pytest.mark.parametrize("verb", ["Pause", "Drain"])
def test_an_open_dialog_and_the_reason_typed_into_it_survive_the_ticks(visit: Visit, running: Console, verb: str) -> None:
    visitor = visit(running).open("Workers")
    visitor.button(f"{verb} all").click()
    reason = visitor.dialog().get_by_role("textbox", name="Reason")
    reason.press_sequentially(REASON)
    visitor.wait_for_ticks(2)
    expect(visitor.dialog()).to_be_visible()
    expect(reason).to_have_value(REASON)
    expect(reason).to_be_focused()
    visitor.shot("dialog")
    visitor.dialog().get_by_role("button", name=f"{verb} all").click()
    expect(visitor.dialog()).to_have_count(0)
    expect(visitor.page.locator(".sy-wish").first).to_contain_text(REASON)
    wishes = {worker.desired_reason for worker in running.client.list_workers().workers if worker.role == "embedding"}
    assert wishes == {REASON}
    assert visitor.complaints == []


def test_a_pause_of_all_is_told_with_who_and_why_until_somebody_resumes(visit: Visit, running: Console) -> None:
    visitor = visit(running).open("Workers")
    visitor.button("Pause all").click()
    visitor.dialog().get_by_role("textbox", name="Reason").fill(REASON)
    visitor.dialog().get_by_role("button", name="Pause all").click()
    expect(visitor.page.locator(".sy-wish")).to_have_count(2)
    who = next(worker.desired_by for worker in running.client.list_workers().workers if worker.desired_by)
    for page in ("Workers", "Queue", "Import", "Home"):
        visitor.go(page)
        told = visitor.page.get_by_test_id("stMain").get_by_text(f"Paused by {who}: “{REASON}”")
        expect(told.first).to_be_visible()
        visitor.shot(f"held-{page}")
    expect(visitor.said("waits for a person")).to_be_visible()
    visitor.go("Workers")
    visitor.button("Resume all").click()
    expect(visitor.page.locator(".sy-wish")).to_have_count(0)
    for page in ("Queue", "Import", "Home"):
        visitor.go(page)
        # As a banner or a finding; the shift log remembers it.
        expect(visitor.page.locator(".st-key-banners, [class*=st-key-finding_]").get_by_text(REASON)).to_have_count(0)
    assert visitor.complaints == []


@pytest.mark.feature("X14")
def test_the_keyboard_alone_pauses_and_resumes_everybody_and_the_page_says_so(visit: Visit, running: Console) -> None:
    visitor = visit(running).open("Workers")
    press_through_to(visitor, "Pause all")
    expect(visitor.dialog().get_by_role("button", name="Cancel")).to_be_focused()
    visitor.page.keyboard.press("Shift+Tab")
    visitor.page.keyboard.type(REASON)
    visitor.page.keyboard.press("Tab")
    visitor.page.keyboard.press("Tab")
    expect(visitor.dialog().get_by_role("button", name="Pause all")).to_be_focused()
    visitor.page.keyboard.press("Enter")
    expect(visitor.page.get_by_role("status").filter(has_text="Paused 2 embedding workers").first).to_be_visible()
    expect(visitor.page.locator(".sy-wish").first).to_contain_text(REASON)
    press_through_to(visitor, "Resume all")
    expect(visitor.page.get_by_role("status").filter(has_text="Resumed 2 embedding workers").first).to_be_visible()
    assert visitor.complaints == []


def test_a_page_comes_back_by_itself_after_the_console_was_killed_and_started_again(visit: Visit, running: Console) -> None:
    visitor = visit(running).open("Queue", window="1h")
    visitor.wait_for_ticks(1)
    running.kill9("group")
    expect(visitor.page.get_by_role("dialog")).to_be_visible(timeout=RECOVERY)  # Streamlit's own: the connection is lost
    visitor.shot("1-lost")
    running.start()
    visitor.page.wait_for_function("() => !document.querySelector('[role=dialog]')", timeout=RECOVERY)
    visitor.arrive("Queue")
    expect(visitor.page.get_by_role("radio", name="1h")).to_be_checked()
    visitor.wait_for_ticks(2)
    visitor.shot("2-back")
    client_of(running).pause_workers("after the restart")
    expect(visitor.said("after the restart")).to_be_visible(timeout=PATIENCE)
    assert find_faults(visitor) == []


class LateTick:
    """Sits on the wire between page and server, and can send the last tick of a page once more, as if it had been slow.

    In the wild: the browser sends a tick after it has asked for another page and before it has heard of it.
    """

    def __init__(self) -> None:
        self.tick: str | bytes = b""
        self.is_kept = False
        self.server: WebSocketRoute | None = None

    def relay(self, page: WebSocketRoute) -> None:
        self.server = page.connect_to_server()
        page.on_message(self.pass_on)

    def pass_on(self, message: str | bytes) -> None:
        if isinstance(message, bytes) and not self.is_kept and BackMsg.FromString(message).rerun_script.fragment_id:
            self.tick = message
        assert self.server is not None
        self.server.send(message)

    def deliver(self) -> None:
        assert self.server is not None
        self.server.send(self.tick)


def bring_in_one_change(console: Console, key: str) -> None:
    """Import the sample with one other cell."""
    content, _ = edit_sample(key, "advice", "Somebody has found a better way.")
    finish(console, console.client.start_import(ImportRequest(plan_id=make_plan(console, content))))
