"""Go back: the generation before, served again at once; and forward again by Undo."""

from __future__ import annotations

from functools import partial

import streamlit as st

from lib.client.errors import ClientError
from lib.contract.inspections import GoBackReading, GoBackRequest
from lib.contract.operations import Reason
from lib.ui.gates import gated_button
from lib.ui.live import connection_gate, last_known, latest_index, live_block, newest_jobs
from lib.ui.notices import attempt, describe_error, notify, show_trouble
from lib.ui.session import get_client

_COMES_OF_IT = (
    "The earlier generation is served again at once, and <b>stays served until somebody presses Refresh or Rebuild</b>; "
    "the table is not changed by it."
)


@st.fragment(key="go_back")
def show_go_back() -> None:
    """One button, where there is something to go back to."""
    with live_block("go_back"):
        served = latest_index()
        try:
            turn = f"{newest_jobs()}{served.generation if served else ''}"
            reading = last_known("go_back", partial(_get_go_back, turn))
        except ClientError as error:
            show_trouble(describe_error(error, "It is not known whether one can go back"))
            return
        if reading is None or reading.served is None or reading.gate.reason_code is Reason.NO_EARLIER_GENERATION:
            return
        gate = connection_gate()
        label = f"Go back to generation {reading.previous}"
        if gated_button(label, reading.gate if gate.allowed else gate, key="go_back_button", icon_name="history"):
            _go(reading)
        st.html(f'<span class="sy-note">{_COMES_OF_IT}</span>')


def _go(reading: GoBackReading) -> None:
    """Tier 1: done at once, and taken back at once."""
    before, to = reading.served, reading.previous
    said = attempt(partial(_serve, to, before), failing=f"Generation {before} is still served")
    if said is not None:
        notify(said, undo=partial(_serve, before, to))
    st.rerun()


def _serve(generation: int | None, expected: int | None) -> str:
    answer = get_client().go_back(GoBackRequest(generation=generation, expected=expected))
    return f"Generation {answer.served} is served again, in place of {expected}"


@st.cache_data(ttl=30, max_entries=4, show_spinner=False)
def _get_go_back(turn: str) -> GoBackReading:  # noqa: ARG001  part of the key
    return get_client().get_go_back()
