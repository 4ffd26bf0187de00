"""Failures, a drain and a pause in the middle of a batch, with a real worker over an embeddings endpoint that fails or keeps it waiting."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest
from playwright.sync_api import Locator, expect

from lib.contract.queue import ItemSelection
from lib.contract.states import Actual, Desired, FailureCause
from tests.browser.conftest import Visit, make_console
from tests.browser.visitor import PAGES, Visitor
from tests.browser.walk import client_of
from tests.embeddings_endpoint import DIMENSION, MAX_CHARACTERS, Endpoint, serve_embeddings
from tests.faults.console import Console, until
from tests.faults.road import Sheet, start_import, start_preview, wait_drained, wait_job, wait_plan
from tests.service.planted import PLANTED

pytestmark = pytest.mark.browser

#: So many that a retry sends one ahead, then ten, then the rest.
LONG_ROWS = 12
ROWS, BATCH = 20, 8
#: Seconds the endpoint thinks about a row while pictures are taken.
SLOW = 0.4
REASON = "the provider is being moved"
#: A job with its canaries, on a machine that does other things too.
WORK = 60_000


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    with serve_embeddings() as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory, endpoint: Endpoint) -> Iterator[Console]:
    """A console with one embedding worker, which asks the endpoint."""
    for console in make_console(tmp_path_factory.mktemp("queue"), SWITCHYARD_WORKERS="1"):
        choose(console, url=endpoint.url, dimension=DIMENSION, embedder="openai")
        yield console


@pytest.fixture
def console(started: Console, endpoint: Endpoint) -> Iterator[Console]:
    """The same; when the test ends the endpoint answers and nobody is held, whatever came of it."""
    yield started
    endpoint.answers.set()
    endpoint.seconds = 0
    client_of(started).resume_workers("")


def choose(console: Console, **settings: object) -> None:
    for name, value in settings.items():
        client_of(console).put_setting(f"embedding.{name}", value)


def bring_in(console: Console, texts: dict[str, str]) -> None:
    plan_id = start_preview(console, Sheet(rows=0, texts=texts))
    wait_plan(console, plan_id)
    wait_job(console, start_import(console, plan_id))


def counts(console: Console) -> dict[FailureCause, int]:
    return {group.cause: group.count for group in client_of(console).list_failure_groups().groups}


def take_one_batch_in_hand(console: Console, endpoint: Endpoint) -> None:
    """Twenty rows wait for the endpoint: the worker holds eight of them for as long as the test wants."""
    choose(console, batch_size=BATCH, max_attempts=3)
    endpoint.answers.clear()
    word = uuid4().hex[:8]
    bring_in(console, {f"{word}-{number}": f"{word} {number}" for number in range(ROWS)})
    until(lambda: console.client.get_queue().leased == BATCH, 40, "a batch in hand")


@pytest.mark.feature("Q6", "M4", "Q3", "Q4")
def test_five_causes_make_five_groups_and_the_right_fix_clears_its_group_only(visit: Visit, console: Console, endpoint: Endpoint) -> None:
    choose(console, batch_size=1, max_attempts=1)
    client_of(console).discard_failures(ItemSelection())
    endpoint.heal.clear()
    before = console.client.get_queue().embedded
    bring_in(console, planted_texts())
    wait_drained(console)
    expected = dict.fromkeys(PLANTED, 1) | {FailureCause.TEXT_TOO_LONG: LONG_ROWS}
    assert counts(console) == expected
    visitor = visit(console).open("Queue")
    for cause in PLANTED:
        expect(group(visitor, cause)).to_be_visible()
    visitor.shot_both("1-five-groups")

    shorten(visitor, MAX_CHARACTERS + 1)
    expect(visitor.page.get_by_text("failed again").first).to_be_visible(timeout=WORK)
    expect(visitor.said("the other rows were left alone")).to_be_visible()
    visitor.shot("2-stopped-after-the-canary")
    assert counts(console) == expected

    shorten(visitor, MAX_CHARACTERS)
    expect(group(visitor, FailureCause.TEXT_TOO_LONG)).to_have_count(0, timeout=WORK)
    del expected[FailureCause.TEXT_TOO_LONG]
    until(lambda: counts(console) == expected, 30, "one group less, and only one")
    for cause in expected:
        expect(group(visitor, cause)).to_be_visible()
    wait_drained(console)
    assert console.client.get_queue().embedded == before + LONG_ROWS + len(PLANTED)
    clear_the_curable(console, endpoint, expected)
    assert visitor.complaints == []


def planted_texts() -> dict[str, str]:
    """One row of each cause but many that are too long; after each a row that is well, so that the worker need not rest long."""
    word = uuid4().hex[:8]
    texts = {}
    for cause, text in PLANTED.items():
        for number in range(LONG_ROWS if cause is FailureCause.TEXT_TOO_LONG else 1):
            texts[f"{word}-{cause}-{number}"] = text if cause is FailureCause.EMPTY_TEXT else f"{word} {number} {text}"
        texts[f"{word}-good-{cause}"] = f"{word} {cause} good"
    return texts


def group(visitor: Visitor, cause: FailureCause) -> Locator:
    return visitor.page.locator(f".st-key-group_{cause}")


def shorten(visitor: Visitor, characters: int) -> None:
    """The fix the group offers, with a length of one's own."""
    field = group(visitor, FailureCause.TEXT_TOO_LONG).get_by_label("Characters to embed", exact=True)
    field.fill(str(characters))
    field.press("Enter")
    visitor.page.locator(".st-key-shorten_text_too_long").get_by_role("button").click()
    expect(visitor.said(f"Shorten {LONG_ROWS} rows to {characters} characters and retry: started")).to_be_visible()


