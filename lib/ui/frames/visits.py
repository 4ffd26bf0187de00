"""Since you last looked: what ran, what became of the rows, what fails that did not before, what was set differently."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from html import escape

import streamlit as st

from lib.client.errors import ClientError
from lib.contract.settings import SETTINGS
from lib.contract.states import JobState
from lib.contract.visits import Visit
from lib.ui.format import plural
from lib.ui.live import last_known, newest_jobs
from lib.ui.marks import OPERATION_WORDS, Tone, icon, moment
from lib.ui.notices import describe_error, show_trouble
from lib.ui.session import get_client, now, zone
from lib.ui.statebar import read_identity
from lib.ui.widgets import show_heading, show_nothing


def show_visit() -> None:
    """The card; nothing on somebody's first visit, which has nothing to compare with."""
    identity = read_identity()
    try:
        visit = last_known("visit", lambda: _record_visit(identity.actor if identity else "", newest_jobs()))
    except ClientError as error:
        show_trouble(describe_error(error, "What is new cannot be told"))
        return
    if visit is None or visit.since is None:
        return
    show_heading("Since you last looked")
    since = moment(visit.since, now=now(), zone=zone())
    lines = list(visit_lines(visit))
    if lines:
        head = f'<p class="sy-note">{whose_visit(identity.actor if identity else "")} ended {since}.</p>'
        st.html(f'<div class="sy-box" role="status">{head}<ul class="sy-list">{"".join(lines)}</ul></div>')
    else:
        show_nothing(
            "Nothing has happened.", "No job has run, no row has failed and no setting was changed since the last visit under this name."
        )


def whose_visit(actor: str) -> str:
    """Whose last visit is meant: a name of the service, which several people may use; ready HTML."""
    return f"The last visit of {escape(actor)}, shared by all who use the console under that name," if actor else "The last visit"


def visit_lines(visit: Visit) -> Iterator[str]:
    """One line for each thing that is new; ready HTML."""
    if visit.jobs:
        yield _line("work_history", _jobs(visit), _tone(any(each.state is JobState.FAILED for each in visit.jobs)))
    if visit.rows_new or visit.rows_changed or visit.rows_removed:
        yield _line("table_rows", f"Rows: {visit.rows_new:,} new, {visit.rows_changed:,} changed, {visit.rows_removed:,} removed")
    for failure in visit.failures:
        word = failure.cause.value.replace("_", " ")
        new = "for the first time" if failure.is_new else "again"
        yield _line("error", f"{plural(failure.count, 'row')} failed {new}: {word}", Tone.BAD)
    if visit.settings:
        titles = ", ".join(SETTINGS[name].title if name in SETTINGS else name for name in visit.settings)
        yield _line("settings", f"Settings changed: {titles}")


def _jobs(visit: Visit) -> str:
    ran: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    for each in visit.jobs:
        ran[OPERATION_WORDS[each.operation]] += each.count
        if each.state is JobState.FAILED:
            failed[OPERATION_WORDS[each.operation]] += each.count
    return "Jobs: " + ", ".join(f"{count:,} × {word}{f' ({failed[word]:,} failed)' if failed[word] else ''}" for word, count in ran.items())


def _tone(is_bad: bool) -> Tone | None:
    return Tone.BAD if is_bad else None


def _line(symbol: str, words: str, tone: Tone | None = None) -> str:
    return f'<li class="{f"sy-ink-{tone}" if tone else ""}">{icon(symbol)} <span>{escape(words)}</span></li>'


@st.cache_data(ttl=60, max_entries=100, show_spinner=False)
def _record_visit(actor: str, newest: str) -> Visit:  # noqa: ARG001  part of the key
    return get_client().record_visit()
