"""The real gspread and google-auth against the emulator: what is read and written, and what is said when it does not work."""

from __future__ import annotations

import pickle
import socket
from collections.abc import Callable
from typing import Any

import pytest

from lib.contract.jobs import JobFailure
from lib.service.sheets.google import IMPATIENT, GoogleSheets, parse_spreadsheet, quote_tab
from lib.service.sheets.google_errors import SheetsFailed
from tests.emulator.keys import make_account
from tests.emulator.server import Emulator, Fault
from tests.emulator.workbook import MAX_CELL_CHARACTERS, Formula

BOOK = "book-0123456789"
TAB = "it's"
Connect = Callable[..., GoogleSheets]


def failure(call: Callable[..., Any], *arguments: Any) -> SheetsFailed:
    with pytest.raises(SheetsFailed) as caught:
        call(*arguments)
    assert caught.value.detail.endswith("."), caught.value.detail
    assert caught.value.action.rstrip("…").endswith((".", "/d/")), caught.value.action
    return caught.value


def test_cells_are_read_exactly_as_the_person_sees_them(emulator: Emulator, sheets: GoogleSheets) -> None:
    odd = ["007", "12345678901234567890", "NA", "2024-03-01", "two\nlines", "😀 naïve", "'quoted", "x" * MAX_CELL_CHARACTERS]
    book = emulator.add_book(BOOK, {TAB: [odd, [7, 1.5, True, Formula("=A1", "shown"), None, "=text"], [3]]})
    book.tab(TAB).formats[2, 0] = {"numberFormat": {"type": "NUMBER", "pattern": "00000"}}
    read = sheets.read(BOOK, f"{quote_tab(TAB)}!A1:H10")
    assert read == [odd, ["7", "1.5", "TRUE", "shown", "", "=text"], ["00003"]]


def test_what_is_written_is_text_whatever_it_looks_like(emulator: Emulator, sheets: GoogleSheets) -> None:
    tab = emulator.add_book(BOOK, {"T": [["old"]]}).tab("T")
    table = [["=1+1", "007", "TRUE"], ["+49", "'a", "1e5"]]
    assert sheets.write(BOOK, "'T'!A1", table) == 2
    assert tab.cells[:2] == table
    assert sheets.read(BOOK, "'T'") == table


def test_one_call_names_the_tabs_with_their_size_and_their_marks(emulator: Emulator, sheets: GoogleSheets) -> None:
    book = emulator.add_book(BOOK, {"A": [["x"]], "B": []}, title="Playbook")
    book.tab("B").metadata.append({"metadataKey": "op", "metadataValue": "7", "location": {"sheetId": 1}})
    found = sheets.describe(BOOK)
    assert (found.title, [tab.title for tab in found.tabs], found.tab("B").marks) == ("Playbook", ["A", "B"], {"op": "7"})
    assert len(emulator.calls) == 1
    failed = failure(found.tab, "C")
    assert failed.code is JobFailure.TAB_MISSING
    assert "It has: A, B." in failed.detail


def test_a_batch_is_done_wholly_or_not_at_all(emulator: Emulator, sheets: GoogleSheets) -> None:
    book = emulator.add_book(BOOK, {"A": [["x"]]})
    good = {"addSheet": {"properties": {"title": "B"}}}
    failed = failure(sheets.change, BOOK, [good, {"deleteSheet": {"sheetId": 99}}])
    assert failed.code is JobFailure.SHEETS_REFUSED
    assert [tab.title for tab in book.tabs] == ["A"]
    assert sheets.change(BOOK, [good])[0]["addSheet"]["properties"]["title"] == "B"


@pytest.mark.feature("E7")
def test_quota_is_waited_for_as_long_as_google_asks_and_nothing_is_done_twice(
    emulator: Emulator, sheets: GoogleSheets, waits: list[tuple[float, str]]
) -> None:
    book = emulator.add_book(BOOK, {"A": [["x"]]})
    emulator.fail_next(Fault("429", retry_after=34), Fault("429"))
    sheets.change(BOOK, [{"appendDimension": {"sheetId": 0, "dimension": "ROWS", "length": 5}}])
    assert waits[0] == (34.0, "waiting for Google's quota")
    assert 0 < waits[1][0] <= 3
    assert book.tab("A").rows == 106


def test_a_call_is_given_up_after_eight_tries_and_after_one_where_a_person_waits(
    emulator: Emulator, connect: Connect, waits: list[tuple[float, str]]
) -> None:
    emulator.add_book(BOOK, {"A": []})
    emulator.on_call = lambda _: Fault("429")
    assert failure(connect().describe, BOOK).code is JobFailure.SHEETS_QUOTA
    assert (len(emulator.calls), sum(seconds for seconds, _ in waits) < 300) == (8, True)
    assert failure(connect(patience=IMPATIENT).describe, BOOK).code is JobFailure.SHEETS_QUOTA
    assert len(emulator.calls) == 9


@pytest.mark.parametrize("fault", ["503", "500", "drop"])
def test_a_reading_that_breaks_is_sent_again(emulator: Emulator, sheets: GoogleSheets, waits: list[tuple[float, str]], fault: str) -> None:
    emulator.add_book(BOOK, {"A": [["x"]]})
    emulator.fail_next(fault, fault)
    assert sheets.read(BOOK, "'A'") == [["x"]]
    assert [why for _, why in waits] == ["waiting for Google to answer again"] * 2


