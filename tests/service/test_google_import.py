"""A Google sheet as the source of an import: from the address to the table, and every way it may refuse on the way."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lib.contract.imports import SheetSource
from lib.service.operations import runner
from lib.service.sheets import google_sheet
from lib.service.sheets.google import GoogleSheets
from lib.service.sheets.google_sheet import GoogleSheet
from tests.emulator.server import Call, Emulator, Fault
from tests.emulator.workbook import Formula, Tab, Workbook
from tests.service.road import MAPPING, Road

BOOK = "book-0123456789"
ADDRESS = f"https://docs.google.com/spreadsheets/d/{BOOK}/edit#gid=0"
HEADER = ["key", "text", "owner"]


@pytest.fixture
def book(road: Road, emulator: Emulator) -> Workbook:
    """A sheet of three rows, and a stored key that may read it."""
    road.api.put("/api/settings/sheets.api_url", json={"value": emulator.url})
    stored = road.api.put("/api/settings/credentials", json={"kind": "google", "content": json.dumps(emulator.add_account())})
    assert stored.status_code == 200, stored.text
    rows = [[f"k{number}", f"advice {number}", "ann"] for number in (1, 2, 3)]
    return emulator.add_book(BOOK, {"Data": [HEADER, *rows], "Notes": [["just notes"]]}, title="Playbook")


def preview(road: Road, tab: str = "Data", **more: Any) -> dict[str, Any]:
    """The finished plan."""
    source = {"kind": "google_sheet", "spreadsheet": ADDRESS, "tab": tab}
    answer = road.api.post("/api/operations/import/preview", json={"source": source, "mapping": MAPPING} | more)
    assert answer.status_code == 202, answer.text
    road.works.perform_all()
    return road.plan(answer.json()["plan_id"])


@pytest.mark.feature("I1")
def test_from_a_pasted_address_to_the_table(road: Road, book: Workbook) -> None:
    tabs = road.get("/api/sheets/tabs", spreadsheet=ADDRESS)
    assert (tabs["title"], [tab["title"] for tab in tabs["tabs"]], tabs["tab"]) == ("Playbook", ["Data", "Notes"], "Data")
    columns = road.get("/api/sheets/columns", spreadsheet=tabs["spreadsheet_id"], tab="Data")
    assert (columns["columns"], columns["sample"][0], columns["read_as"]["tab"]) == (HEADER, ["k1", "advice 1", "ann"], "Data")
    assert columns["suggested"]["key"] == "key"
    plan = preview(road)
    assert (plan["counts"]["new"], plan["source_name"], plan["source"]["spreadsheet"]) == (3, "Playbook · Data", BOOK)
    assert [row["row"] for row in plan["rows"]] == [2, 3, 4]
    assert road.apply(plan["plan_id"])["state"] == "succeeded"
    assert road.keys() == {"k1": "advice 1", "k2": "advice 2", "k3": "advice 3"}
    assert preview(road)["counts"]["unchanged"] == 3


@pytest.mark.feature("I1")
def test_rows_count_as_the_person_sees_them_and_cells_are_what_is_shown(road: Road, book: Workbook) -> None:
    tab = book.tab("Data")
    tab.cells = [["Our playbook"], [], list(HEADER), ["007", Formula("=A1", "shown"), 5], [], ["k9", "  spaces\n", True]]
    tab.formats[3, 2] = {"numberFormat": {"type": "NUMBER", "pattern": "0.00"}}
    plan = preview(road)
    assert [(row["row"], row["key"], row["text"]) for row in plan["rows"]] == [(4, "007", "shown"), (6, "k9", "  spaces\n")]
    assert plan["read_as"]["header_row"] == 3
    road.apply(plan["plan_id"])
    assert {entry["fields"]["owner"] for entry in road.get("/api/entries")["items"]} == {"5.00", "TRUE"}


MOVES: dict[str, tuple[Callable[[Tab], object], str]] = {
    "edited": (lambda tab: tab.put(2, 1, "edited"), "edited: row 3 (k2). "),
    "many edited": (lambda tab: [tab.put(row, 2, "eve") for row in range(1, 10)], "edited: row 2 (k1), row 3 (k2), row 4 (k3), row 5 ("),
    "added": (lambda tab: tab.cells.insert(2, ["k0", "put in between", "bob"]), "new: row 3 (k0). "),
    "deleted": (lambda tab: tab.cells.pop(1), "1 row is gone. "),
    "another key": (lambda tab: tab.put(1, 0, "other"), "new: row 2 (other); 1 row is gone. "),
    "sorted": (lambda tab: tab.cells.append(tab.cells.pop(1)), "its rows stand in other places. "),
    "header": (lambda tab: tab.put(0, 1, "words"), "its header row is another. "),
}


@pytest.mark.feature("I3", "M1")
@pytest.mark.parametrize("what", MOVES)
def test_a_sheet_that_has_moved_since_its_plan_is_refused_by_the_names_of_its_rows(
    road: Road, book: Workbook, contents: Callable[..., dict[str, str]], what: str
) -> None:
    move, words = MOVES[what]
    book.tab("Data").cells += [[f"k{number}", f"advice {number}", "ann"] for number in range(4, 11)]
    plan = preview(road)
    move(book.tab("Data"))
    its_own = ("jobs", "job_log", "job_steps", "audit", "locks", "plans")
    before = contents(*its_own)
    job = road.apply(plan["plan_id"])
    assert (job["state"], job["error"]["code"]) == ("failed", "plan_stale")
    assert f"“Playbook · Data” has changed since this plan was made: {words}" in job["error"]["detail"]
    assert contents(*its_own) == before, "no partial effect, and nothing staged is left behind"
    seen = road.plan(plan["plan_id"])
    assert (seen["state"], seen["error"]["detail"]) == ("stale", job["error"]["detail"])
    again = road.post_import(plan["plan_id"])
    assert (again.status_code, words in again.json()["gate"]["reason_text"]) == (409, True), "the next click is told at once"


@pytest.mark.feature("I4")
def test_empty_missing_and_unreachable_are_three_answers_and_none_removes_a_row(road: Road, book: Workbook, emulator: Emulator) -> None:
    road.apply(preview(road)["plan_id"])
    tab, before = book.tab("Data"), road.keys()

    def fails(code: str) -> str:
        plan = preview(road, mode="mirror")
        assert (plan["state"], plan["error"]["code"]) == ("failed", code)
        assert road.keys() == before
        return f"{plan['error']['detail']} {plan['error']['action']}"

    kept = tab.cells
    tab.cells = [list(HEADER)]
    fails("no_records")
    tab.cells = []
    fails("unreadable_source")
    tab.cells = [["our", "other", "team"], ["a", "b", "c"]]
    assert "It has: our, other, team." in fails("columns_missing")
    tab.cells, tab.title = kept, "Renamed"
    assert "It has: Renamed, Notes." in fails("tab_missing")
    tab.title, book.share = "Data", {}
    assert "Viewer" in fails("sheet_not_shared")
    book.share = {"*": "write"}
    emulator.on_call = lambda call: Fault("403") if "A1:C" in call.path else None
    fails("sheet_not_shared")
    emulator.on_call = lambda _: None
    del emulator.books[BOOK]
    fails("spreadsheet_missing")


@pytest.mark.feature("I4")
def test_an_error_half_way_never_makes_a_shorter_table(
    road: Road, book: Workbook, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(google_sheet, "FIRST_ROWS", 10)
    monkeypatch.setattr(google_sheet, "MOST_ROWS", 10)
    monkeypatch.setattr(runner.time, "sleep", lambda _: None)
    monkeypatch.setattr(runner.JobContext, "wait", lambda *_: None)
    tab = book.tab("Data")
    tab.cells += [[f"m{number}", f"more {number}", "eve"] for number in range(30)]
    assert preview(road)["counts"]["new"] == 33
    reads = len([call for call in emulator.calls if "!A" in call.path])
    assert reads > 4
    for broken in range(1, reads):
        seen = iter(range(10_000))
        emulator.on_call = lambda call, seen=seen, broken=broken: (  # type: ignore[misc]
            Fault("503") if "!A" in call.path and next(seen) >= broken else None
        )
        plan = preview(road, mode="mirror")
        assert (plan["state"], plan["error"]["code"]) == ("failed", "sheets_unreachable")


@pytest.mark.feature("I4")
def test_rows_that_move_while_they_are_read_are_noticed(
    road: Road, book: Workbook, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(google_sheet, "FIRST_ROWS", 10)
    monkeypatch.setattr(google_sheet, "MOST_ROWS", 10)
    tab = book.tab("Data")
    tab.cells += [[f"m{number}", f"more {number}", "eve"] for number in range(60)]

    def insert_above(call: Call) -> None:
        if "!A11:" in call.path:
            tab.cells.insert(1, ["new", "put in between", "bob"])

    emulator.on_call = insert_above
    plan = preview(road)
    assert (plan["state"], "was edited while it was read: around row 11" in plan["error"]["detail"]) == ("failed", True)


@pytest.mark.feature("E7", "X3")
def test_waiting_for_quota_counts_down_in_public_and_can_be_cancelled(road: Road, book: Workbook, emulator: Emulator) -> None:
    emulator.on_call = lambda _: Fault("429", retry_after=34)
    source = {"kind": "google_sheet", "spreadsheet": BOOK, "tab": "Data"}
    plan_id = road.api.post("/api/operations/import/preview", json={"source": source, "mapping": MAPPING}).json()["plan_id"]
    job_id = road.plan(plan_id)["job_id"]
    worker = threading.Thread(target=road.works.perform, args=(job_id,))
    worker.start()
    phases: list[str] = []
    while worker.is_alive() and len(phases) < 2:
        progress = road.job(job_id)["progress"]
        if progress and progress["phase"].startswith("waiting for Google's quota: ") and progress["phase"] not in phases:
            phases.append(progress["phase"])
    road.api.post(f"/api/jobs/{job_id}/cancel")
    worker.join(timeout=30)
    assert not worker.is_alive(), "it is cancelled while it waits, not after"
    first, second = (int(phase.split()[-2]) for phase in phases)
    assert 34 >= first > second > 0
    assert road.job(job_id)["state"] == "cancelled"


def test_a_sheet_that_cannot_be_opened_says_so_before_it_is_a_source(road: Road, book: Workbook, emulator: Emulator) -> None:
    book.share = {}
    refused = road.api.get("/api/sheets/tabs", params={"spreadsheet": BOOK})
    assert (refused.status_code, refused.json()["code"]) == (424, "sheet_unavailable")
    assert "add switchyard@project.iam.gserviceaccount.com as Viewer" in refused.json()["action"]
    source = {"kind": "google_sheet", "spreadsheet": BOOK, "tab": "Data"}
    gate = road.api.post("/api/operations/import/preview", json={"source": source, "mapping": MAPPING}).json()["gate"]
    assert gate["reason_code"] == "sheet_unreachable"
    book.share = {"*": "read"}
    assert road.get("/api/sheets/tabs", spreadsheet=BOOK)["title"] == "Playbook"
    assert preview(road)["state"] == "ready", "once it opens, the gate does"
    for address, code in (("my sheet", 424), ("", 422), ("x" * 501, 422)):
        assert road.api.get("/api/sheets/tabs", params={"spreadsheet": address}).status_code == code
    assert road.api.get("/api/sheets/columns", params={"spreadsheet": BOOK, "tab": "Gone"}).status_code == 424
    book.tab("Notes").cells = [["a", "a"]]
    assert road.api.get("/api/sheets/columns", params={"spreadsheet": BOOK, "tab": "Notes"}).json()["code"] == "unreadable_source"


CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=30)


@pytest.mark.feature("I1")
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(table=st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1, max_size=30))
def test_any_table_written_to_a_sheet_is_read_back_as_it_was(emulator: Emulator, table: list[list[str]]) -> None:
    emulator.add_book(BOOK, {"Data": [HEADER]})
    google = GoogleSheets(emulator.add_account(), api_url=emulator.url)
    google.write(BOOK, "'Data'!A2", table)
    found = GoogleSheet(google, SheetSource(kind="google_sheet", spreadsheet=BOOK, tab="Data", header_row=1))
    assert [record.cells for record in found.records()] == [cells for cells in table if any(cells)]
