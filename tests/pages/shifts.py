"""Canned readings of the shift log and of what other numbers of workers would do."""

from __future__ import annotations

from lib.contract.shift import ShiftEntry, ShiftReading
from lib.contract.states import ShiftKind
from lib.contract.workers import Forecast
from tests.pages.canned import JOB_ID, ago, now


def shift() -> ShiftReading:
    entries = [
        ShiftEntry(entry_id=3, at=ago(minutes=4), kind=ShiftKind.NOTE, actor="Maria", text="The <b>disk</b> is new"),
        ShiftEntry(entry_id=2, at=ago(minutes=6), kind=ShiftKind.PAUSE, actor="Maria", text="Paused 2 workers: disk is being replaced"),
        ShiftEntry(
            entry_id=1, at=ago(hours=1), kind=ShiftKind.IMPORT, actor="local admin", text="Imported playbook.csv: 148 new", job_id=JOB_ID
        ),
    ]
    return ShiftReading(entries=entries, taken_at=now())


def forecast(workers: int | None, batch_size: int | None) -> Forecast:
    count, size = workers or 2, batch_size or 1024
    return Forecast(
        workers=count,
        batch_size=size,
        backlog=40_152,
        low_seconds=120 / count,
        likely_seconds=180 / count,
        high_seconds=260 / count,
        batch_seconds=size / 1000,
        taken_at=now(),
    )
