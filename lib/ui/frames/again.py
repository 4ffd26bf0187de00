"""An ended job once more: the same operation with the same inputs, through the same gate as ever."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from lib.client.api import Client
from lib.contract.exports import ExportRequest
from lib.contract.jobs import Job
from lib.contract.maps import MapRequest
from lib.contract.operations import SnapshotRequest
from lib.contract.states import Operation
from lib.ui.gates import gated_button
from lib.ui.live import gate_of
from lib.ui.marks import OPERATION_WORDS
from lib.ui.notices import attempt, notify, start_key
from lib.ui.session import Params, get_client

_Start = Callable[[Client, dict[str, Any], str], str]

#: What can be started from its inputs alone. What follows a plan, a report or a choice begins where that is made anew.
STARTS: dict[Operation, _Start] = {
    Operation.EXPORT: lambda client, inputs, key: client.start_export(ExportRequest.model_validate(inputs), key),
    Operation.REFRESH: lambda client, _, key: client.start_refresh(key),
    Operation.REBUILD: lambda client, _, key: client.start_rebuild(key),
    Operation.SNAPSHOT: lambda client, inputs, key: client.start_snapshot(SnapshotRequest.model_validate(inputs), key),
    Operation.CHECK: lambda client, _, key: client.start_check(key),
    Operation.MAP: lambda client, inputs, key: client.start_map(MapRequest.model_validate(inputs), key),
}


def can_start_again(job: Job) -> bool:
    """Whether the job has ended, and its inputs are all it needs."""
    return not job.is_active and job.operation in STARTS and not job.arguments.get("plan_id")


def show_again(job: Job) -> None:
    """The button, and why it is off."""
    if not can_start_again(job):
        return
    word = OPERATION_WORDS[job.operation]
    hint = "The same inputs; the table, the queue and the index as they are now"
    if gated_button("Start it again", gate_of(job.operation), key="start_again", icon_name="replay", help_text=hint):
        start = STARTS[job.operation]
        job_id = attempt(
            lambda: start(get_client(), job.arguments, start_key(f"again-{job.job_id}")), failing=f"{word}: it was not started again"
        )
        if job_id is not None:
            notify(f"{word}: started again", link=f"/?{Params.JOB}={job_id}")
        st.rerun()
