"""What waits to be embedded, and what failed."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from lib.contract.model import Reading, Request
from lib.contract.states import FailureCause

#: cause → (what it means, what to do); the page shows exactly these words.
CAUSES: dict[FailureCause, tuple[str, str]] = {
    FailureCause.EMPTY_TEXT: ("The row has no text to embed.", "Fill its text in the sheet and import again."),
    FailureCause.TEXT_TOO_LONG: ("The text is longer than the model takes.", "Shorten it in the sheet and import again."),
    FailureCause.QUOTA: ("The embedding service asked to slow down.", "Wait, then retry."),
    FailureCause.BAD_KEY: ("The embedding service refused the key.", "Check the key in Settings, then retry."),
    FailureCause.UNREACHABLE: ("The embedding service did not answer.", "Check the address and the network, then retry."),
    FailureCause.UNKNOWN_MODEL: (
        "The embedding service knows no such model or address.",
        "Check address and model in Settings, then retry.",
    ),
    FailureCause.WRONG_DIMENSION: (
        "The vectors have another dimension than the index.",
        "Check model and dimension in Settings, then retry.",
    ),
    FailureCause.BAD_VECTOR: ("The model answered with something that is not a usable vector.", "Check the model, then retry."),
    FailureCause.WORKER_LOST: ("Its worker stopped in the middle, several times.", "Retry; if it happens again, look at this row's text."),
    FailureCause.UNEXPECTED: ("Something nobody foresaw went wrong.", "Read the raw error, then retry."),
}


class QueueReading(Reading):
    """The queue at one moment. Null means unknown or not applicable, never zero."""

    entries: int = Field(description="entries in the table")
    pending: int
    leased: int
    failed: int
    discarded: int = 0
    embedded: int = Field(description="entries whose vector is current")
    lag_seconds: float | None = Field(None, description="age of the oldest pending item; null when none waits")
    arrival_per_second: float | None = Field(None, description="items enqueued, mean of the last minute")
    completion_per_second: float | None = Field(None, description="items embedded, mean of the last minute")
    eta_seconds: float | None = Field(None, description="until the backlog is empty at the present rate; null when unknown")
    taken_at: datetime

    @property
    def backlog(self) -> int:
        """How many items wait or are being worked on."""
        return self.pending + self.leased


class Window(StrEnum):
    """How far a chart looks back."""

    M15 = "15m"
    H1 = "1h"
    H24 = "24h"
    D7 = "7d"


class QueuePoint(Reading):
    """One sample of the queue. Rates are per second over the sample's span."""

    at: datetime
    pending: int
    leased: int
    failed: int
    arrival_per_second: float | None
    completion_per_second: float | None


class QueueHistory(Reading):
    """Samples of a window, oldest first. Where nothing was sampled there is no point: gaps stay gaps."""

    window: Window
    step_seconds: float
    points: list[QueuePoint]
    taken_at: datetime


class Failure(Reading):
    """One item that could not be embedded."""

    entry_id: int
    key: str
    cause: FailureCause
    explanation: str
    action: str
    raw_error: str
    attempts: int
    max_attempts: int
    worker_id: str | None
    failed_at: datetime


class FailurePage(Reading):
    """Failures, newest first."""

    items: list[Failure]
    total: int
    next_cursor: str | None = None
    taken_at: datetime


class FailureSelection(Request):
    """Which failures: these ids, or every one of a cause, or (with neither) all of them."""

    entry_ids: list[int] | None = Field(None, max_length=10_000)
    cause: FailureCause | None = None


class FailureReport(Reading):
    """What a retry or discard did."""

    done: int
    skipped: int = Field(description="named, but no longer failed")