def clear_the_curable(console: Console, endpoint: Endpoint, left: dict[FailureCause, int]) -> None:
    """The quota is back, the key was replaced, the model is the right one again: each retry clears its own group."""
    for cause in (FailureCause.QUOTA, FailureCause.BAD_KEY, FailureCause.WRONG_DIMENSION):
        endpoint.heal.add(PLANTED[cause])
        client_of(console).retry_failures(ItemSelection(cause=cause))
        wait_drained(console)
        left = {each: count for each, count in left.items() if each is not cause}
        assert counts(console) == left


@pytest.mark.feature("W4")
def test_a_drain_tells_what_remains_is_called_off_and_ends_drained(visit: Visit, console: Console, endpoint: Endpoint) -> None:
    take_one_batch_in_hand(console, endpoint)
    visitor = visit(console).open("Workers")
    drain(visitor)
    visitor.shot_both("1-remaining")
    visitor.page.locator(".st-key-resume_embedding-1").get_by_role("button", name="Call off the drain").click()
    expect(visitor.page.locator(".sy-wish")).to_have_count(0)
    expect(card(visitor)).to_contain_text("busy")
    assert console.client.get_queue().leased == BATCH, "it still holds what it held"

    drain(visitor)
    endpoint.answers.set()
    expect(card(visitor).locator(".sy-who")).to_contain_text("drained")
    expect(visitor.page.locator(".sy-wish")).not_to_contain_text("in hand")
    queue = console.client.get_queue()
    assert (queue.leased, queue.pending) == (0, ROWS - BATCH)
    visitor.shot("2-drained")
    visitor.page.locator(".st-key-resume_embedding-1").get_by_role("button", name="Resume").click()
    expect(visitor.page.locator(".sy-wish")).to_have_count(0)
    wait_drained(console)
    picture_while_busy(visitor, console, endpoint)
    assert visitor.complaints == []


def picture_while_busy(visitor: Visitor, console: Console, endpoint: Endpoint) -> None:
    """Every page while row after row is embedded, slowly."""
    choose(console, batch_size=1)
    endpoint.seconds = SLOW
    bring_in(console, {f"busy-{number}": f"busy {number}" for number in range(2 * ROWS)})
    for page in PAGES:
        visitor.go(page)
        visitor.shot_both(f"busy-{page}")
    endpoint.seconds = 0
    wait_drained(console)


def card(visitor: Visitor) -> Locator:
    return visitor.page.locator(".st-key-worker_embedding-1")


def drain(visitor: Visitor) -> None:
    visitor.page.locator(".st-key-drain_embedding-1").get_by_role("button").click()
    visitor.dialog().get_by_role("textbox", name="Reason").fill(REASON)
    visitor.dialog().get_by_role("button", name="Drain", exact=True).click()
    expect(visitor.dialog()).to_have_count(0)
    expect(visitor.page.locator(".sy-wish")).to_contain_text(REASON)
    expect(visitor.page.locator(".sy-wish")).to_contain_text(f"{BATCH} rows in hand")


@pytest.mark.feature("W1", "W3")
def test_a_pause_in_the_middle_of_a_batch_outlives_a_restart_with_who_and_why(visit: Visit, console: Console, endpoint: Endpoint) -> None:
    take_one_batch_in_hand(console, endpoint)
    before = console.client.get_queue().embedded
    client_of(console).pause_workers(REASON)
    assert console.client.get_queue().leased == BATCH, "in the middle of a batch"
    console.kill9("group")
    endpoint.answers.set()
    console.start()
    until(lambda: console.state_of("embedding-1") is Actual.PAUSED, 40, "a paused worker")
    (worker,) = (each for each in console.client.list_workers().workers if each.worker_id == "embedding-1")
    assert (worker.desired, worker.desired_reason) == (Desired.PAUSED, REASON)
    visitor = visit(console).open("Workers")
    for page in ("Workers", "Queue", "Import", "Home"):
        if page != "Workers":
            visitor.go(page)
        told = visitor.page.get_by_test_id("stMain").get_by_text(f"Paused by {worker.desired_by}: “{REASON}”")
        expect(told.first).to_be_visible()
        visitor.shot(page)
    queue = console.client.get_queue()
    assert (queue.leased, queue.pending, queue.embedded) == (0, ROWS, before)
    client_of(console).resume_workers("")
    wait_drained(console)
    assert console.client.get_queue().embedded == before + ROWS
    assert visitor.complaints == []
