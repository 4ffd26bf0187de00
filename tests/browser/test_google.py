"""From the key to the table and back: somebody connects a Google sheet for the first time; every answer comes from the emulator."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect
from python_calamine import CalamineWorkbook

from lib.contract.imports import ColumnMapping, FileSource, ImportRequest, PreviewRequest
from lib.contract.states import ImportMode
from tests.browser.conftest import Visit, make_console
from tests.browser.test_accessibility import examine
from tests.browser.visitor import Visitor
from tests.browser.walk import client_of, finish
from tests.emulator.server import Emulator
from tests.emulator.workbook import Formula, Tab
from tests.faults.console import Console

pytestmark = pytest.mark.browser

BOOK = "book-0123456789"
ADDRESS = f"https://docs.google.com/spreadsheets/d/{BOOK}/edit#gid=0"
#: A job of the worker, on a machine that does other things too.
WORK = 60_000


@pytest.fixture
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A new installation."""
    yield from make_console(tmp_path_factory.mktemp("google"), SWITCHYARD_WORKERS="1")


@pytest.fixture
def emulator(console: Console) -> Iterator[Emulator]:
    """Where the console's calls for Google go."""
    emulator = Emulator().start()
    client_of(console).put_setting("sheets.api_url", emulator.url)
    yield emulator
    emulator.stop()


@pytest.mark.feature("I1", "S1", "S2", "S3", "S4", "E1", "E2", "E4")
def test_from_the_key_to_the_table_and_back_to_the_sheet(visit: Visit, console: Console, emulator: Emulator, tmp_path: Path) -> None:
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
    edit_both_sides(console, book.tab("Data"))
    export_it(visitor)
    assert book.tab("Data").table() == [
        ["key", "advice", "owner", "note"],
        ["k1", "ours of k1", "ann", "mine"],
        ["k2", "ours of k2", "ann", "9"],
        ["k3", "theirs of k3", "ann"],
        *rows[3:],
    ]
    assert isinstance(book.tab("Data").cells[2][3], Formula)
    assert download_a_workbook(visitor)[1] == ["k1", "ours of k1", "ann"]
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
    for label, text in (("Spreadsheet (address or id)", ADDRESS), ("Tab", "Data")):
        runs = visitor.full_runs
        visitor.page.get_by_label(label, exact=True).fill(text)
        visitor.page.get_by_label(label, exact=True).press("Enter")
        visitor.until(lambda before=runs: visitor.full_runs > before, "the form knows what was typed")
    expect(visitor.page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
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


def edit_both_sides(console: Console, tab: Tab) -> None:
    """Both have changed k1, we alone k2, they alone k3; and there is a column of theirs."""
    sheet = "key,advice,owner\nk1,ours of k1,ann\nk2,ours of k2,ann\n"
    client = client_of(console)
    source = FileSource(upload_id=client.upload_file("ours.csv", sheet.encode()).upload_id, sheet=None)
    mapping = ColumnMapping(key="key", text=["advice"], fields=["owner"])
    plan_id = client.preview_import(PreviewRequest(source=source, mapping=mapping, mode=ImportMode.MERGE))
    finish(console, client.get_plan(plan_id).job_id)
    finish(console, client.start_import(ImportRequest(plan_id=plan_id)))
    for row, column, value in ((1, 1, "theirs of k1"), (3, 1, "theirs of k3"), (0, 3, "note"), (1, 3, "mine")):
        tab.put(row, column, value)
    tab.put(2, 3, Formula("=4+5", 9))


def export_it(visitor: Visitor) -> None:
    visitor.go("Export")
    visitor.page.get_by_role("radio", name="A Google sheet").click()
    address = visitor.page.get_by_label("Address or id of the sheet")
    address.fill(ADDRESS)
    address.press("Enter")
    expect(visitor.heading("Playbook")).to_be_visible()
    expect(visitor.button("Compare with the sheet")).to_be_enabled()
    visitor.button("Compare with the sheet").click()
    expect(visitor.heading("Conflicts")).to_be_visible(timeout=WORK)
    expect(visitor.button("Write 1 cell")).to_be_enabled()
    visitor.page.get_by_role("radiogroup", name="Decide k1").get_by_role("radio", name="Write what the table has").click()
    expect(visitor.button("Write 2 cells")).to_be_enabled()
    visitor.shot("7-export-plan", full=True)
    assert examine(visitor) == []
    visitor.button("Write 2 cells").click()
    visitor.dialog().get_by_role("button", name="Write 2 cells").click()
    expect(visitor.said("The sheet holds it.")).to_be_visible(timeout=WORK)
    visitor.shot("8-written")


def download_a_workbook(visitor: Visitor) -> list[list[str]]:
    visitor.open("Export", format="XLSX")
    expect(visitor.button("Export to XLSX")).to_be_enabled()
    visitor.button("Export to XLSX").click()
    link = visitor.page.get_by_role("table", name="Export files, newest first").get_by_role("link", name="Download")
    expect(link).to_be_visible(timeout=WORK)
    workbook = CalamineWorkbook.from_path(str(visitor.download(link).path()))
    return [list(map(str, row)) for row in workbook.get_sheet_by_index(0).to_python()]
