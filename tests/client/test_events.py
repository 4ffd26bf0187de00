from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.client import events
from lib.client.events import Event, EventParser


def parse(*chunks: bytes) -> list[Event]:
    parser = EventParser()
    return [event for chunk in chunks for event in parser.feed(chunk)]


def test_an_event_is_its_id_name_and_data() -> None:
    assert parse(b"id: 7\nevent: queue\ndata: {}\n\n") == [("7", "queue", "{}")]


def test_an_event_without_a_name_is_a_message() -> None:
    assert parse(b"data: x\n\n") == [("", "message", "x")]


def test_an_id_stays_until_another_comes() -> None:
    assert [event.event_id for event in parse(b"id: 1\ndata: a\n\ndata: b\n\nid: 2\ndata: c\n\n")] == ["1", "1", "2"]


def test_a_block_with_only_an_id_is_no_event_but_counts() -> None:
    parser = EventParser()
    assert list(parser.feed(b"id: 9\n\n")) == []
    assert parser.last_id == "9"


def test_the_id_of_a_half_event_does_not_count() -> None:
    parser = EventParser()
    assert len(list(parser.feed(b"id: 1\ndata: a\n\nid: 2\nevent: queue\ndata: {"))) == 1
    assert parser.last_id == "1"


def test_an_id_with_a_nul_is_ignored() -> None:
    assert parse(b"id: 1\ndata: a\n\nid: 2\0\ndata: b\n\n")[1].event_id == "1"


def test_lines_of_data_are_joined() -> None:
    assert parse(b"data: a\ndata:  b\ndata\n\n") == [("", "message", "a\n b\n")]


def test_comments_unknown_fields_and_a_mark_at_the_start_are_ignored() -> None:
    assert parse(b"\xef\xbb\xbf: hello\nnonsense: 1\nbare\ndata: x\n\n: ping\n\n") == [("", "message", "x")]


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_every_line_ending_will_do(line_end: bytes) -> None:
    text = line_end.join([b"id: 1", b"data: a", b"", b"data: b", b"", b""])
    assert parse(text) == parse(*[text[i : i + 1] for i in range(len(text))]) == [("1", "message", "a"), ("1", "message", "b")]


def test_retry_is_in_milliseconds_and_must_be_a_number() -> None:
    parser = EventParser()
    list(parser.feed(b"retry: 2500\n\n"))
    assert parser.retry_seconds == 2.5
    list(parser.feed("retry: soon\nretry: ٣\nretry: -1\n\n".encode()))
    assert parser.retry_seconds == 2.5


def test_bytes_that_are_no_text_do_not_end_the_stream() -> None:
    assert parse(b"data: \xff\n\ndata: b\n\n")[1].data == "b"


def test_an_event_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MAX_EVENT_CHARACTERS", 1000)
    parser = EventParser()
    for _ in range(9):
        list(parser.feed(b"data: " + b"x" * 100 + b"\n"))
    with pytest.raises(ValueError, match="without end"):
        list(parser.feed(b"data: " + b"x" * 100 + b"\n"))


def test_many_events_together_may_exceed_the_bound_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MAX_EVENT_CHARACTERS", 1000)
    assert len(parse(b"data: x\n\n" * 500, b"data: x\n\n" * 500)) == 1000


LINES = st.sampled_from(["id: 1", "id", "id: 2", "event: a", "data: x", "data:é", "data", ": c", "retry: 5", "", "", "﻿data: y"])


@settings(max_examples=200, deadline=None)
@given(lines=st.lists(LINES, max_size=25), end=st.sampled_from(["\n", "\r\n", "\r"]), cuts=st.lists(st.integers(0, 300), max_size=8))
def test_where_the_network_cuts_makes_no_difference(lines: list[str], end: str, cuts: list[int]) -> None:
    text = "".join(line + end for line in lines).encode()
    edges = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    assert parse(*(text[a:b] for a, b in pairwise(edges))) == parse(text)
