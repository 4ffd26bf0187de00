"""Values into words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from lib.ui import format as words

AT = datetime(2025, 3, 1, 13, 5, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    "unknown",
    [
        words.format_count(None),
        words.format_short_count(None),
        words.format_duration(None),
        words.format_age(None, AT),
        words.format_until(None, AT),
        words.format_moment(None),
        words.format_clock(None),
        words.format_size(None),
        words.format_rate(None),
        words.format_ratio(None),
        words.format_delimiter(None),
    ],
)
def test_unknown_is_a_dash_and_never_a_zero(unknown):
    assert unknown == "—"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.012, "12 ms"),
        (0.41, "0.4 s"),
        (12.4, "12 s"),
        (60, "1 min"),
        (200, "3 min 20 s"),
        (7500, "2 h 5 min"),
        (273_600, "3 d 4 h"),
        (-5, "0 s"),
    ],
)
def test_a_duration_takes_two_units_at_most(seconds, text):
    assert words.format_duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "just now"), (12, "12 s ago"), (61, "1 min ago"), (7300, "2 h ago"), (90_000, "1 d ago"), (-3, "just now")]
)
def test_an_age_takes_one_unit(seconds, text):
    assert words.format_age(AT - timedelta(seconds=seconds), AT) == text


def test_what_lies_behind_has_passed():
    assert words.format_until(AT - timedelta(seconds=1), AT) == "passed"
    assert words.format_until(AT + timedelta(hours=2), AT) == "in 2 h"


def test_an_absolute_time_names_its_zone():
    assert words.format_moment(AT, ZoneInfo("Europe/Berlin")) == "2025-03-01 14:05:09 CET"


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (812, "812 B"), (1024, "1.0 KiB"), (81_234, "79.3 KiB"), (157_312, "154 KiB"), (2**30, "1.0 GiB")]
)
def test_sizes_are_binary(size, text):
    assert words.format_size(size) == text


@pytest.mark.parametrize(("rate", "text"), [(0, "0/s"), (0.07, "4.2/min"), (3.14, "3.1/s"), (1940.2, "1,940/s")])
def test_slow_rates_are_per_minute(rate, text):
    assert words.format_rate(rate) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0"), (987, "987"), (1000, "1k"), (12_345, "12.3k"), (123_456, "123k"), (1_200_000, "1.2M")]
)
def test_a_count_for_a_narrow_place(count, text):
    assert words.format_short_count(count) == text


def test_counts_have_separators_and_agree_with_their_noun():
    assert words.format_count(1_234_567) == "1,234,567"
    assert words.plural(1, "row") == "1 row"
    assert words.plural(1200, "entry", "entries") == "1,200 entries"


def test_delimiters_are_named():
    assert [words.format_delimiter(each) for each in (",", "\t", "#")] == ["comma", "tab", "#"]


def test_a_long_text_is_cut_to_one_line():
    assert words.shorten("a\n b", 10) == "a b"
    assert words.shorten("x" * 30, 10) == "x" * 9 + "…"
