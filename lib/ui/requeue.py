"""Retry, discard, put first: the same words and ways for a few rows, a group, or everything that matches."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import streamlit as st

from lib.contract.queue import FailureReport, ItemSelection, RequeueRequest
from lib.ui.acts import last_act, note_act
from lib.ui.dialogs import Question, ask
from lib.ui.format import plural
from lib.ui.notices import Notice, attempt, notify, start_key
from lib.ui.session import Params, get_client

_LIST = "items"


def acted() -> str:
    """Another one after everything done here, so that lists are read anew exactly then."""
    return last_act(_LIST)


def note_acted() -> None:
    """Something was done: no row is selected any more."""
    st.session_state["item_ids"] = []
    note_act(_LIST)


def describe(verb: str, report: FailureReport) -> Notice:
    """What came of it; many rows go on as a job."""
    if report.job_id:
        return Notice(f"{verb}: so many rows that a job does it", f"/?{Params.JOB}={report.job_id}")
    skipped = f"; {report.skipped:,} skipped, no longer failed" if report.skipped else ""
    return Notice(f"{verb}: {plural(report.done, 'row')}{skipped}")


def act(call: Callable[[ItemSelection], FailureReport], selection: ItemSelection, verb: str, failing: str) -> None:
    """Safe to repeat and reversible by nature, so it is not asked about."""
    report = attempt(lambda: call(selection), failing=failing)
    if report is not None:
        note_acted()
        said = describe(verb, report)
        notify(said.text, link=said.link)
    st.rerun()


def retry(selection: ItemSelection) -> None:
    """Let them wait again."""
    act(get_client().retry_failures, selection, "Back in the queue", "Nothing was retried")


def put_first(selection: ItemSelection) -> None:
    """Embed them before others."""
    act(get_client().put_items_first, selection, "Put first", "Nothing was put first")


def put_back(selection: ItemSelection) -> None:
    """Take that wish back."""
    act(get_client().put_items_back, selection, "Back in line", "Nothing was put back in line")


def start_requeue(request: RequeueRequest, what: str) -> None:
    """Start the job that does it, canaries first if the request says so."""
    job_id = attempt(lambda: get_client().start_requeue(request, start_key(f"requeue{request}")), failing=f"{what}: not started")
    if job_id is not None:
        note_acted()
        notify(f"{what}: started", link=f"/?{Params.JOB}={job_id}")
    st.rerun()


def ask_discard(selection: ItemSelection, count: str, ids: list[int]) -> None:
    """Tier 2. ``ids`` are the rows meant, when all of them are known: undo names them."""
    ask(
        Question(
            title=f"Discard {count}?",
            body=f"Switchyard gives up on **{count}**: they leave this list and stay in the table. Those that were never embedded are "
            "found by no search; those that were go on being found by what was embedded last.",
            reversible=("“Undo” puts them back into the queue. " if ids else "")
            + "They also come back when they are retried under Discarded, or when their text changes in the sheet and is imported again.",
            verb=f"Discard {count}",
            perform=partial(_discard, selection, ids),
        )
    )


def _discard(selection: ItemSelection, ids: list[int], _: object) -> Notice:
    said = describe("Discarded", get_client().discard_failures(selection))
    note_acted()
    return Notice(said.text, said.link, undo=partial(_undiscard, ids) if ids and not said.link else None)


def _undiscard(ids: list[int]) -> str:
    report = get_client().retry_failures(ItemSelection(entry_ids=ids))
    note_acted()
    return describe("Back in the queue", report).text
