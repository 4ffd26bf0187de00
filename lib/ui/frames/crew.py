"""The crew: how many embedding workers this machine runs and how large their batches are, with what a change does to the time left."""

from __future__ import annotations

from functools import partial

import streamlit as st

from lib.client.errors import ClientError
from lib.contract.settings import SETTINGS
from lib.contract.states import Desired, WorkerRole
from lib.contract.workers import MAX_CREW, Crew, Forecast, WorkersReading
from lib.ui.capacity import find_workers
from lib.ui.dialogs import Question, ask
from lib.ui.eta import format_range
from lib.ui.format import format_duration, plural
from lib.ui.gates import gated_button
from lib.ui.live import connection_gate, last_known, latest_settings, latest_workers, live_block
from lib.ui.notices import attempt, notify
from lib.ui.session import get_client
from lib.ui.widgets import show_heading

BATCH_SIZE = "embedding.batch_size"


@st.fragment(key="crew")
def show_crew() -> None:
    """Two numbers one may change, and beside them what would come of it."""
    with live_block("crew"):
        reading, settings = latest_workers(), latest_settings()
        if reading is None or settings is None or not reading.crews:
            return
        show_heading("How many, how large", note="what a change would do is measured, not promised")
        crew, batch_size = reading.crews[0], int(settings.value_of(BATCH_SIZE))
        left, right, words = st.columns([1, 1, 2.4], gap="medium", vertical_alignment="top")
        with left:
            count = _ask_count(crew, reading)
        with right:
            size = _ask_size(batch_size)
        with words:
            _show_outlook(crew, count, batch_size, size)


def _ask_count(crew: Crew, reading: WorkersReading) -> int:
    count = st.number_input(
        f"Embedding workers on {crew.host}", 0, MAX_CREW, crew.embedding, key=f"crew_count_{crew.embedding}", help=f"0 to {MAX_CREW}"
    )
    if count != crew.embedding:
        more = count > crew.embedding
        label = f"{'Add' if more else 'Remove'} {plural(abs(count - crew.embedding), 'worker')}"
        if gated_button(label, connection_gate(), key="scale", primary=True, icon_name="group_add" if more else "group_remove"):
            _scale(crew, int(count), reading) if not more else _add(crew, int(count))
    return int(count)


def _add(crew: Crew, count: int) -> None:
    """Tier 1: more hands hurt nobody."""
    if attempt(lambda: get_client().scale_workers(count, crew.embedding), failing="No worker was added"):
        notify(
            f"{plural(count, 'embedding worker')} from now on; new ones start within seconds",
            undo=partial(_scale_back, count, crew.embedding),
        )
    st.rerun()


def _scale(crew: Crew, count: int, reading: WorkersReading) -> None:
    """Tier 2: those that go finish what they hold first."""
    gone = crew.embedding - count
    holding = sum(worker.holding for worker in find_workers(reading, WorkerRole.EMBEDDING) if worker.desired is Desired.RUNNING)
    busy = f"Together the workers hold **{plural(holding, 'row')}** right now. " if holding else ""
    rest = f"{plural(count, 'worker')} go on." if count else "**Nothing is embedded any more** until somebody adds one."
    ask(
        Question(
            title=f"Remove {plural(gone, 'embedding worker')}?",
            body=f"{busy}Those that go finish what they hold and then end. {rest} This survives a restart.",
            reversible="Adding them again undoes it at any time.",
            verb=f"Remove {plural(gone, 'worker')}",
            perform=partial(_remove, crew.embedding, count),
        )
    )


def _remove(before: int, count: int, _: object) -> str:
    get_client().scale_workers(count, before)
    return f"{plural(count, 'embedding worker')} from now on; those too many finish what they hold"


def _scale_back(now_is: int, was: int) -> str:
    get_client().scale_workers(was, now_is)
    return f"{plural(was, 'embedding worker')} again"


def _ask_size(batch_size: int) -> int:
    setting = SETTINGS[BATCH_SIZE]
    size = st.number_input(
        "Rows in a batch", setting.minimum, setting.maximum, batch_size, step=64, key=f"crew_size_{batch_size}", help=setting.help
    )
    if size != batch_size and gated_button(f"Take {int(size):,} rows", connection_gate(), key="resize", primary=True):
        if attempt(lambda: get_client().put_setting(BATCH_SIZE, int(size), batch_size), failing="The batch size was not changed"):
            notify(f"Batches of {int(size):,} rows from the next claim on", undo=partial(_resize_back, int(size), batch_size))
        st.rerun()
    return int(size)


def _resize_back(now_is: int, was: int) -> str:
    get_client().put_setting(BATCH_SIZE, was, now_is)
    return f"Batches of {was:,} rows again"


def _show_outlook(crew: Crew, count: int, batch_size: int, size: int) -> None:
    """The time left as things are, and as they would be."""
    lines = []
    try:
        present = last_known("forecast", partial(_get_forecast, None, None))
        changed = (count, size) != (crew.embedding, batch_size)
        then = last_known(f"forecast_{count}_{size}", partial(_get_forecast, count, size)) if changed else None
    except ClientError:
        return  # the numbers can be changed without it
    if present:
        lines.append(f"As it is: {_outlook(present)}")
    if then:
        lines.append(f"With {plural(count, 'worker')} and batches of {size:,}: {_outlook(then)}")
    at = then or present
    if at and at.batch_seconds is not None:
        lines.append(f"One batch of {at.batch_size:,} takes about {format_duration(at.batch_seconds)}: so long a pause waits at most.")
    st.html('<div class="sy-note">' + "<br>".join(lines) + "</div>")


def _outlook(forecast: Forecast) -> str:
    if forecast.low_seconds is None or forecast.high_seconds is None:
        return forecast.why_unknown or "time left unknown."
    return f"{plural(forecast.backlog, 'row')} in {format_range(forecast.low_seconds, forecast.high_seconds)}."


@st.cache_data(ttl=3, max_entries=32, show_spinner=False)
def _get_forecast(workers: int | None, batch_size: int | None) -> Forecast:
    return get_client().get_forecast(workers, batch_size)
