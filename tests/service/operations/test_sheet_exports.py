"""Export to a Google sheet: what the preview says, what is written, and what stays as it was."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.emulator.server import Emulator
from tests.emulator.workbook import Formula
from tests.service.operations.sheet_world import TARGET, SheetWorld, raw
from tests.service.road import Road


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    emulator = Emulator().start()
    yield emulator
    emulator.stop()


@pytest.fixture
def world(road: Road, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> SheetWorld:
    return SheetWorld(road, emulator, monkeypatch)


def counts_of(plan: dict[str, Any]) -> dict[str, int]:
    assert plan["state"] == "ready", plan["error"]
    return {name: count for name, count in plan["counts"].items() if count}


@pytest.mark.feature("E2", "E3")
def test_an_empty_tab_gets_header_and_rows_and_a_second_export_has_nothing_to_do(world: SheetWorld) -> None:
    tab = world.add_tab()
    world.fill(a="=1+1", b="001", c="two\nlines")
    plan = world.preview()
    assert counts_of(plan) == {"add": 9, "rows": 3, "new_rows": 3}
    assert plan["new_columns"] == ["key", "text", "owner"]
    assert raw(tab) == [], "a preview writes nothing"
    job = world.write(plan)
    assert job["state"] == "succeeded", job["error"]
    assert raw(tab) == [["key", "text", "owner"], ["a", "=1+1", "ann"], ["b", "001", "ann"], ["c", "two\nlines", "ann"]]
    assert world.staging_tabs() == []
    again = world.preview()
    assert counts_of(again) == {"unchanged_rows": 3}
    assert world.start(again).json()["gate"]["reason_code"] == "nothing_to_do"
    assert world.start(plan).json()["gate"]["reason_code"] == "plan_applied"


@pytest.mark.feature("E2")
def test_only_cells_that_differ_are_written_and_other_columns_and_formulas_stay(world: SheetWorld) -> None:
    tab = world.add_tab(
        ["note", "key", "text", "sum"],
        ["mine", "a", "old", Formula("=LEN(C2)", 3)],
        [7, "b", "same", Formula("=LEN(C3)", 4)],
        ["below", None, None, Formula("=SUM(D2:D3)", 7)],
    )
    world.fill(a="new", b="same", c="more")
    plan = world.preview()
    assert counts_of(plan) == {"conflict": 1, "add": 5, "rows": 3, "new_rows": 1}
    assert (plan["untouched_columns"], plan["new_columns"], plan["formulas"]) == (["note", "sum"], ["owner"], 3)
    before = (tab.tab_id, dict(tab.formats))
    job = world.write(plan, keep="ours")
    assert job["state"] == "succeeded", job["error"]
    assert raw(tab) == [
        ["note", "key", "text", "sum", "owner"],
        ["mine", "a", "new", Formula("=LEN(C2)", 3), "ann"],
        [7, "b", "same", Formula("=LEN(C3)", 4), "ann"],
        ["below", None, None, Formula("=SUM(D2:D3)", 7)],
        [None, "c", "more", None, "ann"],
    ]
    assert (tab.tab_id, dict(tab.formats)) == before


@pytest.mark.feature("E4", "M13")
def test_edits_of_different_cells_merge_without_a_question_and_nothing_of_theirs_is_lost(world: SheetWorld) -> None:
    tab = world.add_tab()
    world.fill(a="one", b="two", c="three")
    world.write()
    tab.put(1, 2, "bob")  # theirs: another owner of a
    tab.put(3, 1, "THREE")  # theirs: another text of c
    tab.put(4, 0, "z")
    tab.put(4, 1, "their own row")
    world.fill(a="ONE", b="two", c="three")  # ours: another text of a
    plan = world.preview()
    assert counts_of(plan) == {"change": 1, "keep": 2, "rows": 2, "unchanged_rows": 2}
    assert world.write(plan)["state"] == "succeeded"
    assert tab.table()[1:] == [["a", "ONE", "bob"], ["b", "two", "ann"], ["c", "THREE", "ann"], ["z", "their own row"]]
    again = world.preview()
    assert counts_of(again) == {"keep": 2, "rows": 2, "unchanged_rows": 2}, "what they changed stays theirs in the next export too"


@pytest.mark.feature("E4", "M13")
def test_conflicts_are_listed_and_kept_unless_a_person_decides_by_row_or_for_all(world: SheetWorld) -> None:
    tab = world.add_tab()
    world.fill(a="one", b="two")
    world.write()
    for row, text in ((1, "theirs a"), (2, "theirs b")):
        tab.put(row, 1, text)
    world.fill(a="ours a", b="ours b")
    plan = world.preview()
    assert counts_of(plan) == {"conflict": 2, "rows": 2}
    first = plan["rows"][0]
    assert (first["row"], first["key"], first["change"]) == (2, "a", "conflict")
    assert first["cells"] == [{"column": "text", "base": "one", "ours": "ours a", "theirs": "theirs a", "change": "conflict"}]
    assert world.start(plan).json()["gate"]["reason_code"] == "nothing_to_do", "theirs stay by default, so nothing would be written"
    job = world.write(plan, choices={"b": "ours"})
    assert (job["result"]["conflicts_ours"], job["result"]["conflicts_theirs"]) == (1, 1)
    assert [row[1] for row in tab.table()[1:]] == ["theirs a", "ours b"]
    (started,) = [entry for entry in world.road.get("/api/audit", object_id=job["job_id"])["items"] if entry["action"] == "start_export"]
    assert started["after"]["choices"] == {"b": "ours"}
    assert counts_of(world.preview()) == {"conflict": 1, "rows": 1, "unchanged_rows": 1}, "the one left to them is asked again"
    assert world.write(keep="ours")["state"] == "succeeded"
    assert [row[1] for row in tab.table()[1:]] == ["ours a", "ours b"]


@pytest.mark.feature("E2", "M13")
def test_rows_that_one_side_let_go(world: SheetWorld) -> None:
    tab = world.add_tab()
    world.fill(a="one", b="two", c="three", d="four")
    world.write()
    tab.put(2, 1, "edited")  # b, which the table lets go
    del tab.cells[3]  # c, which the table keeps
    world.fill(c="three", d="four")
    plan = world.preview()
    assert {row["key"]: row["change"] for row in plan["rows"]} == {"a": "clear", "b": "conflict", "c": "conflict"}
    assert world.write(plan)["state"] == "succeeded"
    assert tab.table()[1:] == [[], ["b", "edited", "ann"], ["d", "four", "ann"]]
    assert world.write(keep="ours")["state"] == "succeeded"
    assert tab.table()[1:] == [[], [], ["d", "four", "ann"], ["c", "three", "ann"]]


@pytest.mark.feature("E2")
@pytest.mark.parametrize("what", ["sheet", "table", "meanwhile", "row"])
def test_what_moved_since_the_preview_is_named_and_nothing_is_written(world: SheetWorld, what: str) -> None:
    tab = world.add_tab()
    world.fill(a="one", b="two")
    world.write()
    world.fill(a="ONE", b="two")
    plan = world.preview()
    if what == "table":
        world.fill(a="ONE", b="TWO")
        assert world.start(plan).json()["gate"]["reason_code"] == "plan_stale"
        return
    if what == "sheet":
        tab.put(2, 1, "moved")
    elif what == "row":
        tab.cells[1], tab.cells[2] = tab.cells[2], tab.cells[1]
        tab.put(3, 0, "c")
    else:
        calls = len(world.emulator.calls)
        edit = lambda call: tab.put(2, 1, "moved") if call.number == calls + 5 else None  # noqa: E731
        world.emulator.on_call = edit
    before = None if what == "meanwhile" else raw(tab)
    job = world.write(plan)
    assert (job["state"], job["error"]["code"]) == ("failed", "plan_stale"), job
    assert {"sheet": "'b'", "row": "'c'", "meanwhile": "under way"}[what] in job["error"]["detail"]
    assert tab.table()[1][1] in ("one", "two")
    assert before in (None, raw(tab))
    assert world.staging_tabs() == []


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ([["name", "text"], ["x", "y"]], "columns_missing"),
        ([["key", "text", "text"], ["x", "y", "z"]], "unreadable_source"),
        ([["key", "text"], ["a", "y"], ["a", "z"]], "unreadable_source"),
    ],
)
@pytest.mark.feature("E2")
def test_a_tab_that_is_not_ours_to_write_is_refused_by_name(world: SheetWorld, rows: list[list[str]], code: str) -> None:
    world.add_tab(*rows)
    world.fill(a="one")
    plan = world.preview()
    assert (plan["state"], plan["error"]["code"]) == ("failed", code)
    assert world.start(plan).json()["gate"]["reason_code"] == "plan_failed"


@pytest.mark.feature("E2")
def test_a_filtered_plan_says_how_many_rows_there_are_of_that_change(world: SheetWorld) -> None:
    world.add_tab(["key", "text"], ["a", "one"], ["b", "two"])
    world.fill(a="one", b="other", c="new", d="newer")
    plan = world.preview()
    address = f"/api/exports/plans/{plan['plan_id']}"
    assert plan["matching"] is None, "without a filter it is the number of rows"
    added = world.road.get(address, change="add", limit=1)
    assert added["matching"] == sum(row["change"] == "add" for row in plan["rows"]) > len(added["rows"]) == 1
    assert world.road.get(address, change="clear")["matching"] == 0


@pytest.mark.feature("E2", "S2")
def test_a_plan_whose_key_was_deleted_since_waits_for_another(world: SheetWorld) -> None:
    tab = world.add_tab()
    world.fill(a="one")
    plan = world.preview()
    assert world.road.api.delete("/api/settings/credentials/google").status_code == 204
    gate = world.start(plan).json()["gate"]
    assert (gate["reason_code"], gate["fix_link"]) == ("credentials_missing", "/Settings?tab=Access")
    assert world.road.get(f"/api/exports/plans/{plan['plan_id']}")["gate"] == gate
    assert raw(tab) == []


@pytest.mark.feature("E2")
def test_a_tab_that_is_missing_and_a_plan_of_another_sheet_are_refused(world: SheetWorld) -> None:
    world.add_tab()
    world.fill(a="one")
    plan = world.preview()
    assert world.road.start("export", target=TARGET).status_code == 422
    assert world.road.start("export", target=TARGET | {"tab": "Other"}, plan_id=plan["plan_id"]).status_code == 422
    assert world.road.start("export", target=TARGET, plan_id="0" * 32).status_code == 404
    missing = world.preview(target=TARGET | {"tab": "Gone"})
    assert missing["error"]["code"] == "tab_missing"
    answer = world.road.api.post("/api/operations/export/preview", json={"target": TARGET | {"spreadsheet": "nonsense"}})
    assert answer.status_code == 422


@pytest.mark.feature("E1", "E2")
def test_a_filter_and_columns_leave_the_rest_of_the_sheet_alone(world: SheetWorld) -> None:
    tab = world.add_tab()
    world.fill(a="one", b="two")
    world.write()
    world.fill(a="ONE", b="TWO")
    plan = world.preview(filter={"text": "TWO"}, columns=["text"])
    assert counts_of(plan) == {"change": 1, "rows": 1, "unchanged_rows": 1}
    assert world.write(plan)["state"] == "succeeded"
    assert tab.table()[1:] == [["a", "one", "ann"], ["b", "TWO", "ann"]]
    assert counts_of(world.preview()) == {"change": 1, "rows": 1, "unchanged_rows": 1}
