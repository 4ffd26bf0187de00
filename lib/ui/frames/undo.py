"""Undo import: what it would do, row by row, and what it did."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from html import escape
from urllib.parse import quote

import streamlit as st

from lib.client.errors import ClientError
from lib.contract.imports import UndoReport, UndoRow
from lib.contract.jobs import Job
from lib.contract.operations import EmptyRequest, Gate, Reason
from lib.contract.states import JobState, Operation, UndoOutcome
from lib.ui.dialogs import Question, ask
from lib.ui.format import format_count, format_duration, format_moment, plural
from lib.ui.gates import WhenFree, gated_button
from lib.ui.live import gate_of, last_known, newest_jobs
from lib.ui.marks import CHANGE_MARKS, UNDO_MARKS, Column, Tile, Tone, badge, box, icon, table, tiles
from lib.ui.notices import Notice, attempt, describe_error, show_trouble, start_key
from lib.ui.results import count_of, text_of
from lib.ui.session import Params, get_client, go_to, now, zone
from lib.ui.widgets import show_paging

ROWS = 50
#: How many kept rows are listed before “and N more”.
KEPT_ROWS = 50


def show_undo(job: Job, *, key: str) -> None:
    """Under an import that was applied: take it back, how long that can still be done; or who took it back."""
    if job.state is not JobState.SUCCEEDED:
        return
    try:
        report = last_known(f"undo_{job.job_id}", partial(_get_undo, job.job_id, 1, None, newest_jobs()))
    except ClientError as error:
        show_trouble(describe_error(error, "It cannot be said whether this import can be undone"))
        return
    if report is None:
        return
    if report.undone_by_job:
        _show_undone_by(report.undone_by_job)
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"undo_{key}"):
        when_free = WhenFree(Operation.UNDO, EmptyRequest(), job.job_id)
        if gated_button("Undo this import", _gate(report), key=f"undo_import_{key}", icon_name="undo", when_free=when_free):
            _ask_undo(job)
        if report.gate.reason_code is not Reason.NOT_UNDOABLE:
            st.html(_time_left(report), width="content")


def _gate(report: UndoReport) -> Gate:
    """The service's word on this import; what runs right now is known sooner from the feed."""
    gate = gate_of(Operation.UNDO)
    return gate if not gate.allowed else report.gate


def _time_left(report: UndoReport) -> str:
    if report.expires_at is None:
        return ""
    left = format_duration((report.expires_at - now()).total_seconds())
    return f'<span class="sy-note" title="until {format_moment(report.expires_at, zone())}">can be undone for another {left}</span>'


def _show_undone_by(undo_job: str) -> None:
    link = f'<a href="/Import?{Params.JOB}={quote(undo_job)}" target="_self">what the undo did with each row</a>'
    st.html(box(Tone.HELD, f"{icon('undo')} This import was undone", f"See {link}."))


def _ask_undo(job: Job) -> None:
    """Tier 2: the counts and the rows that would be kept are read first, afresh."""
    kept = partial(get_client().get_undo, job.job_id, KEPT_ROWS, outcome=UndoOutcome.KEPT)
    report = attempt(kept, failing="What an undo would do could not be read")
    if report is None:
        st.rerun()
    counts = report.counts
    name = text_of(job, "source_name") or f"job {job.job_id[:8]}"
    ask(
        Question(
            title=f"Undo the import of {name}?",
            body=f"**{plural(counts.get(UndoOutcome.REVERSED, 0), 'row')}** will be as before this import. "
            f"**{format_count(counts.get(UndoOutcome.KEPT, 0))}** will be kept as they are, because they were changed since. "
            "Their vectors are known already: nothing is embedded anew.",
            show=partial(_show_kept, report.rows, counts.get(UndoOutcome.KEPT, 0)),
            reversible="To have the rows back, import the sheet again. A safety snapshot of the index is taken first.",
            verb="Undo import",
            perform=partial(_start_undo, job.job_id),
        )
    )


