"""The shift log: what people write down, and what they did to the pipeline, pinned to its time."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field, field_validator

from lib.contract.model import Reading, Request
from lib.contract.states import ShiftKind

MAX_NOTE = 500


class ShiftEntry(Reading):
    """One thing worth knowing for whoever comes next."""

    entry_id: int
    at: datetime = Field(description="the time it is pinned to")
    kind: ShiftKind
    actor: str
    text: str
    job_id: str | None = Field(None, description="the job it is about")


class ShiftReading(Reading):
    """The shift log of the last days, newest first."""

    entries: list[ShiftEntry]
    taken_at: datetime


class NoteRequest(Request):
    """Write something down. ``at``: when it happened; now, unless said otherwise."""

    text: str = Field(min_length=1, max_length=MAX_NOTE, pattern=r"\S")
    at: datetime | None = None

    @field_validator("at")
    @classmethod
    def _need_a_zone(cls, at: datetime | None) -> datetime | None:
        if at is not None and at.tzinfo is None:
            raise ValueError("a time needs its zone")
        return at
