"""Golden questions that would be answered differently: the part that the reports of an inspection and of a rehearsal share."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import streamlit as st

from lib.contract.golden import GoldenDifference
from lib.contract.states import AnswerChange
from lib.ui.format import UNKNOWN, plural
from lib.ui.marks import Column, Mark, Tone, badge, icon, table

_MARKS = {
    AnswerChange.REGRESSED: Mark(Tone.BAD, "trending_down", "gets worse"),
    AnswerChange.IMPROVED: Mark(Tone.DONE, "trending_up", "gets better"),
    AnswerChange.MOVED: Mark(Tone.HELD, "swap_vert", "other rows"),
}


def show_question_changes(changes: Sequence[GoldenDifference], *, asked: int) -> None:
    """Which golden questions would be answered differently, with the hits before and after."""
    if not changes:
        answer = "It answers" if asked == 1 else "All are answered"
        st.html(f"<p>{icon('quiz')} {plural(asked, 'golden question')} asked. {answer} as now.</p>")
        return
    rows = [_question_row(each) for each in changes]
    lead = f"<p>{icon('quiz')} {len(changes)} of {plural(asked, 'golden question')} would be answered differently:</p>"
    names = ("Question", "What changes", "First hits now", "First hits then")
    columns = [Column(title=name, wide=name != "What changes") for name in names]
    st.html(lead + table(columns, rows, caption="Golden questions whose answer would change"))


def _question_row(each: GoldenDifference) -> tuple[str, ...]:
    before, after = (", ".join(answer.found_keys[:3]) if answer else "" for answer in (each.before, each.after))
    mark = _MARKS.get(each.change)
    return escape(each.text), badge(mark) if mark else escape(each.change), escape(before) or UNKNOWN, escape(after) or UNKNOWN
