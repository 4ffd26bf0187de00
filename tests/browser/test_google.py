"""From the key to the table: somebody connects a Google sheet for the first time, with every answer coming from the emulator."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit, make_console
from tests.browser.visitor import Visitor
from tests.browser.walk import client_of
from tests.emulator.server import Emulator
from tests.faults.console import Console

pytestmark = pytest.mark.browser

BOOK = "book-0123456789"
ADDRESS = f"https://docs.google.com/spreadsheets/d/{BOOK}/edit#gid=0"
#: A job of the worker, on a machine that does other things too.
WORK = 60_000


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A new installation."""
    yield from make_console(tmp_path_factory.mktemp("google"), SWITCHYARD_WORKERS="1")


@pytest.fixture(scope="module")
def emulator(console: Console) -> Iterator[Emulator]:
    """Where the console's calls for Google go."""
    emulator = Emulator().start()
    client_of(console).put_setting("sheets.api_url", emulator.url)
    yield emulator
    emulator.stop()


@pytest.mark.feature("I1", "S1", "S2", "S3", "S4")
def test_from_the_key_to_the_table(visit: Visit, console: Console, emulator: Emulator, tmp_path: Path) -> None:
    rows = [[f"k{number}", f"advice number {number}", "ann"] for number in range(1, 8)]
    book = emulator.add_book(BOOK, {"Data": [["key", "advice", "owner"], *rows], "Notes": []}, title="Playbook", share={})
    key = emulator.add_account()
    (tmp_path / "key.json").write_text(json.dumps(key))
    visitor = visit(console).open("Settings", tab="Access")
    store_the_key(visitor, tmp_path / "key.json", key["client_email"])
    check_a_sheet_that_is_not_shared(visitor, key["client_email"])
    meet_the_banner(visitor)
    book.share = {key["client_email"]: "write"}
    check_again(visitor)
    import_it(visitor, len(rows))
    assert console.client.list_entries().total == len(rows)
    assert visitor.complaints == []
    assert key["private_key"].splitlines()[1] not in visitor.page.content()


def store_the_key(visitor: Visitor, file: Path, email: str) -> None:
    visitor.page.locator(".st-key-store_google").get_by_role("button").click()
    visitor.dialog().locator("input[type=file]").set_input_files(file)
    visitor.dialog().get_by_role("button", name="Check and store").click()
    expect(visitor.said(f"Stored: {email}")).to_be_visible()
    expect(visitor.page.locator(".st-key-credentials_google")).to_contain_text(email)
    expect(visitor.page.get_by_text("Not tried yet.")).to_have_count(0)
    visitor.shot("1-stored", full=True)


def check_a_sheet_that_is_not_shared(visitor: Visitor, email: str) -> None:
    visitor.page.get_by_label("Spreadsheet (address or id)").fill(ADDRESS)
    visitor.page.get_by_label("Tab", exact=True).fill("Data")
    visitor.page.get_by_label("Tab", exact=True).press("Enter")
    visitor.page.locator(".st-key-check_now").get_by_role("button").click()
    expect(visitor.said(f"add {email} as Viewer")).to_be_visible()
    expect(visitor.said("Share the sheet with this e-mail")).to_be_visible()
    visitor.shot("2-not-shared", full=True)


def meet_the_banner(visitor: Visitor) -> None:
    visitor.go("Import")
    expect(visitor.page.locator(".st-key-banner_access")).to_contain_text("may not read this spreadsheet")
    visitor.shot("3-banner")
    visitor.page.locator(".st-key-banner_access").get_by_role("link").click()
    visitor.arrive("Settings")


def check_again(visitor: Visitor) -> None:
    visitor.page.locator(".st-key-check_now").get_by_role("button").click()
    expect(visitor.page.get_by_role("region", name="Checks of the spreadsheet").get_by_text("passed")).to_have_count(4)
    visitor.shot("4-all-passed", full=True)


def import_it(visitor: Visitor, entries: int) -> None:
    visitor.go("Import")
    expect(visitor.page.locator(".st-key-banner_access")).to_have_count(0)
    visitor.page.get_by_label("Address or id of the sheet").fill(ADDRESS)
    visitor.page.get_by_label("Address or id of the sheet").press("Enter")
    visitor.button("Open the sheet").click()
    expect(visitor.heading("Playbook")).to_be_visible()
    expect(visitor.heading("The sheet as it was read")).to_be_visible()
    visitor.shot("5-columns", full=True)
    visitor.button("Preview what would change").click()
    expect(visitor.heading("Plan for Playbook · Data")).to_be_visible(timeout=WORK)
    expect(visitor.tile("New")).to_have_text(str(entries), timeout=WORK)
    visitor.shot("6-plan")
    visitor.button(f"Apply: {entries} entries").click()
    expect(visitor.said(f"Everything is searchable: {entries} entries")).to_be_visible(timeout=WORK)
