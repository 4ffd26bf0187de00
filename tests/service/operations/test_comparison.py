"""One record against the table: classified by its hash, checked by every rule."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.contract.imports import ColumnMapping
from lib.contract.states import Change
from lib.service.operations.comparison import MAX_KEY_CHARACTERS, Comparison, restore_texts, store_texts
from lib.service.sheets.cells import hash_content, hash_record
from lib.service.sheets.reading import Record

HEADER = ["id", "title", "advice", "owner"]
MAPPING = ColumnMapping(key="id", text=["title", "advice"], fields=["owner"])


def known(**entries: tuple[str, str, str]) -> dict[str, tuple[int, bytes]]:
    """Key → (entry id, record hash) of entries (title, advice, owner)."""
    return {
        key: (number, hash_record(key, {"title": title, "advice": advice}, {"owner": owner}))
        for number, (key, (title, advice, owner)) in enumerate(entries.items(), start=1)
    }


def page_of(*keys: str) -> list[SimpleNamespace]:
    """Entries of the table with the ids 1, 2, 3 …"""
    return [SimpleNamespace(entry_id=number, key=key) for number, key in enumerate(keys, start=1)]


def compare(
    *records: list[str], table: dict[str, tuple[int, bytes]] | None = None, mapping: ColumnMapping = MAPPING
) -> tuple[Comparison, list]:
    comparison = Comparison(header=HEADER, mapping=mapping)
    return comparison, [comparison.classify(Record(row, cells), table or {}) for row, cells in enumerate(records, start=2)]


def test_a_record_is_new_changed_or_unchanged() -> None:
    table = known(a=("t", "x", "ann"), b=("t", "x", "ann"))
    comparison, rows = compare(["a", "t", "x", "ann"], ["b", "t", "y", "ann"], ["c", "t", "x", "ann"], table=table)
    assert rows[0] is None, "what is the same already makes no row"
    assert [(row.change, row.key, row.entry_id) for row in rows[1:]] == [(Change.CHANGED, "b", 2), (Change.NEW, "c", None)]
    assert dict(comparison.counts) == {"unchanged": 1, "changed": 1, "new": 1}


def test_what_no_record_named_is_left_for_removal_in_the_order_of_ids() -> None:
    comparison, _ = compare(["b", "t", "x", ""], table=known(c=("", "1", ""), b=("", "2", ""), a=("", "3", "")))
    assert [(row.change, row.key, row.entry_id, row.row) for row in comparison.removals(page_of("c", "b", "a"))] == [
        (Change.REMOVED, "c", 1, None),
        (Change.REMOVED, "a", 3, None),
    ]
    assert comparison.counts["removed"] == 2


def test_the_text_is_what_the_text_columns_hold_one_a_line() -> None:
    _, rows = compare(["a", "title", "advice", ""], ["b", "", "only advice", ""], ["c", "title", "  ", ""])
    assert [row.text for row in rows] == ["title\nadvice", "only advice", "title"]
    assert rows[0].content_hash == hash_content("title\nadvice")


def test_a_short_row_is_filled_up_with_empty_cells() -> None:
    _, rows = compare(["a", "title"])
    assert (rows[0].change, rows[0].texts, rows[0].fields) == (Change.NEW, {"title": "title", "advice": ""}, {"owner": ""})


def test_spare_cells_count_only_if_they_hold_something() -> None:
    _, rows = compare(["a", "t", "x", "o", "", ""], ["b", "t", "x", "o", "", "more"])
    assert [row.change for row in rows] == [Change.NEW, Change.INVALID]


@pytest.mark.parametrize(
    ("cells", "column", "rule"),
    [
        (["", "t", "x", "o"], "id", "The key is empty."),
        (["  ", "t", "x", "o"], "id", "The key is empty."),
        (["k" * (MAX_KEY_CHARACTERS + 1), "t", "x", "o"], "id", "The key is longer than 500 characters."),
        (["a", "", " ", "o"], "title, advice", "There is no text to embed."),
        (["a", "t", "x", "o", "p"], None, "The row has 5 cells, the header 4."),
        (["a", "t", "x" * 50_001, "o"], "advice", "A cell holds 50,001 characters; the limit is 50,000."),
        (["a", "t", "x\x00y", "o"], "advice", "A cell holds a NUL."),
    ],
)
def test_each_rule_names_column_value_and_what_to_do(cells: list[str], column: str | None, rule: str) -> None:
    comparison, (row,) = compare(cells)
    (error,) = row.errors
    assert (error.column, error.rule) == (column, rule)
    assert error.fix
    assert len(error.value) < 100, "a long value is cut"
    assert (row.change, comparison.counts["invalid"]) == (Change.INVALID, 1)
    assert "\x00" not in row.key + row.text, "PostgreSQL could not even keep it to show it"


def test_a_key_that_comes_twice_names_the_first_row_and_keeps_the_first_record() -> None:
    table = known(a=("t", "x", "o"))
    comparison, rows = compare(["a", "t", "x", "o"], ["a", "t", "y", "o"], ["b", "t", "x", "o"], table=table)
    assert rows[0] is None
    assert (rows[1].change, rows[1].errors[0].rule) == (Change.INVALID, "The key stands in row 2 already.")
    assert rows[2].change is Change.NEW
    assert comparison.removals(page_of("a")) == []


def test_the_limits_themselves_are_allowed() -> None:
    _, rows = compare(["k" * MAX_KEY_CHARACTERS, "t", "x" * 50_000, "o"])
    assert rows[0].change is Change.NEW


@given(st.dictionaries(st.text(), st.text(), max_size=3))
def test_texts_come_back_as_they_were_stored(texts: dict[str, str]) -> None:
    assert restore_texts(store_texts(texts), "\n".join(texts.values())) == texts
