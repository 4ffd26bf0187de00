"""Confirmation dialogs. State-driven: the question lives in the session, so no redraw can lose or repeat it.

The ladder: what is reversible is done at once, with Undo in its notice; what disrupts is asked (tier 2); what destroys
also wants the thing's name or number typed (tier 3).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from html import escape
from typing import Any
from uuid import uuid4

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from lib.client.errors import ClientError
from lib.contract.names import is_typed
from lib.ui.focus import focus_on
from lib.ui.marks import icon
from lib.ui.notices import Notice, describe_error, notify, show_trouble
from lib.ui.session import Keys

#: What the service takes as a reason.
MAX_REASON = 200


@dataclass(frozen=True)
class Answer:
    """What the person put into the dialog. ``problem`` says what is still missing; empty when it may be sent."""

    value: Any = None
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class Question:
    """One decision. ``title`` is verb + object, ``body`` how much and what follows, ``verb`` the button.

    ``reversible`` says how to take it back, or that nobody can. ``show`` draws what else one should read first.
    ``safe`` is the answer that does nothing, ``typed`` what must be typed, asked for in the words of ``type_label``.
    ``perform`` gets the answer's value, acts on ids bound beforehand, and returns what was done.
    """

    title: str
    body: str
    verb: str
    perform: Callable[[Any], str | Notice]
    reversible: str = ""
    show: Callable[[], None] | None = None
    inputs: Callable[[], Answer] | None = None
    typed: str = ""
    type_label: str = ""
    link: str | None = None
    safe: str = "Cancel"
    ident: str = field(default_factory=lambda: uuid4().hex)


def ask(question: Question) -> None:
    """Open the dialog: from here on the page draws it until it is answered."""
    st.session_state[Keys.QUESTION] = question
    st.rerun()


def close() -> None:
    """Forget the question."""
    st.session_state.pop(Keys.QUESTION, None)


def open_view(name: str) -> None:
    """Open one of the dialogs that ask nothing: from here on the page draws it until it is closed."""
    st.session_state[Keys.VIEW] = (name, st.context.url, st.query_params.to_dict())


def open_view_name() -> str:
    """Which of them is open; leaving the place where it was opened closes it."""
    name, *place = st.session_state.get(Keys.VIEW, ("", st.context.url, st.query_params.to_dict()))
    if place != [st.context.url, st.query_params.to_dict()]:
        close_view()
        return ""
    return str(name)


def close_view() -> None:
    """Forget it."""
    st.session_state.pop(Keys.VIEW, None)


def show_question() -> None:
    """Draw the open question, if there is one; every page calls this once."""
    question: Question | None = st.session_state.get(Keys.QUESTION)
    if question is not None:
        st.dialog(question.title, on_dismiss=close)(partial(_show_body, question))()


def _show_body(question: Question) -> None:
    st.markdown(question.body)
    if question.show:
        question.show()
    if question.reversible:
        st.html(f'<span class="sy-note">{icon("undo")} {escape(question.reversible)}</span>')
    answer = question.inputs() if question.inputs else Answer()
    if question.typed:
        answer = _ask_typed(question, answer)
    trouble = st.container()
    # The safe answer comes first in reading order and has the focus: whoever presses Enter without reading does no harm.
    # What is missing has a line of its own, kept when it is said no more: the buttons stay where they are.
    if question.inputs or question.typed:
        st.html(f'<div class="sy-why sy-missing">{escape(answer.problem)}</div>')
    with st.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center", key="dialog_buttons"):
        cancelled = st.button(question.safe, key="dialog_cancel")
        confirmed = st.button(question.verb, type="primary", key="dialog_confirm", disabled=bool(answer.problem))
    focus_on("dialog_cancel", dialog=question.ident)
    if cancelled:
        close()
        st.rerun()
    if confirmed:
        _perform(question, answer, trouble)


def _ask_typed(question: Question, answer: Answer) -> Answer:
    """Tier 3: the button stays off until exactly that was typed."""
    typed = st.text_input(question.type_label, key=f"dialog_typed_{question.ident}", autocomplete="off", live=True)
    if is_typed(typed or "", question.typed):
        return answer
    return Answer(answer.value, answer.problem or f"Type “{question.typed}” to go on.")


def _perform(question: Question, answer: Answer, place: DeltaGenerator) -> None:
    try:
        done = question.perform(answer.value)
    except ClientError as error:
        with place:
            show_trouble(describe_error(error, f"Not done: {question.title}"))
        return
    close()
    notice = Notice(done, question.link) if isinstance(done, str) else done
    notify(notice.text, link=notice.link, undo=notice.undo)
    st.rerun()


def reason_input(known: str = "") -> Answer:
    """Ask why; the reason is shown wherever the effect is felt."""
    reason = st.text_input(
        "Reason", known, max_chars=MAX_REASON, placeholder="e.g. provider maintenance until 15:00", key="dialog_reason", live=True
    )
    st.html('<span class="sy-note">Shown with your name to everybody who meets the effect.</span>')
    return Answer(reason)
