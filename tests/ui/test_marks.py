"""Every state has its look, and nothing a person wrote becomes markup."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from lib.contract.states import Actual, Change, Desired, JobState, Operation, PlanState, ShiftKind
from lib.ui import marks
from lib.ui.pages import PAGES, find_page
from lib.ui.style import build_style
from tests.pages import canned

EVIL = '<img src=x onerror="alert(1)">'


@pytest.mark.parametrize(
    ("states", "table"),
    [
        (JobState, marks.JOB_MARKS),
        (PlanState, marks.PLAN_MARKS),
        (Change, marks.CHANGE_MARKS),
        (Actual, marks.ACTUAL_MARKS),
        (Desired, marks.DESIRED_MARKS),
        (ShiftKind, marks.SHIFT_MARKS),
        (Operation, marks.OPERATION_WORDS),
    ],
)
def test_every_state_of_the_contract_has_a_mark(states, table):
    assert set(table) == set(states)


def test_a_state_is_icon_and_word_and_colour():
    html = marks.badge(marks.JOB_MARKS[JobState.FAILED])
    assert "sy-bad" in html
    assert 'data-icon="error" aria-hidden="true"' in html
    assert ">failed<" in html


def test_paused_is_amber_and_stale_is_red():
    assert marks.ACTUAL_MARKS[Actual.PAUSED].tone is marks.Tone.HELD
    assert marks.mark_worker(canned.worker("w", stale=True, actual=Actual.BUSY)) == marks.STALE


def test_a_worker_that_has_ended_in_good_order_is_not_stale():
    assert marks.mark_worker(canned.worker("w", stale=True, actual=Actual.STOPPED)).word == "stopped"


@pytest.mark.parametrize(
    ("desired", "actual", "apart"),
    [
        (Desired.RUNNING, Actual.BUSY, False),
        (Desired.PAUSED, Actual.BUSY, True),
        (Desired.PAUSED, Actual.PAUSED, False),
        (Desired.RUNNING, Actual.DRAINED, True),
        (Desired.DRAINING, Actual.DRAINED, False),
    ],
)
def test_wanted_and_actual_differ_only_until_the_wish_is_followed(desired, actual, apart):
    assert marks.differs(canned.worker("w", desired=desired, actual=actual)) is apart


def test_what_people_wrote_is_escaped():
    at = datetime(2025, 3, 1, tzinfo=UTC)
    pieces = [
        marks.badge(marks.Mark(marks.Tone.IDLE, "help", EVIL), title=EVIL),
        marks.code(EVIL),
        marks.code(EVIL, short=8),
        marks.tiles([marks.Tile(label=EVIL, value=EVIL, help=EVIL)]),
        marks.table([marks.Column(title=EVIL)], [], caption=EVIL),
        marks.facts([(EVIL, "", EVIL)]),
        marks.moment(at, now=at),
    ]
    assert "<img" not in "".join(pieces)


def test_every_tone_has_its_colours_in_both_themes():
    style = build_style()
    for tone in marks.Tone:
        assert re.search(rf"--sy-{tone}: light-dark\(#\w+, #\w+\)", style)


def _luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_text_stands_out_from_its_ground_in_both_themes():
    colours = {name: pair.split(", ") for name, pair in re.findall(r"--sy-(\S+): light-dark\(([^)]+)\)", build_style())}
    for theme in (0, 1):
        for tone in marks.Tone:
            assert _contrast(colours[tone][theme], colours[f"{tone}-bg"][theme]) >= 4.5, (tone, theme)
            assert _contrast(colours[tone][theme], colours["paper"][theme]) >= 4.5, (tone, theme)
        for ground in ("paper", "soft"):
            assert _contrast(colours["muted"][theme], colours[ground][theme]) >= 4.5, (ground, theme)


def test_links_of_the_gate_find_their_page():
    assert find_page("/Import?plan=abc") == (PAGES["Import"], {"plan": "abc"})
    assert find_page("/?job=1") == (PAGES["Home"], {"job": "1"})
    assert find_page("https://elsewhere.example/Queue") is None
    assert find_page("/Nowhere") is None
