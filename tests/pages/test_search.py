"""The search probe on the Index page: narrowed, why each hit is there, its neighbours, two generations side by side."""

from __future__ import annotations

import pytest

from lib.ui.frames.search import fields_of, not_fields


@pytest.mark.feature("N7")
def test_each_hit_says_what_it_shares_with_the_question(visit):
    seen = visit("Index", "idle", q="cannot log in")
    assert "shares “cannot, in, log”" in seen.text
    assert "near in meaning only" in seen.text


@pytest.mark.feature("N7")
def test_a_search_is_narrowed_by_fields(visit):
    seen = visit("Index", "idle", q="cannot log in")
    seen.app.text_input(key="only").set_value("owner = Jonas").run()
    assert seen.asked("search_index")[-1] == ("cannot log in", 10, {"owner": "Jonas"})
    hits = [html.proto.body for html in seen.app.get("html") if '<ol class="sy-hits"' in html.proto.body]
    assert len(hits) == 1
    assert "KB-017" in hits[0]
    assert "1 hit where owner = Jonas, of the 2 nearest rows" in seen.text


@pytest.mark.feature("N7")
def test_a_narrowed_search_that_finds_nothing_says_how_far_it_looked_and_what_the_fields_are_called(visit):
    seen = visit("Index", "idle", q="cannot log in", only="owner = Nobody")
    assert seen.asked("search_index")[0] == ("cannot log in", 10, {"owner": "Nobody"}), "a link carries the fields"
    assert "Looked through the nearest 2 rows: none is one where owner = Nobody; farther ones may be." in seen.text
    assert "compared exactly, capitals too. The nearest row has these fields: category, owner." in seen.text


@pytest.mark.feature("N7")
def test_what_is_no_field_and_value_is_said_not_to_narrow(visit):
    seen = visit("Index", "idle", q="cannot log in", only="Access, owner = Jonas")
    assert "Not narrowed by “Access”: write a field, “=” and a value" in seen.text
    assert seen.asked("search_index")[-1] == ("cannot log in", 10, {"owner": "Jonas"})


def test_a_search_for_nothing_says_what_is_missing(visit):
    seen = visit("Index", "idle")
    seen.button("search_button").click().run()
    assert "Write what you are looking for" in seen.text
    assert not seen.asked("search_index")


@pytest.mark.feature("N7")
def test_without_a_generation_before_it_the_served_one_is_shown_all_the_same(visit):
    seen = visit("Index", "idle", q="cannot log in")
    seen.client.alone = True
    seen.app.toggle(key="beside").set_value(True).run()
    assert "There is no generation before the served one." in seen.text
    assert "KB-001" in seen.text


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


@pytest.mark.parametrize(("typed", "left_out"), [("", ""), ("owner", "owner"), ("a = b,, x , = y", "x, = y"), ("a=b", "")])
def test_what_is_not_read_as_fields_is_known(typed, left_out):
    assert not_fields(typed) == left_out


@pytest.mark.feature("X11")
def test_a_link_carries_how_many_hits_were_asked_for(visit):
    seen = visit("Index", "idle", q="cannot log in", k="20")
    assert "not understood" not in seen.text
    assert [arguments[:2] for arguments in seen.asked("search_index")] == [("cannot log in", 20)]
