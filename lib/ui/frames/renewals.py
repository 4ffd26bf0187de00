"""Embedding the rows of a part of the map again: what it costs, asked first; what came of it, said where it was asked for."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from html import escape

import streamlit as st

from lib.contract.maps import RenewRequest
from lib.contract.states import EmbedderKind, Operation, WorkerRole
from lib.ui.capacity import find_workers, is_capacity
from lib.ui.dialogs import Question, ask
from lib.ui.format import plural
from lib.ui.gates import gated_button
from lib.ui.live import find_operation, gate_of, latest_index, latest_jobs, latest_workers
from lib.ui.marks import moment
from lib.ui.notices import Notice, start_key
from lib.ui.results import summarize
from lib.ui.session import Params, get_client, now, zone
from lib.ui.widgets import show_active_job

#: For how long the Map says what came of it.
TOLD_FOR = timedelta(hours=12)


def show_renewal(request: RenewRequest, count: int) -> None:
    """The button under the rows of a part."""
    if gated_button("Embed again…", gate_of(Operation.RENEW), key="start_renewal", icon_name="autorenew"):
        _ask(request, count)


def show_renewed() -> None:
    """What runs, or ran last: how many rows it put into the queue, and how many it left alone and why."""
    jobs = latest_jobs()
    active = [job for job in jobs.active if job.operation is Operation.RENEW] if jobs else []
    for job in active:
        show_active_job(job, key="renewing")
    operation = find_operation(Operation.RENEW)
    last = operation.last if operation and not active else None
    if last is None or last.finished_at is None or now() - last.finished_at > TOLD_FOR:
        return
    when = f"{moment(last.finished_at, now=now(), zone=zone())}, asked by {escape(last.requested_by)}"
    link = f'<a href="/?{Params.JOB}={last.job_id}" target="_self">the job</a>'
    st.html(f'<div class="sy-note">Embedding again: {escape(summarize(last))} · {when} · {link}</div>')


def _ask(request: RenewRequest, count: int) -> None:
    """Tier 2: nothing is lost, but it takes the workers' time, and a service may charge for it."""
    rows = plural(count, "row")
    ask(
        Question(
            title=f"Embed {rows} again?",
            body=f"The texts of **{rows}** go to the model once more, though their vectors are known; what comes back takes the place of "
            f"those. {_cost(count)}\n\nSearch goes on with the present vectors until the new ones are there; the index takes them up "
            "by itself, unless its refresh is set to manual. Rows that have left the table or are in the queue already are skipped.",
            reversible="While it waits in the queue a search is as it was. Nobody can bring back a vector that was replaced.",
            verb=f"Embed {rows} again",
            perform=partial(_start, request, rows),
        )
    )


def _cost(count: int) -> str:
    """Time and money, as far as they are known."""
    working = [worker for worker in find_workers(latest_workers(), WorkerRole.EMBEDDING) if is_capacity(worker)]
    index = latest_index()
    model = index.embedder if index else None
    money = (
        "It costs no money: the model runs on this machine."
        if model and model.startswith(EmbedderKind.WORDLLAMA)
        else f"The service may charge for {plural(count, 'row')}; its price is not known here."
    )
    who = f"{plural(len(working), 'worker')} will do it." if working else "No worker takes rows now: they wait until one does."
    return f"{money} {who}"


def _start(request: RenewRequest, rows: str, _: object) -> Notice:
    job_id = get_client().start_renewal(request, start_key(f"renew{request}"))
    return Notice(f"{rows} are put into the queue to be embedded again", f"/?{Params.JOB}={job_id}")
