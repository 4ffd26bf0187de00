"""Golden questions: what a search must find, how each generation did, and which answers got worse."""

from __future__ import annotations

from functools import partial
from html import escape

import streamlit as st

from lib.client.errors import ClientError
from lib.contract.events import Topic
from lib.contract.golden import MAX_KEYS, GoldenComparison, GoldenDifference, GoldenQuestion, GoldenReading, GoldenRequest
from lib.contract.states import AnswerChange
from lib.ui.format import UNKNOWN, format_count, format_ratio
from lib.ui.frames.golden_history import show_golden_history
from lib.ui.gates import gated_button, show_why
from lib.ui.golden import CHANGE_MARKS, MARKS, create_again, delete_question, read_golden, save_question
from lib.ui.live import connection_gate, live_block
from lib.ui.marks import Tile, Tone, badge, box, icon, moment, tiles
from lib.ui.notices import attempt, describe_error, notify, show_trouble
from lib.ui.session import now, zone
from lib.ui.widgets import show_heading, show_nothing, show_paging, show_unknown

PAGE = 20
_SHOWN_KEYS = 5
_EDITED = "golden_edited"
_TRIED = "golden_tried"


@st.fragment(key="golden")
def show_golden() -> None:
    """Everything about golden questions, live."""
    with live_block("golden"):
        show_heading("Golden questions", Topic.INDEX, note="searches whose right answer people know")
        try:
            reading = read_golden()
        except ClientError as error:
            show_trouble(describe_error(error, "The golden questions cannot be listed"))
            return
        if reading is None:
            show_unknown("The golden questions")
            return
        if reading.questions:
            _show_verdict(reading)
        else:
            show_nothing(
                "There is no golden question yet.",
                "Search for something on the Overview and press “Expect this” beside the right row, or write one below. "
                "Every new generation of the index is asked all of them, and what got worse is named here.",
            )
        # What was tried and not taken stays open, as it was written.
        with st.expander("Write a golden question", expanded=st.session_state.get(_TRIED) == _form_name(None)):
            _show_form(None)
        if reading.questions:
            _show_questions(reading)
        if reading.runs:
            show_golden_history(reading)


def _show_verdict(reading: GoldenReading) -> None:
    newest, asked = reading.newest, [question.answer for question in reading.questions if question.answer]
    passed = sum(answer.passed for answer in asked)
    worse = newest.count(AnswerChange.REGRESSED) if newest and newest.before else None
    at = f"asked {moment(newest.after.asked_at, now=now(), zone=zone())}" if newest else "none was asked yet"
    st.html(
        tiles(
            [
                Tile(label="Questions", value=format_count(len(reading.questions)), note=f"{len(asked)} asked"),
                Tile(
                    label="Pass",
                    value=f"{passed} of {len(asked)}" if asked else UNKNOWN,
                    note=format_ratio(passed / len(asked)) if asked else "the next generation is asked",
                    tone=Tone.BAD if passed < len(asked) else None,
                ),
                Tile(
                    label="Got worse",
                    value=format_count(worse),
                    note=f"since generation {newest.before.generation}" if newest and newest.before else "nothing to compare with",
                    tone=Tone.BAD if worse else None,
                ),
                Tile(label="Generation", value=format_count(newest.after.generation if newest else None), note=at),
            ]
        )
    )
    if newest:
        for difference in newest.differences:
            if difference.change is AnswerChange.REGRESSED:
                st.html(describe_regression(difference, newest))


def describe_regression(difference: GoldenDifference, comparison: GoldenComparison) -> str:
    """One question that got worse, by name: what it no longer finds, and what it finds instead."""
    before, after = difference.before, difference.after
    if before is None or after is None:
        return ""
    gone = f" ({', '.join(after.gone_keys)}: no longer in the table)" if after.gone_keys else ""
    was = f"place {before.rank}" if before.rank else "found"
    return box(
        Tone.BAD,
        f"{icon('trending_down')} “{escape(difference.text)}” no longer finds {escape(', '.join(after.missing_keys))}{escape(gone)}",
        f"Generation {comparison.before.generation if comparison.before else UNKNOWN}: {was}. "
        f"Generation {comparison.after.generation}: not among the first {after.k}. First hits now: "
        f"{escape(', '.join(after.found_keys[:_SHOWN_KEYS])) or 'none'}.",
    )


def _form_name(edited: GoldenQuestion | None) -> str:
    """Another one after each question saved, so that the form is empty again."""
    turn = st.session_state.get("golden_saved", 0)
    return f"{edited.question_id}_{turn}" if edited else str(turn)