def _start_undo(job_id: str, _: object) -> Notice:
    undo_job = get_client().start_undo(job_id, start_key(f"undo-{job_id}"))
    go_to(job=undo_job)
    return Notice("Undo of the import started")


def _show_kept(rows: Sequence[UndoRow], kept: int) -> None:
    if rows:
        more = f' <span class="sy-note">and {kept - len(rows):,} more</span>' if kept > len(rows) else ""
        st.html(f"<b>Kept as they are</b>{more}" + undo_table(rows, caption="Rows kept as they are", short=True))


def show_undone(job: Job) -> None:
    """Under the job of an undo: how many rows ended how, each of them, and the import it took back."""
    import_job = text_of(job, "import_job_id")
    if import_job is None:
        return
    link = f'<a href="/Import?{Params.JOB}={quote(import_job)}" target="_self">import {escape(import_job[:8])}</a>'
    st.html(f"<div>{icon('undo')} Takes back {link}.</div>")
    if job.state is not JobState.SUCCEEDED:
        return
    notes = {"reversed": "as before the import", "kept": "changed since, left alone", "failed": "could not be put back"}
    st.html(
        tiles(
            [
                Tile(label=UNDO_MARKS[each].word.capitalize(), value=format_count(count_of(job, each) or 0), note=notes[each])
                for each in UndoOutcome
            ]
            + [Tile(label="To embed", value=format_count(count_of(job, "to_embed")), note="vectors that were not known")]
        )
    )
    kept = count_of(job, UndoOutcome.KEPT) or 0
    if kept:
        try:
            report = last_known(f"kept_{import_job}", partial(_get_undo, import_job, KEPT_ROWS, None, newest_jobs(), UndoOutcome.KEPT))
            _show_kept(report.rows if report else [], kept)
        except ClientError as error:
            show_trouble(describe_error(error, "The rows that were kept cannot be listed"))
    with st.expander("Every row of the import"):
        _show_rows(import_job)


def _show_rows(import_job: str) -> None:
    cursors: list[str | None] = st.session_state.setdefault(f"undo_cursors_{import_job}", [None])
    try:
        report = last_known(f"undone_{import_job}_{cursors[-1]}", partial(_get_undo, import_job, ROWS, cursors[-1], newest_jobs()))
    except ClientError as error:
        show_trouble(describe_error(error, "The rows of this undo cannot be listed"))
        return
    if report is None or not report.rows:
        return
    st.html(undo_table(report.rows, caption="What the undo did with each row"))
    total, first = sum(report.counts.values()), (len(cursors) - 1) * ROWS + 1
    words = f"Rows {first:,}–{first + len(report.rows) - 1:,} of {total:,}"
    show_paging(cursors, report.next_cursor, key="undo", back="Previous rows", on="Next rows", words=words)


_COLUMNS = (Column(title="Key"), Column(title="The import had"), Column(title="Undo"), Column(title="Why", wide=True))


def undo_table(rows: Sequence[UndoRow], *, caption: str, short: bool = False) -> str:
    """Rows with what the import did, what the undo does, and why; ``short`` leaves out the last two, where all are kept."""
    cells = [
        (f'<b class="sy-wrap">{escape(row.key)}</b>', badge(CHANGE_MARKS[row.change]), badge(UNDO_MARKS[row.outcome]), escape(row.detail))
        for row in rows
    ]
    if short:
        return table((*_COLUMNS[:2], Column(title="", wide=True)), [(*each[:2], "") for each in cells], caption=caption)
    return table(_COLUMNS, cells, caption=caption)


@st.cache_data(ttl=30, max_entries=100, show_spinner=False)
def _get_undo(job_id: str, limit: int, cursor: str | None, newest: str, outcome: UndoOutcome | None = None) -> UndoReport:  # noqa: ARG001
    """``newest`` is part of the key: what it would do is asked anew whenever a job has started or ended."""
    return get_client().get_undo(job_id, limit, cursor, outcome)
