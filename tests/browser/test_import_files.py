"""Import by somebody who does not program: a text file that has to be put right, then a workbook whose tab has to be chosen."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit, make_console
from tests.browser.visitor import Visitor
from tests.faults.console import Console, until
from tests.service.sheets.books import workbook

pytestmark = pytest.mark.browser

#: As an old program writes it: not UTF-8, a title above the table, one row without a key, one without a text.
STOCK = "Stand März 2026;;\nnummer;beschreibung;ort\nA01;Schrauben für Möbel, kurz;Köln\n;ohne Nummer;Köln\nA03;;Köln\nA04;Dübel;Bonn\n"
TABS = {
    "Notes": [["not this one"]],
    "Stock": [
        ["nummer", "beschreibung", "ort"],
        ["A01", "Schrauben für Möbel, lang", "Köln"],
        ["A04", "Dübel", "Bonn"],
        ["007", "Nägel", "Ulm"],
        ["008", "Haken", "Ulm"],
    ],
}


@pytest.fixture
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A new installation that this walk fills."""
    yield from make_console(tmp_path_factory.mktemp("files"), SWITCHYARD_WORKERS="1")


@pytest.mark.feature("I7")
def test_a_text_file_is_put_right_and_a_workbook_imported_but_for_the_rows_left_out(visit: Visit, console: Console, tmp_path: Path) -> None:
    visitor = visit(console).open("Import")
    expect(visitor.said("CSV, Excel workbook (.xlsx) or Parquet")).to_be_visible()
    text_file, book = tmp_path / "stock.csv", tmp_path / "stock.xlsx"
    text_file.write_bytes(STOCK.encode("cp1252"))
    book.write_bytes(workbook(TABS))

    visitor.page.locator("#file").set_input_files(text_file)
    see_how_it_was_read(visitor)
    visitor.button("Preview what would change").click()
    see_the_bad_rows(visitor)
    visitor.button("Apply: 2 entries").click()
    expect(visitor.heading("What came of it")).to_be_visible()
    assert until(lambda: texts(console), 20, "the entries") == {"A01": "Schrauben für Möbel, kurz", "A04": "Dübel"}

    visitor.button("Start over").click()
    visitor.page.locator("#file").set_input_files(book)
    choose_the_tab(visitor)
    visitor.button("Preview what would change").click()
    leave_one_row_out(visitor)
    visitor.button("Apply: 2 entries").click()
    expect(visitor.heading("What came of it")).to_be_visible()
    until(lambda: len(texts(console)) == 3, 20, "the new entry")
    assert texts(console) == {"A01": "Schrauben für Möbel, lang", "A04": "Dübel", "007": "Nägel"}
    assert visitor.complaints == []


def see_how_it_was_read(visitor: Visitor) -> None:
    """The accents are right only because they were looked at; the title above the table is not the header."""
    expect(visitor.said("This file is not UTF-8.")).to_be_visible()
    expect(visitor.heading("The sheet as it was read")).to_contain_text("semicolon-separated, header in row 2, 3 columns")
    visitor.page.get_by_role("combobox", name="Encoding").click()
    visitor.page.get_by_role("option", name="Windows-1250 (Central Europe)").click()
    expect(visitor.heading("The sheet as it was read")).to_contain_text("Windows-1250")
    expect(visitor.page.get_by_text("This file is not UTF-8.")).to_have_count(0)
    assert visitor.param("encoding") == "cp1250"
    visitor.page.get_by_text("Why these were suggested").click()
    visitor.shot("1-how-it-was-read", full=True)


def see_the_bad_rows(visitor: Visitor) -> None:
    expect(visitor.tile("Invalid")).to_have_text("2")
    expect(visitor.said("2 rows break a rule")).to_be_visible()
    visitor.shot("2-bad-rows", full=True)
    file = visitor.download(visitor.page.get_by_role("link", name="Download the bad rows (CSV)"))
    lines = list(csv.reader(io.StringIO(Path(file.path()).read_text("utf-8"))))
    assert [line[:2] for line in lines] == [["row", "nummer"], ["4", ""], ["5", "A03"]]


def choose_the_tab(visitor: Visitor) -> None:
    expect(visitor.said("Choose the tab to read.")).to_be_visible()
    visitor.page.get_by_role("combobox", name="Tab").click()
    visitor.page.get_by_role("option", name="Stock").click()
    expect(visitor.heading("The sheet as it was read")).to_contain_text("Excel workbook, tab Stock, 3 columns")
    visitor.shot("3-tab", full=True)


def leave_one_row_out(visitor: Visitor) -> None:
    expect(visitor.tile("New")).to_have_text("2")
    visitor.page.get_by_role("combobox", name="Leave out").click()
    visitor.page.get_by_role("option", name="row 5 · 008").click()
    expect(visitor.said("1 row left out of the plan")).to_be_visible()
    rows = visitor.page.get_by_role("table", name="Rows of the plan").locator("tbody tr")
    expect(rows.filter(has_text="008")).to_contain_text("left out")
    visitor.page.keyboard.press("Escape")
    visitor.shot("4-left-out", full=True)


def texts(console: Console) -> dict[str, str]:
    return {entry.key: entry.text for entry in console.client.list_entries(limit=50).items}
