"""Which files a place takes."""

from __future__ import annotations

import pytest

from lib.ui.uploader import INDEX_FILES, SHEETS, why_not_taken


@pytest.mark.feature("N5")
@pytest.mark.parametrize("name", ["a.csv", "faiss", "a.faiss.gz", "a.tar"])
def test_a_file_of_another_kind_is_refused_before_its_first_byte(name):
    refusal = why_not_taken(name, 1, 10, INDEX_FILES)
    assert refusal
    assert (refusal.what, refusal.action) == (f"{name} was not uploaded", "Bring one whose name ends in .faiss or .switchyard.tar.")


@pytest.mark.parametrize("name", ["a.faiss", "A.FAISS", "before the move.switchyard.tar"])
def test_the_right_endings_are_taken_in_any_case(name):
    assert why_not_taken(name, 10, 10, INDEX_FILES) is None


def test_sheets_are_known_by_what_is_in_them():
    assert why_not_taken("export.dat", 10, 10, SHEETS) is None


def test_what_is_too_large_says_which_setting_raises_the_limit():
    refusal = why_not_taken("big.csv", 3 << 20, 1 << 20, SHEETS)
    assert refusal
    assert refusal.meaning == "It has 3.0 MiB; at most 1.0 MiB are taken."
    assert refusal.action == "Settings → Largest upload raises the limit."
