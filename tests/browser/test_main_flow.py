"""The main flow, from an empty installation to the exported file, by somebody who has never seen the console."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from lib.contract.exports import ExportRequest
from tests.browser.conftest import Visit, make_console
from tests.browser.visitor import Visitor
from tests.browser.walk import SAMPLE, Rows, client_of, edit_sample, finish, is_searchable, make_plan, read_rows
from tests.faults.console import Console

pytestmark = pytest.mark.browser

ENTRIES = len(read_rows(SAMPLE)) - 1
#: Embedding and building, on a machine that does other things too.
WORK = 60_000


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A new installation that this module fills. Its tests run in their order: the second changes what the first brought in."""
    yield from make_console(tmp_path_factory.mktemp("main"))


@pytest.mark.feature("H4")
def test_a_new_user_gets_from_the_empty_console_to_the_exported_sheet(visit: Visit, console: Console) -> None:
    visitor = visit(console).open("Home")
    meet_the_empty_console(visitor)
    load_the_sample(visitor)
    review_the_plan_of_new_rows(visitor)
    apply_it_and_watch(visitor)
    find_the_right_advice(visitor)
    assert export_and_download(visitor) == read_rows(SAMPLE)
    see_home_all_well(visitor)
    assert visitor.complaints == []


def test_one_changed_cell_is_previewed_applied_and_embedded_alone(visit: Visit, console: Console, tmp_path: Path) -> None:
    if not console.client.get_queue().entries:
        test_a_new_user_gets_from_the_empty_console_to_the_exported_sheet(visit, console)
    advice = "Ask them to look in quarantine first; then remove the address from the suppression list."
    content, before = edit_sample("ACC-002", "advice", advice)
    file = tmp_path / "edited.csv"
    file.write_bytes(content)
    was, embeddings = what_is_kept(console), count_vectors(console)

    visitor = visit(console).open("Import")
    visitor.page.locator("#file").set_input_files(file)
    expect(visitor.heading("The sheet as it was read")).to_be_visible()
    visitor.button("Preview what would change").click()
    see_the_one_change(visitor, before)
    visitor.shot("1-one-change")
    assert what_is_kept(console) == was, "a preview has written something"

    colleague = visit(console).open("Import", plan=visitor.param("plan"))
    see_the_one_change(colleague, before)
    visitor.reload("Import")
    see_the_one_change(visitor, before)

    visitor.button("Apply: 1 entry").click()
    expect(visitor.said(f"Everything is searchable: {ENTRIES} entries")).to_be_visible(timeout=WORK)
    expect(visitor.tile("Changed")).to_have_text("1")
    visitor.shot("2-applied")
    assert count_vectors(console) - embeddings == 1
    expect(colleague.said("This plan was applied")).to_be_visible(timeout=WORK)
    colleague.shot("3-colleague-sees-it-was-applied")
    assert visitor.complaints + colleague.complaints == []


def test_the_same_sheet_again_says_that_there_is_nothing_to_do(visit: Visit, console: Console) -> None:
    if not console.client.get_queue().entries:
        test_a_new_user_gets_from_the_empty_console_to_the_exported_sheet(visit, console)
    content = export_bytes(console)
    visitor = visit(console).open("Import", plan=make_plan(console, content))
    expect(visitor.tile("Unchanged")).to_have_text(str(ENTRIES))
    expect(visitor.tile("To embed")).to_have_text("0")
    expect(visitor.said("Nothing to do:")).to_be_visible()
    expect(visitor.page.get_by_role("button", name="Apply")).to_be_disabled()
    visitor.shot("nothing-to-do")


def meet_the_empty_console(visitor: Visitor) -> None:
    expect(visitor.heading("First steps")).to_be_visible()
    steps = visitor.page.locator(".st-key-first_steps")
    expect(steps.get_by_text("to do")).to_have_count(4)
    expect(visitor.said("nothing imported yet")).to_be_visible()
    visitor.shot("01-empty-home")


def load_the_sample(visitor: Visitor) -> None:
    visitor.link("Load the sample sheet").click()
    visitor.arrive("Import")
    expect(visitor.heading("The sheet as it was read")).to_contain_text("CSV, UTF-8, comma-separated, 6 columns")
    expect(visitor.page.get_by_role("combobox", name="Key")).to_have_value("key")
    for column in ("title", "advice", "category", "owner", "updated"):
        expect(visitor.page.get_by_role("button", name=f"Remove {column}")).to_be_visible()
    visitor.shot("02-mapping")
    visitor.button("Preview what would change").click()


