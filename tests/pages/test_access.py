"""Settings → Access: secrets go in and never come out; what was tried, and what to do about it, on the pages it affects."""

from __future__ import annotations

import pytest

from lib.contract.states import CheckName, CheckState, CredentialKind
from tests.pages.fake_access import EMAIL, STORED, check, with_access


def show(seen, *checks, **more):
    seen.hub.readings |= with_access(*checks, **more)
    return seen.run()


class TestCredentials:
    @pytest.mark.feature("S2")
    def test_a_stored_key_is_known_by_its_account_and_by_who_stored_it(self, visit):
        seen = show(visit("Settings", "idle", tab="Access"))
        assert "by ann" in seen.text
        assert EMAIL in [each.value for each in seen.app.code]
        assert "none stored" in seen.text, "there is no key of an embedding service"

    @pytest.mark.feature("S2")
    def test_a_key_is_asked_for_like_a_password_and_sent_once(self, visit):
        seen = show(visit("Settings", "idle", tab="Access"))
        seen.button("store_embeddings").click().run()
        assert "is shown it again" in seen.text
        assert seen.button("dialog_confirm").disabled
        field = seen.app.text_input(key="dialog_api_key")
        assert field.proto.type == field.proto.PASSWORD
        field.set_value("sk-canary").run()
        seen.button("dialog_confirm").click().run()
        ((change,),) = seen.asked("put_credentials")
        assert (change.kind, change.content) == (CredentialKind.EMBEDDINGS, "sk-canary")
        assert "sk-canary" not in seen.text
        assert f"Stored: {EMAIL}" in seen.text

    def test_a_path_must_be_absolute(self, visit):
        seen = show(visit("Settings", "idle", tab="Access"))
        seen.button("store_google").click().run()
        seen.app.text_input(key="dialog_key_path").set_value("key.json").run()
        assert "begins with a slash" in seen.text
        seen.app.text_input(key="dialog_key_path").set_value("/etc/key.json").run()
        seen.button("dialog_confirm").click().run()
        assert seen.asked("put_credentials")[0][0].path == "/etc/key.json"


    @pytest.mark.feature("S2", "X8")
    def test_deleting_a_key_says_what_depends_on_it_and_wants_its_name_typed(self, visit):
        seen = show(visit("Settings", "idle", tab="Access"))
        seen.button("delete_google").click().run()
        assert "Imports from Google sheets, exports to them and checks of them are refused" in seen.text
        assert f"sheets stay shared with {EMAIL}" in seen.text
        assert "The key is gone from here for good." in seen.text
        assert seen.button("dialog_confirm").disabled
        seen.typed_field().set_value("google").run()
        seen.button("dialog_confirm").click().run()
        assert seen.asked("delete_credentials") == [(CredentialKind.GOOGLE,)]
        assert "Deleted: the key of Google service account" in seen.text

    def test_of_a_registered_file_only_the_registration_goes(self, visit):
        stored = STORED.model_copy(update={"kind": CredentialKind.EMBEDDINGS, "origin": "registered", "account": None})
        seen = show(visit("Settings", "idle", tab="Access"), credentials=(stored,))
        seen.button("delete_embeddings").click().run()
        assert "The file itself stays where it is" in seen.text
        assert "Nothing uses it now" in seen.text


class TestChecks:
    @pytest.mark.feature("S1")
    def test_each_check_shows_outcome_remedy_and_when_and_one_not_tried_says_so(self, visit):
        failed = check(CheckName.KEY_ACCEPTED, CheckState.FAILED, detail="It was revoked.", action="Make a new key.")
        seen = show(visit("Settings", "idle", tab="Access"), check(CheckName.FILE_READABLE), failed)
        for words in ("passed", "It was revoked.", "Make a new key.", "Not tried yet."):
            assert words in seen.text

    @pytest.mark.feature("S3")
    def test_when_access_is_the_problem_the_e_mail_to_share_with_is_there_to_copy(self, visit):
        sheet = {"spreadsheet_id": "book-0123456789", "spreadsheet_title": "Playbook", "tab": "Data"}
        failed = check(CheckName.SHEET_REACHABLE, CheckState.FAILED, code="sheet_not_shared", **sheet)
        seen = show(visit("Settings", "idle", tab="Access"), failed)
        assert [each.value for each in seen.app.code].count(EMAIL) == 2
        assert "Share the sheet with this e-mail" in seen.text

    @pytest.mark.feature("S1")
    def test_checking_asks_for_the_sheet_that_was_named_and_says_what_came_of_it(self, visit):
        seen = show(visit("Settings", "idle", tab="Access"))
        seen.app.text_input(key="check_spreadsheet").set_value(" book-0123456789 ").run()
        seen.app.checkbox(key="check_writing").uncheck().run()
        seen.button("check_now").click().run()
        ((request,),) = seen.asked("check_settings")
        assert (request.spreadsheet, request.writing) == ("book-0123456789", False)
        assert "1 check passed, 1 failed" in seen.text


class TestBanners:
    @pytest.mark.feature("S4")
    @pytest.mark.parametrize("page", ["Import", "Export"])
    def test_a_failed_check_is_one_banner_on_the_pages_it_affects_and_goes_when_it_passes(self, visit, page):
        failures = [
            check(name, CheckState.FAILED, detail=f"{name} is wrong.", spreadsheet_id=book)
            for name, book in ((CheckName.KEY_ACCEPTED, ""), (CheckName.SHEET_REACHABLE, "b"), (CheckName.TAB_EXISTS, "b"))
        ]
        seen = show(visit(page, "idle"), *failures)
        assert seen.text.count("Google sheets: ") == 1
        assert "key_accepted is wrong." in seen.text
        assert "Go to Settings" in seen.text
        seen = show(visit(page, "idle"), *(check(each.name, spreadsheet_id=each.spreadsheet_id) for each in failures))
        assert "Google sheets: " not in seen.text

    @pytest.mark.feature("S4")
    def test_pages_it_does_not_affect_have_no_banner_and_an_older_sheet_is_forgotten(self, visit):
        failed = check(CheckName.KEY_ACCEPTED, CheckState.FAILED)
        assert "Google sheets: " not in show(visit("Workers", "idle"), failed).text
        old = check(CheckName.SHEET_REACHABLE, CheckState.FAILED, spreadsheet_id="old")
        assert "Google sheets: " not in show(visit("Import", "idle"), check(CheckName.SHEET_REACHABLE, spreadsheet_id="new"), old).text
