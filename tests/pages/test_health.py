"""The Health part of the Index page: what disagrees, the rows behind it, and the repair that shows its plan."""

from __future__ import annotations

import pytest
import streamlit as st

from lib.contract.states import DriftKind
from tests.pages.fake_index import health


@pytest.mark.feature("M6")
def test_sheet_table_and_index_stand_side_by_side_with_their_ages(visit):
    seen = visit("Index", "idle", tab="Health")
    for words in (">151<", ">150<", "3 rows differ", "2 wait", "4 min ago", "by Maria"):
        assert words in seen.text, words
    assert "/Import?plan=" in seen.text
    assert not seen.has_button("start_repair"), "nothing to repair, so nothing is offered"


@pytest.mark.feature("N6")
def test_the_rows_behind_a_number_are_listed_in_pages(visit):
    seen = visit_with(visit, stale=60, orphaned=2)
    assert seen.asked("list_drift") == [(DriftKind.STALE, 50, None)]
    assert '<a href="/Queue?row=1" target="_self">KB-001</a>' in seen.text
    seen.button("drift_on").click().run()
    assert seen.asked("list_drift")[-1] == (DriftKind.STALE, 50, "50")
    assert "KB-060" in seen.text


def visit_with(visit, **counts):
    seen = visit("Index", "idle", tab="Health")
    seen.client.health = health(**counts)
    st.cache_data.clear()
    return seen.run()


@pytest.mark.feature("N6", "X8")
def test_a_repair_shows_its_plan_before_it_does_anything(visit):
    seen = visit_with(visit, missing_vector=1200, duplicated=3)
    seen.button("start_repair").click().run()
    assert not seen.asked("start_repair")
    for words in ("1,200 rows", "built from the vectors", "counted again", "the last build took"):
        assert words in seen.text, words
    seen.button("dialog_confirm").click().run()
    ((check_id, key),) = seen.asked("start_repair")
    assert check_id == "4" * 32
    assert key


def test_a_check_is_one_click(visit):
    seen = visit("Index", "fresh", tab="Health")
    assert "Nothing was checked yet." in seen.text
    assert seen.button("start_check").disabled, "there is nothing to check, and the gate says so"
    seen = visit("Index", "idle", tab="Health")
    seen.button("start_check").click().run()
    assert len(seen.asked("start_check")) == 1
    assert "Check started" in seen.text


def test_odd_vectors_are_named_and_a_flat_index_is_called_exact(visit):
    seen = visit("Index", "idle", tab="Health")
    assert "looked at 4 min ago" in seen.text
    assert "e.g. KB-099" in seen.text
    assert "</span>exact</span>" in seen.text
    assert "3 vectors could be spared; the largest is of 3" in seen.text
