"""How golden questions fared from generation to generation."""

from __future__ import annotations

from functools import partial
from html import escape

import streamlit as st

from lib.client.errors import ClientError
from lib.contract.golden import GoldenAnswer, GoldenComparison, GoldenDifference, GoldenReading, GoldenRun
from lib.contract.states import AnswerChange
from lib.ui.format import UNKNOWN, format_age, format_count, format_ratio, plural
from lib.ui.golden import CHANGE_MARKS
from lib.ui.live import last_known
from lib.ui.marks import Column, badge, moment, table
from lib.ui.notices import describe_error, show_trouble
from lib.ui.session import get_client, now, zone
from lib.ui.trends import show_trend
from lib.ui.widgets import show_heading, show_nothing, show_unknown

_SHOWN_KEYS = 5


def show_golden_history(reading: GoldenReading) -> None:
    """The trend, and any two generations side by side."""
    show_heading("From generation to generation")
    newest_first = [run for run in reading.runs if run.pass_ratio is not None]
    points = {run.generation: run.pass_ratio for run in reversed(newest_first)}
    latest = newest_first[0] if newest_first else None
    words = (
        f"Passed of asked over {plural(len(points), 'generation')}; the newest: {format_ratio(latest.pass_ratio) if latest else UNKNOWN}."
    )
    show_trend(list(points.items()), key="golden_trend", value="Pass", form=".0%", top=1.0, words=words)
    with st.expander("The same as a table"):
        st.html(table(_RUN_COLUMNS, [_run_row(run) for run in reading.runs], caption="How each generation answered, newest first"))
    if len(reading.runs) > 1:
        _show_comparison(reading.runs)


_RUN_COLUMNS = [Column(title="Generation", number=True), Column(title="Pass"), Column(title="Model"), Column(title="Asked", wide=True)]


def _run_row(run: GoldenRun) -> list[str]:
    return [
        format_count(run.generation),
        f"{run.passed} of {run.questions}",
        escape(run.embedder),
        moment(run.asked_at, now=now(), zone=zone()),
    ]


def _show_comparison(runs: list[GoldenRun]) -> None:
    names = {
        run.run_id: f"generation {run.generation} · {run.passed} of {run.questions} · {format_age(run.asked_at, now())}" for run in runs
    }
    ids = list(names)
    with st.container(horizontal=True, vertical_alignment="bottom", key="golden_compare"):
        before = st.selectbox("Compare", ids, index=1, format_func=lambda run_id: names.get(run_id, run_id), key="golden_before", width=340)
        after = st.selectbox("with", ids, index=0, format_func=lambda run_id: names.get(run_id, run_id), key="golden_after", width=340)
    try:
        comparison = last_known(f"golden_{before}_{after}", partial(_compare, before, after))
    except ClientError as error:
        show_trouble(describe_error(error, "The two cannot be compared"))
        return
    if comparison is None:
        show_unknown("The comparison")
        return
    changed = [difference for difference in comparison.differences if difference.change is not AnswerChange.SAME]
    if not changed:
        show_nothing(
            "Every answer is the same.", f"All {plural(len(comparison.differences), 'question')} found the same rows in the same order."
        )
        return
    st.html(table(_DIFFERENCE_COLUMNS, [_difference_row(each) for each in changed], caption="Answers that changed, what got worse first"))


_DIFFERENCE_COLUMNS = [Column(title="Change"), Column(title="Question", wide=True), Column(title="Before"), Column(title="After")]


def _difference_row(difference: GoldenDifference) -> list[str]:
    before, after = _place(difference.before), _place(difference.after)
    return [badge(CHANGE_MARKS[difference.change]), escape(difference.text), before, after]


def _place(answer: GoldenAnswer | None) -> str:
    if answer is None:
        return UNKNOWN
    where = f"place {answer.rank}" if answer.passed else f"missing {', '.join(answer.missing_keys)}"
    return f'{escape(where)}<br><span class="sy-note">{escape(", ".join(answer.found_keys[:_SHOWN_KEYS]))}</span>'


@st.cache_data(ttl=600, max_entries=32, show_spinner=False)
def _compare(before: str | None, after: str | None) -> GoldenComparison:
    return get_client().compare_golden_runs(before, after)
