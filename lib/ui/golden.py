"""Golden questions as the console keeps them: read once for all frames, saved, deleted, put back."""

from __future__ import annotations

from functools import partial

import streamlit as st

from lib.client.errors import ClientError
from lib.contract.golden import GoldenAnswer, GoldenQuestion, GoldenReading, GoldenRequest
from lib.contract.states import AnswerChange
from lib.ui.acts import LISTED_SECONDS, last_act, note_act
from lib.ui.live import last_known, newest_jobs
from lib.ui.marks import Mark, Tone
from lib.ui.notices import attempt, notify
from lib.ui.session import get_client

_LIST = "golden"


class MARKS:
    """How an answer looks."""

    expected = Mark(Tone.DONE, "flag", "expected")
    passed = Mark(Tone.DONE, "check_circle", "passes")
    failed = Mark(Tone.BAD, "error", "fails")
    waiting = Mark(Tone.IDLE, "schedule", "not asked yet")


CHANGE_MARKS = {
    AnswerChange.REGRESSED: Mark(Tone.BAD, "trending_down", "regressed"),
    AnswerChange.IMPROVED: Mark(Tone.DONE, "trending_up", "improved"),
    AnswerChange.MOVED: Mark(Tone.HELD, "swap_vert", "moved"),
    AnswerChange.SAME: Mark(Tone.IDLE, "equal", "same"),
    AnswerChange.FIRST: Mark(Tone.IDLE, "fiber_new", "asked for the first time"),
}


def known_golden() -> list[GoldenQuestion]:
    """The saved questions as last read; empty when nothing is known."""
    try:
        reading = read_golden()
    except ClientError:
        return []
    return reading.questions if reading else []


def read_golden() -> GoldenReading | None:
    """Everything about them as last read; None when nothing was heard yet."""
    return last_known("golden", lambda: _list_golden(newest_jobs(), last_act(_LIST)))


@st.cache_data(ttl=LISTED_SECONDS, max_entries=8, show_spinner=False)
def _list_golden(newest: str, acted: str) -> GoldenReading:  # noqa: ARG001  part of the key
    return get_client().list_golden_questions()


def save_question(request: GoldenRequest, question: GoldenQuestion | None = None) -> bool:
    """Save a new question, or change the one there is; says how the served generation does with it."""
    client = get_client()
    saved = attempt(
        lambda: client.put_golden_question(question.question_id, request) if question else client.create_golden_question(request),
        failing="The golden question was not saved",
    )
    if saved is None:
        return False
    note_act(_LIST)
    undo = partial(_put_back, question) if question else partial(delete_question, saved.question_id, saved.text)
    notify(f"Golden question “{saved.text}” saved: {_how_it_does(saved.answer)}", link="/Index?tab=Golden questions", undo=undo)
    return True


def _how_it_does(answer: GoldenAnswer | None) -> str:
    if answer is None:
        return "it is asked of the next generation"
    if answer.passed:
        return f"it passes, at place {answer.rank}" if answer.rank else "it passes"
    return f"it fails: {', '.join(answer.missing_keys)} not among the first {answer.k}"


def _put_back(question: GoldenQuestion) -> str:
    get_client().put_golden_question(question.question_id, _request_of(question))
    note_act(_LIST)
    return f"Golden question “{question.text}” is as it was"


def delete_question(question_id: str, text: str) -> str:
    """Forget it; what was done, in words."""
    get_client().delete_golden_question(question_id)
    note_act(_LIST)
    return f"Golden question “{text}” deleted"


def create_again(question: GoldenQuestion) -> str:
    """Take its deletion back; what was done, in words."""
    get_client().create_golden_question(_request_of(question))
    note_act(_LIST)
    return f"Golden question “{question.text}” is back"


def _request_of(question: GoldenQuestion) -> GoldenRequest:
    return GoldenRequest(text=question.text, expected_keys=question.expected_keys, k=question.k, note=question.note)
