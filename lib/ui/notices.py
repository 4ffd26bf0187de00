"""What came of an action: shown on the page until the next one, because a toast is gone before it is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape
from time import monotonic
from typing import TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

import streamlit as st

from lib.client.errors import Answered, ClientError, Refused, TimedOut, Unreachable
from lib.contract.errors import ERRORS
from lib.contract.operations import Gate
from lib.ui.marks import Tone, box, fold, icon
from lib.ui.pages import PAGES, find_page
from lib.ui.session import Keys, Params

_Answer = TypeVar("_Answer")

#: A second click within this many seconds is the same wish.
DOUBLE_CLICK_SECONDS = 3.0


@dataclass(frozen=True)
class Trouble:
    """Something that did not work: what happened · what it means · what to do · details."""

    what: str
    meaning: str
    action: str
    details: list[tuple[str, str]] = field(default_factory=list)
    gate: Gate | None = None


@dataclass(frozen=True)
class Notice:
    """The result of the last action: words of success with a link to the thing, or trouble.

    ``undo`` takes the action back and says so in words: a toast cannot hold a button, so the page does.
    """

    text: str = ""
    link: str | None = None
    trouble: Trouble | None = None
    undo: Callable[[], str] | None = None


def describe_error(error: ClientError, what: str) -> Trouble:
    """``error`` in words fit for people; ``what`` says what did not happen because of it."""
    match error:
        case Refused():
            return Trouble(what, error.gate.reason_text, "", [("Reason", str(error.gate.reason_code))], error.gate)
        case Answered():
            fields = [(item.pointer, item.detail) for item in error.problem.errors]
            meaning = error.problem.detail or ERRORS[error.code][1]
            return Trouble(what, meaning, error.problem.action or ERRORS[error.code][2], [("Code", error.code), *fields])
        case Unreachable():
            return Trouble(what, "The service does not answer.", "It is tried again by itself; nothing was lost.", [("Cause", str(error))])
        case TimedOut():
            action = "Look whether it happened before you try again."
            return Trouble(what, "The service took too long to answer, so the outcome is not known.", action, [("Cause", str(error))])
    return Trouble(what, "The answer was not one of this service.", "Check that the address is Switchyard's API.", [("Cause", str(error))])


def attempt(action: Callable[[], _Answer], *, failing: str) -> _Answer | None:
    """Do it; when the service cannot, keep why as the notice and return None. ``failing``: "The rebuild was not started"."""
    try:
        return action()
    except ClientError as error:
        st.session_state[Keys.NOTICE] = Notice(trouble=describe_error(error, failing))
        return None


def notify(text: str, *, link: str | None = None, undo: Callable[[], str] | None = None) -> None:
    """Say what was done: on the page, with the way back where there is one, and in passing as a toast."""
    st.session_state[Keys.NOTICE] = Notice(text, link, undo=undo)
    st.toast(text, icon=":material/check_circle:")


def start_key(operation: str) -> str:
    """The Idempotency-Key of a start: a double click repeats the key and so starts nothing twice."""
    starts: dict[str, tuple[str, float]] = st.session_state.setdefault(Keys.STARTS, {})
    key, used = starts.get(operation, ("", 0.0))
    if not key or monotonic() - used > DOUBLE_CLICK_SECONDS:
        key = uuid4().hex
        starts[operation] = (key, monotonic())
    return key


def show_notice() -> None:
    """The result of the last action, until it is dismissed or the next one."""
    notice: Notice | None = st.session_state.get(Keys.NOTICE)
    if notice is None:
        return
    with st.container(horizontal=True, vertical_alignment="center", key="notice"):
        if notice.trouble is not None:
            with st.container():
                show_trouble(notice.trouble)
        else:
            # As wide as its words: what can be done about it stands beside them, clear of the toast in the corner.
            st.html(box(Tone.DONE, f"{icon('check_circle')} {escape(notice.text)}"), width="content")
        if notice.link:
            show_link(notice.link)
        if notice.undo is not None and st.button("Undo", key="undo_action", icon=":material/undo:"):
            _take_back(notice.undo)
        st.button(
            "Dismiss", type="tertiary", key="dismiss", icon=":material/close:", on_click=lambda: st.session_state.pop(Keys.NOTICE, None)
        )


def _take_back(undo: Callable[[], str]) -> None:
    if said := attempt(undo, failing="It was not taken back"):
        notify(said)
    st.rerun()


def show_trouble(trouble: Trouble) -> None:
    """The error block of every page."""
    folded = "".join(f"<div>{escape(name)}: <span class='sy-code'>{escape(value)}</span></div>" for name, value in trouble.details)
    what = f"{icon('error')} {escape(trouble.what)}"
    st.html(box(Tone.BAD, what, escape(trouble.meaning), escape(trouble.action), fold(folded), role="alert"))
    if trouble.gate is not None and trouble.gate.fix_link:
        show_link(trouble.gate.fix_link)


def leads_here(link: str) -> bool:
    """Whether a link leads to the very view that is open."""
    found, here = find_page(link), find_page(urlsplit(st.context.url or "").path)
    return found is not None and here is not None and found == (here[0], st.query_params.to_dict())


def show_link(link: str, label: str | None = None) -> None:
    """A link of the gate or of a notice, as a page link of ours when it is one."""
    found = find_page(link)
    if found is not None:
        page, params = found
        st.page_link(
            PAGES[page.name].file,
            label=label or ("Show the job" if Params.JOB in params else "Show the plan" if Params.PLAN in params else f"Open {page.name}"),
            icon=page.icon,
            query_params=params or None,
        )
