"""Confirmation dialogs. State-driven: the question lives in the session, so no redraw can lose or repeat it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from lib.client.errors import ClientError
from lib.ui.notices import describe_error, notify, show_trouble
from lib.ui.session import Keys


@dataclass(frozen=True)
class Answer:
    """What the person put into the dialog. ``problem`` says what is still missing; empty when it may be sent."""

    value: Any = None
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class Question:
    """One decision. ``title`` is verb + object, ``body`` impact and reversibility, ``verb`` the button.

    ``perform`` gets the answer's value, acts on ids bound beforehand, and returns what was done, in words.
    """

    title: str
    body: str
    verb: str
    perform: Callable[[Any], str]
    inputs: Callable[[], Answer] | None = None
    link: str | None = None


def ask(question: Question) -> None:
    """Open the dialog: from here on the page draws it until it is answered."""
    st.session_state[Keys.QUESTION] = question
    st.rerun()


def close() -> None:
    """Forget the question."""
    st.session_state.pop(Keys.QUESTION, None)


def show_question() -> None:
    """Draw the open question, if there is one; every page calls this once."""
    question: Question | None = st.session_state.get(Keys.QUESTION)
    if question is not None:
        st.dialog(question.title, on_dismiss=close)(partial(_show_body, question))()


def _show_body(question: Question) -> None:
    st.markdown(question.body)
    answer = question.inputs() if question.inputs else Answer()
    trouble = st.container()
    # Cancel comes first in reading order: whoever presses Tab and Enter without reading does no harm.
    with st.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center", key="dialog_buttons"):
        if answer.problem:
            st.html(f'<span class="sy-why">{answer.problem}</span>')
        cancelled = st.button("Cancel", key="dialog_cancel")
        confirmed = st.button(question.verb, type="primary", key="dialog_confirm", disabled=bool(answer.problem))
    if cancelled:
        close()
        st.rerun()
    if confirmed:
        _perform(question, answer, trouble)


def _perform(question: Question, answer: Answer, place: DeltaGenerator) -> None:
    try:
        done = question.perform(answer.value)
    except ClientError as error:
        with place:
            show_trouble(describe_error(error, f"Not done: {question.title}"))
        return
    close()
    notify(done, link=question.link)
    st.rerun()


def reason_input() -> Answer:
    """Ask why; the reason is shown wherever the effect is felt."""
    reason = st.text_input("Reason", max_chars=200, placeholder="e.g. provider maintenance until 15:00", key="dialog_reason")
    st.html('<span class="sy-note">Shown with your name to everybody who meets the effect.</span>')
    return Answer(reason)