@pytest.mark.parametrize("fault", ["commit_then_503", "commit_then_drop"])
def test_a_change_that_may_have_been_made_is_not_sent_again(emulator: Emulator, sheets: GoogleSheets, fault: str) -> None:
    book = emulator.add_book(BOOK, {"A": [["x"]]})
    sheets.sign_in()
    emulator.fail_next(fault)
    failed = failure(sheets.change, BOOK, [{"addSheet": {"properties": {"title": "B"}}}])
    assert (failed.code, failed.maybe_done) == (JobFailure.SHEETS_UNREACHABLE, True)
    assert [tab.title for tab in book.tabs] == ["A", "B"]
    assert len(emulator.calls) == 1


def test_a_token_that_was_taken_away_is_fetched_anew(emulator: Emulator, sheets: GoogleSheets) -> None:
    emulator.add_book(BOOK, {"A": [["x"]]})
    sheets.describe(BOOK)
    emulator.sign_everybody_out()
    assert sheets.read(BOOK, "'A'") == [["x"]]
    assert emulator.token_calls == 2


def test_each_way_of_being_refused_says_what_to_do(emulator: Emulator, sheets: GoogleSheets) -> None:
    book, email = emulator.add_book(BOOK, {"A": [["x"]]}), sheets.email
    missing = failure(sheets.describe, "no-such-book-at-all")
    assert (missing.code, email in missing.action) == (JobFailure.SPREADSHEET_MISSING, True)
    renamed = failure(sheets.read, BOOK, "'Renamed'!A1:B2")
    assert (renamed.code, "'Renamed'!A1:B2" in renamed.detail) == (JobFailure.TAB_MISSING, True)
    book.share = {email: "read"}
    sheets.read(BOOK, "'A'")
    read_only = failure(sheets.write, BOOK, "'A'!A1", [["y"]])
    assert (read_only.code, read_only.action) == (JobFailure.SHEET_NOT_SHARED, f"In the sheet choose Share, and add {email} as Editor.")
    book.share = {}
    hidden = failure(sheets.describe, BOOK)
    assert (hidden.code, hidden.action) == (JobFailure.SHEET_NOT_SHARED, f"In the sheet choose Share, and add {email} as Viewer.")
    book.share, book.office = {"*": "write"}, True
    assert "Save as Google Sheets" in failure(sheets.describe, BOOK).action
    emulator.fail_next("403_api_off")
    assert "Enable the Google Sheets API" in failure(sheets.describe, BOOK).action


def test_a_key_is_only_believed_with_its_own_signature(emulator: Emulator, connect: Connect) -> None:
    connect().sign_in()
    email = next(iter(emulator.accounts))
    for key, words in (
        (make_account(email, 2).key_file, "revoked"),
        (make_account("nobody@project.iam.gserviceaccount.com").key_file, "does not exist any more"),
    ):
        failed = failure(connect(key).sign_in)
        assert (failed.code, words in failed.detail) == (JobFailure.CREDENTIALS_REJECTED, True)
    damaged = emulator.add_account() | {"private_key": "-----BEGIN PRIVATE KEY-----\nCANARY\n-----END PRIVATE KEY-----\n"}
    failed = failure(connect, damaged)
    assert (failed.code, "CANARY" in repr(failed)) == (JobFailure.CREDENTIALS_REJECTED, False)
    emulator.token_answer = (400, {"error": "invalid_grant", "error_description": "Token must be ... a reasonable timeframe."})
    assert "clock" in failure(connect().sign_in).detail


def test_nobody_there_is_neither_empty_nor_missing() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    sheets = GoogleSheets(make_account("a@b.iam.gserviceaccount.com").key_file, api_url=url, patience=IMPATIENT, wait=lambda *_: None)
    assert failure(sheets.sign_in).code is JobFailure.SHEETS_UNREACHABLE
    assert failure(sheets.describe, BOOK).code is JobFailure.SHEETS_UNREACHABLE


@pytest.mark.feature("X15")
def test_no_call_goes_to_any_other_host_whatever_the_key_says(
    emulator: Emulator, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialled: list[str] = []
    real = socket.create_connection
    monkeypatch.setattr(socket, "create_connection", lambda where, *rest, **how: dialled.append(where[0]) or real(where, *rest, **how))
    key = emulator.add_account() | {"token_uri": "https://elsewhere.invalid/token"}
    assert failure(connect(key).sign_in).code is JobFailure.SHEETS_UNREACHABLE
    emulator.add_book(BOOK, {"A": []})
    connect().describe(BOOK)
    assert not [host for host in dialled if host != "127.0.0.1"]


@pytest.mark.parametrize(
    "address",
    [
        "https://docs.google.com/spreadsheets/d/1AbC_d-EfGhIjKl/edit#gid=0",
        "  https://docs.google.com/spreadsheets/u/1/d/1AbC_d-EfGhIjKl ",
        "docs.google.com/spreadsheets/d/1AbC_d-EfGhIjKl/edit?usp=sharing",
        "1AbC_d-EfGhIjKl",
    ],
)
def test_an_address_or_an_id_names_the_spreadsheet(address: str) -> None:
    assert parse_spreadsheet(address) == "1AbC_d-EfGhIjKl"


@pytest.mark.parametrize("address", ["", "my sheet", "https://docs.google.com/spreadsheets/d/e/2PACX-1vQ/pubhtml", "../../etc/passwd"])
def test_what_is_no_address_is_said_to_be_none(address: str) -> None:
    assert failure(parse_spreadsheet, address).code is JobFailure.SPREADSHEET_MISSING


def test_a_failure_survives_the_checkpoint_of_a_job() -> None:
    failed = SheetsFailed(JobFailure.TAB_MISSING, "what.", "do.", maybe_done=True)
    again = pickle.loads(pickle.dumps(failed))
    assert (again.code, again.detail, again.action, again.maybe_done) == (failed.code, "what.", "do.", True)
