"""The plan of an export to a sheet, in words and links."""

from __future__ import annotations

from lib.ui.export_plans import sheet_address


def test_a_plan_links_to_its_sheet_whether_it_names_an_id_or_an_address():
    address = "https://docs.google.com/spreadsheets/d/book-0123456789/edit"
    assert sheet_address("book-0123456789") == address
    assert sheet_address(f"{address}#gid=7") == address
