"""What a worker wrote around the moment a row failed in its hands, behind a fold."""

from __future__ import annotations

from datetime import datetime
from html import escape

import streamlit as st

from lib.client.errors import ClientError
from lib.contract.workers import WorkerLog
from lib.ui.format import format_clock
from lib.ui.live import last_known
from lib.ui.notices import describe_error, show_trouble
from lib.ui.session import get_client, zone
from lib.ui.widgets import show_unknown


def show_worker_log(worker_id: str, at: datetime) -> None:
    """The excerpt, oldest line first, or why there is none."""
    with st.expander(f"What {worker_id} wrote around {format_clock(at, zone())}", icon=":material/description:"):
        try:
            log = last_known(f"worker_log_{worker_id}_{at}", lambda: _get_log(worker_id, at))
        except ClientError as error:
            show_trouble(describe_error(error, "The log cannot be read"))
            return
        if log is None:
            show_unknown("The worker's log")
        elif log.why_missing:
            st.html(f'<span class="sy-note">{escape(log.why_missing)}</span>')
        else:
            lines = (f"{format_clock(line.at, zone())} {line.level:<7} {line.message}" for line in log.lines)
            st.html(f'<pre class="sy-log" tabindex="0">{escape(chr(10).join(lines))}</pre>')


@st.cache_data(ttl=60, max_entries=50, show_spinner=False)
def _get_log(worker_id: str, at: datetime) -> WorkerLog:
    return get_client().get_worker_log(worker_id, at)
