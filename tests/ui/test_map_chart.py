"""What of the map is sent to the browser."""

from __future__ import annotations

import pyarrow as pa
import pytest

from lib.ui.map_chart import choose_columns
from tests.pages.fake_maps import points


@pytest.mark.feature("M5")
def test_few_points_carry_their_words_and_of_many_each_has_one_short_text_beside_its_place_and_colour():
    few = points()
    assert choose_columns(few, few.column("state").combine_chunks()).column_names == ["key", "x", "y", "words", "shade"]
    many = pa.concat_tables([few] * 30)
    sent = choose_columns(many, pa.array(["a region"] * len(many)))
    assert sent.column_names == ["x", "y", "said", "shade"]
    assert sent.column("said")[1].as_py() == "KB-001: what KB-001 says"
    assert len(sent) == len(many) == 3_600
    assert sent.nbytes < 60 * len(many), "a look at 50,000 of them takes no 3 MB"
