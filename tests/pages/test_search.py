"""The search probe on the Index page: narrowed, why each hit is there, its neighbours, two generations side by side."""

from __future__ import annotations

import pytest

from lib.ui.frames.search import fields_of


@pytest.mark.feature("N7")
def test_each_hit_says_what_it_shares_with_the_question(visit):
    seen = visit("Index", "idle", q="cannot log in")
    assert "shares “cannot, in, log”" in seen.text
    assert "near in meaning only" in seen.text


@pytest.mark.feature("N7")
def test_a_search_is_narrowed_by_fields(visit):
    seen = visit("Index", "idle", q="cannot log in")
    seen.app.text_input(key="narrow_fields").set_value("owner = Jonas").run()
    assert seen.asked("search_index")[-1] == ("cannot log in", 10, {"owner": "Jonas"})
    hits = [html.proto.body for html in seen.app.get("html") if '<ol class="sy-hits"' in html.proto.body]
    assert len(hits) == 1
    assert "KB-017" in hits[0]
    seen.app.text_input(key="narrow_fields").set_value("owner = Nobody").run()
    assert "Nothing found among the 2 nearest." in seen.text


@pytest.mark.feature("N7")
def test_two_generations_stand_side_by_side_and_say_where_the_other_has_each_hit(visit):
    seen = visit("Index", "idle", q="cannot log in")
    seen.app.toggle(key="beside").set_value(True).run()
    for words in ("Generation 3", "Generation 2", "only here", "place 1 there", "place 2 there"):
        assert words in seen.text, words


@pytest.mark.feature("N7")
def test_the_neighbours_of_a_hit_are_shown(visit):
    seen = visit("Index", "idle", q="cannot log in")
    seen.app.selectbox(key="neighbours_of").set_value("KB-001").run()
    assert seen.asked("search_index")[-1] == (None, 10, "KB-001")
    assert "Rows near KB-001" in seen.text


@pytest.mark.parametrize(
    ("typed", "fields"),
    [("", {}), ("owner", {}), ("owner = Ann", {"owner": "Ann"}), (" a=b , c = d=e,", {"a": "b", "c": "d=e"}), ("= x", {})],
)
def test_what_is_typed_is_read_as_fields(typed, fields):
    assert fields_of(typed) == fields


@pytest.mark.feature("X11")
def test_a_link_carries_how_many_hits_were_asked_for(visit):
    seen = visit("Index", "idle", q="cannot log in", k="20")
    assert "not understood" not in seen.text
    assert [arguments[:2] for arguments in seen.asked("search_index")] == [("cannot log in", 20)]
