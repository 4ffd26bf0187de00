"""Cells: disarmed for spreadsheets and armed again; hashes that see every change."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lib.contract.formulas import disarm, escape, rearm
from lib.service.sheets.cells import hash_content, hash_record, join_text

CELLS = st.one_of(st.text(alphabet="'=+-@\t\r\n 1a.e\x00＝", max_size=6), st.text())


@pytest.mark.feature("E5")
@settings(max_examples=150)
@given(CELLS)
@example("'=1")
@example("''=1")
@example("'-5")
@example(" =1")
def test_what_is_disarmed_is_armed_again_exactly(cell: str) -> None:
    assert rearm(disarm(cell)) == cell


@settings(max_examples=150)
@given(CELLS)
@example("'=1")
def test_what_is_escaped_for_machines_comes_back_exactly_too(cell: str) -> None:
    assert rearm(escape(cell)) == cell
    assert escape(cell).removeprefix("'") == cell.removeprefix("'") or escape(cell) == f"'{cell}"


@pytest.mark.feature("E5")
@pytest.mark.parametrize("cell", ["=1+1", "+SUM(A1)", "-1+1", "@name", "\tx", "\rx", "\nx", "=", "＝1", "  =1", "-", "--5", "+1 (555) 1"])
def test_what_a_spreadsheet_would_run_gets_an_apostrophe(cell: str) -> None:
    assert disarm(cell) == f"'{cell}"


@given(CELLS)
def test_a_disarmed_cell_never_begins_with_what_a_spreadsheet_runs(cell: str) -> None:
    safe = disarm(cell)
    plain_number = safe.strip("+-.0123456789eE") == "" or safe[:1] not in "+-"
    assert not safe or safe[0] not in "=@\t\r\n\x00＝＋－＠"
    assert plain_number or safe.lstrip("+-")[:1].isdecimal() or safe.lstrip("+-")[:1] == "."


@pytest.mark.parametrize(
    "cell", ["-5", "+5", "-1.5e3", "-.5", "text", "'quoted'", "0012", "12345678901234567890", "", "a=b", "'", "'t is so"]
)
def test_plain_numbers_and_harmless_text_stay_as_they_are(cell: str) -> None:
    assert disarm(cell) == cell
    assert rearm(cell) == cell


def test_text_columns_are_joined_line_by_line_without_the_empty_ones() -> None:
    assert join_text({"a": "one", "b": " ", "c": "two"}) == "one\ntwo"
    assert join_text({"a": ""}) == ""


def test_the_record_hash_sees_a_character_that_moves_to_the_next_column() -> None:
    assert hash_record("k", {"a": "xy", "b": ""}, {}) != hash_record("k", {"a": "x", "b": "y"}, {})
    assert hash_record("k", {"a": "x"}, {"b": "y"}) != hash_record("k", {"a": "x", "b": "y"}, {})
    assert hash_record("ka", {"a": "x"}, {}) != hash_record("k", {"aa": "x"}, {})


def test_the_order_of_columns_does_not_count() -> None:
    assert hash_record("k", {"a": "1", "b": "2"}, {"c": "3", "d": "4"}) == hash_record("k", {"b": "2", "a": "1"}, {"d": "4", "c": "3"})


@given(st.text(), st.text())
def test_two_texts_have_one_hash_only_if_they_are_the_same(one: str, other: str) -> None:
    try:
        assert (hash_content(one) == hash_content(other)) is (one == other)
    except UnicodeEncodeError:
        assert any("\ud800" <= character <= "\udfff" for character in one + other), "half a character cannot come out of a file"
