"""Where is my row? Everything that is known of one entry on its road from the sheet to the index and out again."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from lib.contract.model import Reading
from lib.contract.states import FailureCause


class EventKind(StrEnum):
    """What the trail of an item keeps."""

    ATTEMPT_FAILED = "attempt_failed"  #: a worker tried and could not; it is tried again
    FAILED = "failed"  #: a worker tried and could not, and it is not tried again by itself
    LAPSED = "lapsed"  #: the worker that held it fell silent
    RETRIED = "retried"  #: a person let it wait again
    DISCARDED = "discarded"  #: a person gave up on it
    PUT_FIRST = "put_first"  #: a person wanted it embedded before others
    PUT_BACK = "put_back"  #: a person took that wish back
    RENEWED = "renewed"  #: a person wanted it embedded again


class Station(StrEnum):
    """Where on the road something happened."""

    SOURCE = "source"
    TABLE = "table"
    QUEUE = "queue"
    VECTOR = "vector"
    INDEX = "index"
    EXPORT = "export"


class TraceEvent(Reading):
    """One thing that happened, or, when ``gap``, one that must have and of which nothing is kept."""

    station: Station
    at: datetime | None = None
    text: str
    actor: str | None = None
    job_id: str | None = None
    cause: FailureCause | None = None
    raw_error: str | None = None
    gap: bool = False


class Turn(Reading):
    """When a row that waits will be done, as far as that is known: ranges in seconds from now, null while too little is known."""

    ahead: int = Field(description="rows that are embedded before it, those in a worker's hands included")
    embedded_low_seconds: float | None = None
    embedded_high_seconds: float | None = None
    searchable_low_seconds: float | None = None
    searchable_high_seconds: float | None = None


class EntryTrace(Reading):
    """The whole road of one entry, oldest event first."""

    entry_id: int
    key: str
    text: str
    where: str
    """Where it is now, in one sentence."""
    searchable_since: datetime | None = None
    turn: Turn | None = Field(None, description="null for a row that waits for nothing")
    events: list[TraceEvent]
    taken_at: datetime


class TraceMatch(Reading):
    """An entry that a search for a row found."""

    entry_id: int
    key: str
    text: str
    removed: bool = False


class TraceMatches(Reading):
    """Entries whose key is or begins with what was asked for, then those that contain it; ``more`` when not all are listed."""

    items: list[TraceMatch]
    more: bool = False
    taken_at: datetime