def review_the_plan_of_new_rows(visitor: Visitor) -> None:
    expect(visitor.heading("Plan for playbook.csv")).to_be_visible()
    expect(visitor.tile("New")).to_have_text(str(ENTRIES))
    for name in ("Changed", "Unchanged", "Removed", "Invalid"):
        expect(visitor.tile(name)).to_have_text("0")
    rows = visitor.page.get_by_role("table", name="Rows of the plan").locator("tbody tr")
    expect(rows).to_have_count(50)
    expect(rows.first).to_contain_text("ACC-001")
    expect(visitor.said(f"Rows 1–50 of {ENTRIES}")).to_be_visible()
    visitor.shot("03-plan")


def apply_it_and_watch(visitor: Visitor) -> None:
    visitor.button(f"Apply: {ENTRIES} entries").click()
    expect(visitor.heading("What came of it")).to_be_visible(timeout=WORK)
    visitor.shot("04-applied")
    expect(visitor.said(f"Everything is searchable: {ENTRIES} entries in generation")).to_be_visible(timeout=WORK)
    visitor.shot("05-searchable")
    visitor.link("Watch the queue").click()
    visitor.arrive("Queue")
    expect(visitor.tile("Pending")).to_have_text("0", timeout=WORK)
    expect(visitor.tile("In work")).to_have_text("0", timeout=WORK)
    expect(visitor.tile("Embedded")).to_have_text(str(ENTRIES))
    visitor.shot("06-drained")


def find_the_right_advice(visitor: Visitor) -> None:
    visitor.go("Index")
    box = visitor.page.get_by_role("textbox", name="What are you looking for?")
    box.fill("customer cannot log in")
    box.press("Enter")
    first = visitor.page.locator(".sy-hits li").first
    expect(first).to_contain_text("ACC-001")
    expect(first).to_contain_text("see whether the login is locked")
    visitor.shot("07-found")


def export_and_download(visitor: Visitor) -> Rows:
    visitor.go("Export")
    expect(visitor.tile("To write")).to_have_text(str(ENTRIES))
    visitor.button("Export to CSV").click()
    link = visitor.page.get_by_role("table", name="Export files, newest first").get_by_role("link", name="Download")
    expect(link).to_be_visible(timeout=WORK)
    visitor.shot("08-exported")
    return read_rows(visitor.download(link).path())


def see_home_all_well(visitor: Visitor) -> None:
    visitor.go("Home")
    expect(visitor.stage("Table")).to_contain_text(str(ENTRIES))
    expect(visitor.stage("Index")).to_contain_text("up to date")
    expect(visitor.said("all well")).to_be_visible()
    expect(visitor.heading("First steps")).to_have_count(0)
    visitor.shot("09-home-in-use")


def see_the_one_change(visitor: Visitor, before: str) -> None:
    expect(visitor.tile("Changed")).to_have_text("1")
    expect(visitor.tile("Unchanged")).to_have_text(str(ENTRIES - 1))
    expect(visitor.tile("To embed")).to_have_text("1")
    rows = visitor.page.get_by_role("table", name="Rows of the plan").locator("tbody tr")
    expect(rows).to_have_count(1)
    expect(rows.first).to_contain_text("ACC-002")
    expect(rows.first.locator("del")).to_contain_text(before[:60])
    expect(rows.first.locator("ins")).to_contain_text("quarantine first")


def what_is_kept(console: Console) -> dict[str, object]:
    """Everything a preview must leave alone: the table, the queue, the vectors and each file of the index."""
    tables = {name: console.query(f"SELECT * FROM {name} ORDER BY 1") for name in ("entries", "items", "embeddings", "removals")}
    index = sorted(path for path in (console.data_dir / "index").rglob("*") if path.is_file())
    assert index, "the index keeps its files somewhere else by now"
    return tables | {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in index}


def count_vectors(console: Console) -> int:
    """How many vectors are kept; each text that was ever embedded has one."""
    assert is_searchable(console)
    return int(console.value("SELECT count(*) FROM vectors"))


def export_bytes(console: Console) -> bytes:
    """The table as a file, as a person would send it back."""
    finish(console, client_of(console).start_export(ExportRequest()))
    newest = console.client.list_exports().items[0]
    return console.client.download_export(newest.export_id, console.data_dir.parent / "again.csv").read_bytes()