def _show_form(edited: GoldenQuestion | None) -> None:
    name = _form_name(edited)
    text = st.text_input(
        "Question",
        value=edited.text if edited else "",
        key=f"golden_text_{name}",
        max_chars=2_000,
        placeholder="what somebody would search for",
    )
    keys = st.text_area(
        "Rows that must be found, one key a line",
        value="\n".join(edited.expected_keys) if edited else "",
        key=f"golden_keys_{name}",
        height=90,
        placeholder="ACC-001",
        max_chars=10_000,
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        k = st.number_input("Among the first", 1, 50, edited.k if edited else 10, key=f"golden_k_{name}", width=150)
        note = st.text_input(
            "Note", edited.note if edited else "", key=f"golden_note_{name}", max_chars=500, placeholder="why it matters", width=380
        )
        wanted = list(dict.fromkeys(line.strip() for line in (keys or "").splitlines() if line.strip()))
        problem = problem_of((text or "").strip(), wanted)
        save = f"golden_save_{name}" if edited else "golden_save"
        if gated_button("Save", connection_gate(), key=save, icon_name="flag", primary=True):
            st.session_state[_TRIED] = name
            if not problem:
                _save(GoldenRequest(text=(text or "").strip(), expected_keys=wanted, k=int(k), note=(note or "").strip()), edited)
        if edited and st.button("Leave it as it is", key="golden_leave", type="tertiary"):
            _close_form()
    if problem and st.session_state.get(_TRIED) == name:
        st.html(f'<span class="sy-why">{icon("info")} <span>{escape(problem)}</span></span>')


def problem_of(text: str, keys: list[str]) -> str:
    """What is still missing of a question, or too much; empty when it may be saved."""
    if not text or not keys:
        return "Not saved: write the question, and at least one key."
    return f"Not saved: at most {MAX_KEYS} rows can be expected of one question; these are {len(keys)}." if len(keys) > MAX_KEYS else ""


def _save(request: GoldenRequest, edited: GoldenQuestion | None) -> None:
    if save_question(request, edited):
        _close_form()
    st.rerun()


def _close_form() -> None:
    st.session_state["golden_saved"] = st.session_state.get("golden_saved", 0) + 1
    st.session_state.pop(_EDITED, None)
    st.session_state.pop(_TRIED, None)
    st.rerun()


def _show_questions(reading: GoldenReading) -> None:
    changes = {difference.question_id: difference.change for difference in reading.newest.differences} if reading.newest else {}
    ordered = sorted(
        reading.questions, key=lambda question: (question.answer is None) + 2 * bool(question.answer and question.answer.passed)
    )
    cursors: list[str | None] = st.session_state.setdefault("golden_cursors", [None])
    start = int(cursors[-1] or 0) if int(cursors[-1] or 0) < len(ordered) else 0
    gate = connection_gate()
    if not gate.allowed:  # once for all: beside each question it would drown what is asked
        show_why(gate, key="golden")
    for question in ordered[start : start + PAGE]:
        card = st.container(border=True, key=f"golden_{question.question_id}")
        with card:
            words, button = st.columns([5, 1.4], vertical_alignment="center", gap="small")
        words.html(question_row(question, changes.get(question.question_id)))
        with button, st.container(horizontal=True, horizontal_alignment="right"):
            ident, off = question.question_id, not gate.allowed
            if st.button("Edit", key=f"golden_edit_{ident}", help=f"Change “{question.text}”", disabled=off):
                st.session_state[_EDITED] = question.question_id
                st.rerun()
            if st.button("Delete", key=f"golden_delete_{ident}", help=f"Delete “{question.text}”", disabled=off):
                _delete_with_undo(question)
        if st.session_state.get(_EDITED) == question.question_id:
            with card:
                _show_form(question)
    following = str(start + PAGE) if start + PAGE < len(ordered) else None
    if following or len(cursors) > 1:
        said = f"Questions {start + 1}–{min(start + PAGE, len(ordered))} of {len(ordered)}"
        show_paging(cursors, following, key="golden", back="Back", on="More", words=said)


def _delete_with_undo(question: GoldenQuestion) -> None:
    said = attempt(lambda: delete_question(question.question_id, question.text), failing="The golden question was not deleted")
    if said:
        notify(said, undo=partial(create_again, question))
    st.rerun()


def question_row(question: GoldenQuestion, change: AnswerChange | None) -> str:
    """One question as one row: its text, what must be found, and how the newest generation did."""
    answer = question.answer
    mark = MARKS.waiting if answer is None else MARKS.passed if answer.passed else MARKS.failed
    if answer is None:
        how = ""
    elif answer.passed:
        how = f"place {answer.rank}"
    else:
        how = f"missing: {', '.join(answer.missing_keys)} · found: {', '.join(answer.found_keys[:_SHOWN_KEYS]) or 'nothing'}"
    changed = badge(CHANGE_MARKS[change]) if answer and change and change is not AnswerChange.SAME else ""
    note = f" · {escape(question.note)}" if question.note else ""
    return (
        f'<div class="sy-pair"><span><b>{escape(question.text)}</b><br><span class="sy-note">'
        f"must find {escape(', '.join(question.expected_keys))} among the first {question.k}{note} · {escape(question.created_by)}"
        "</span></span>"
        f'<span>{badge(mark)} {changed}<br><span class="sy-note">{escape(how)}</span></span></div>'
    )
