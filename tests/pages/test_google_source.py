"""Import from a Google sheet: the address, the tab, and then the same road as a file."""

from __future__ import annotations

import pytest

from lib.contract.imports import SheetSource
from tests.pages.fake_access import EMAIL, TABS, with_access


class TestGoogleSource:
    def test_without_a_key_the_page_says_where_to_store_one(self, visit):
        assert "Store a Google key" in visit("Import", "idle").text

    def test_with_a_key_it_says_whom_to_share_the_sheet_with(self, visit):
        seen = visit("Import", "idle")
        seen.hub.readings |= with_access()
        seen.run()
        assert EMAIL in [each.value for each in seen.app.code]
        seen.app.text_input(key="google_address").set_value("https://docs.google.com/spreadsheets/d/x").run()
        seen.button("open_google").click().run()
        assert seen.param("spreadsheet") == "https://docs.google.com/spreadsheets/d/x"

    @pytest.mark.feature("I1")
    def test_a_tab_is_chosen_never_guessed_and_goes_on_like_a_file(self, visit):
        seen = visit("Import", "idle", spreadsheet="book-0123456789")
        assert "Playbook" in seen.text
        assert not seen.asked("get_tab_columns"), "there are two tabs, and nobody has chosen one"
        tab = next(each for each in seen.app.selectbox if each.label == "Tab")
        tab.set_value("Data").run()
        assert seen.param("sheet") == "Data"
        next(each for each in seen.app.selectbox if each.label == "Key").set_value("key").run()
        next(each for each in seen.app.multiselect if each.label == "Text").set_value(["advice"]).run()
        seen.button("preview").click().run()
        ((request,),) = seen.asked("preview_import")
        assert request.source == SheetSource(kind="google_sheet", spreadsheet=TABS.spreadsheet_id, tab="Data", header_row=1)

    def test_a_tab_that_is_gone_is_said_to_be_gone(self, visit):
        seen = visit("Import", "idle", spreadsheet="book-0123456789", sheet="<b>Old</b>")
        assert "There is no tab called “&lt;b&gt;Old" in seen.text
