"""A link with a moment shows the figures of then beside those of now."""

from __future__ import annotations

import pytest

from lib.ui.session import Keys
from tests.pages.fake_looking import MOMENT_ID


@pytest.mark.feature("M8")
def test_a_link_with_a_moment_shows_then_and_now_side_by_side_and_what_has_changed(visit):
    seen = visit("Queue", "idle", as_of=MOMENT_ID, window="24h")
    table = seen.text.split("Then and now</caption>")[1].split("</table>")[0]
    pending = next(row for row in table.split("<tr>") if "Pending" in row)
    assert "38,104" in pending
    assert "<b>0</b>" in pending
    assert "has changed" in pending
    assert "by Maria" in seen.text
    assert "Generation" not in table
    assert "Show the present only" in seen.text


@pytest.mark.feature("M8")
def test_home_compares_everything_and_a_page_that_speaks_of_nothing_does_too(visit):
    for page in ("Home", "Settings"):
        table = visit(page, "idle", as_of=MOMENT_ID).text.split("Then and now</caption>")[1]
        assert all(words in table for words in ("Pending", "Generation", "embedding-2", "Last import"))


@pytest.mark.feature("M8", "X11")
def test_a_moment_that_is_gone_is_said_in_words_and_the_page_stands(visit):
    seen = visit("Queue", "idle", as_of="long-gone")
    assert "The figures of that moment cannot be shown" in seen.text
    assert "Over time" in seen.text


@pytest.mark.feature("M8")
def test_the_link_carries_the_view_and_after_keeping_also_the_moment(visit):
    seen = visit("Queue", "idle", window="24h")
    seen.button("keep_moment").click().run()
    assert seen.asked("create_moment") == [()]
    links = [element.value for element in seen.app.code]
    assert links[0].endswith("/Queue?window=24h")
    assert links[1].endswith(f"/Queue?window=24h&as_of={MOMENT_ID}")
    assert seen.app.session_state[Keys.MOMENT][1] == MOMENT_ID
