"""Workbooks and Parquet files through the whole road: out and in again, one change in many, and the tab that is not there."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lib.contract.formulas import disarm, escape
from lib.service.sheets.writers import why_not_in_xlsx
from tests.service.road import MAPPING, Road, csv_of, sheet
from tests.service.sheets.books import workbook

_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=30)
_AWKWARD = st.sampled_from(["001", "12345678901234567890", "NA", "null", "1.50", "TRUE", "2026-01-02", "=1+1", "'=1", "a\nb", "🐎", " x "])
_CELL = st.one_of(_AWKWARD, _TEXT).filter(lambda cell: not why_not_in_xlsx(disarm(cell)) and not why_not_in_xlsx(escape(cell)))
_FILLED = _CELL.filter(lambda cell: bool(cell.strip()))


def preview(road: Road, content: bytes, name: str, mode: str = "mirror", **said: Any) -> dict[str, Any]:
    source = {"kind": "file", "upload_id": road.upload(content, name), **said}
    answer = road.api.post("/api/operations/import/preview", json={"source": source, "mapping": MAPPING, "mode": mode})
    assert answer.status_code == 202, answer.text
    road.works.perform_all()
    return road.plan(answer.json()["plan_id"])


@pytest.mark.feature("E1")
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(rows=st.dictionaries(_FILLED, st.tuples(_FILLED, _CELL), min_size=1, max_size=60))
def test_any_table_goes_out_as_workbook_or_parquet_and_in_again_without_a_change(road: Road, rows: dict[str, tuple[str, str]]) -> None:
    imported = road.preview(csv_of(*((key, *cells) for key, cells in rows.items())), mode="mirror")
    assert imported["counts"]["invalid"] == 0, imported["rows"]
    if imported["gate"]["reason_code"] != "nothing_to_do":
        road.apply(imported["plan_id"], approve_removals=imported["counts"]["removed"])
    for kind in ("xlsx", "parquet"):
        _, file = road.export(target={"kind": "file", "format": kind})
        again = preview(road, file, f"export.{kind}")
        assert again["counts"] == {"new": 0, "changed": 0, "removed": 0, "invalid": 0, "unchanged": len(rows)}, (
            again["rows"] or again["error"]
        )
        assert again["gate"]["reason_code"] == "nothing_to_do"


HEADER = ["key", "text", "owner"]
#: The classic disasters of a workbook; those of the columns and keys stand in ``test_imports`` and ``test_plan_rows``.
DISASTERS: dict[str, tuple[dict[str, list[list[str]]], str | None, str, str]] = {
    "a missing tab": ({"Other": [HEADER, ["k1", "a", "b"]]}, "Stock", "tab_missing", "no tab called 'Stock'. It has: Other"),
    "a renamed tab": ({"Stock 2026": [HEADER, ["k1", "a", "b"]]}, "Stock", "tab_missing", "It has: Stock 2026"),
    "no tab chosen of two": ({"A": [HEADER], "B": [HEADER]}, None, "tab_missing", "The workbook has 2 tabs: A, B."),
    "a header and no row": ({"Stock": [HEADER]}, "Stock", "no_records", "not read as “remove everything”"),
    "the workbook of another team": ({"Stock": [["name", "phone"], ["Ann", "1"]]}, "Stock", "columns_missing", "no column called key"),
    "a key column twice": (
        {"Stock": [[*HEADER, "key"], ["k1", "a", "b", "k2"]]},
        "Stock",
        "unreadable_source",
        "Two columns are called 'key'",
    ),
}


@pytest.mark.feature("I1", "I4")
@pytest.mark.parametrize("what", DISASTERS)
def test_a_disaster_with_a_workbook_ends_in_a_refusal_that_names_the_cause(
    road: Road, contents: Callable[..., dict[str, str]], what: str
) -> None:
    tabs, tab, code, words = DISASTERS[what]
    road.fill(sheet(*range(12)))
    its_own = ("uploads", "plans", "jobs", "job_log", "job_steps", "audit")
    before, index = contents(*its_own), road.get("/api/index")["sha256"]
    plan = preview(road, workbook(tabs), "stock.xlsx", sheet=tab)
    assert (plan["state"], plan["error"]["code"]) == ("failed", code)
    assert words in plan["error"]["detail"]
    assert plan["error"]["action"]
    assert (contents(*its_own), road.get("/api/index")["sha256"]) == (before, index)
    assert road.post_import(plan["plan_id"]).json()["gate"]["reason_code"] == "plan_failed"


@pytest.mark.feature("I6")
def test_one_changed_row_of_many_is_one_change_and_one_embedding_and_the_same_again_is_nothing(road: Road) -> None:
    many = [[f"k{number}", f"advice {number}", "ann"] for number in range(10_000)]
    road.fill(csv_of(*many))
    seed = random.SystemRandom().randrange(10**6)
    place = random.Random(seed).randrange(10_000)
    before, many[place][1] = many[place][1], "another advice"
    plan = preview(road, workbook({"Stock": [HEADER, *many]}), "stock.xlsx")
    assert plan["counts"] == {"new": 0, "changed": 1, "unchanged": 9_999, "removed": 0, "invalid": 0}, seed
    assert plan["rows"][0]["differences"] == [{"column": "text", "before": before, "after": "another advice"}]
    road.apply(plan["plan_id"])
    assert road.works.embed() == ["another advice"]
    assert road.preview(csv_of(*many), mode="mirror")["gate"]["reason_code"] == "nothing_to_do"


@pytest.mark.feature("I7")
def test_the_tab_and_the_encoding_of_last_time_are_remembered_while_they_still_fit(road: Road) -> None:
    book = {"Notes": [["x", "y"]], "Stock": [HEADER, ["k1", "a", "b"]]}
    road.apply(preview(road, workbook(book), "Stock.xlsx", mode="merge", sheet="Stock")["plan_id"])
    again = road.get(f"/api/uploads/{road.upload(workbook(book), 'stock.xlsx')}/columns")
    assert (again["read_as"]["tab"], again["columns"]) == ("Stock", HEADER)
    renamed = workbook({"Notes": [["x", "y"]], "Stock 2": [HEADER]})
    asked = road.get(f"/api/uploads/{road.upload(renamed, 'stock.xlsx')}/columns")
    assert (asked["read_as"]["tab"], asked["columns"], asked["tabs"]) == (None, [], ["Notes", "Stock 2"])
    old = csv_of(("k2", "Möbel", "b")).encode("mac-roman")
    road.apply(preview(road, old, "old.csv", mode="merge", encoding="mac-roman")["plan_id"])
    columns = road.get(f"/api/uploads/{road.upload(old, 'old.csv')}/columns")
    assert (columns["read_as"]["encoding"], columns["read_as"]["doubtful"], columns["sample"][0][1]) == ("mac-roman", False, "Möbel")
