"""What waits to be embedded, and what failed."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from lib.contract.model import Reading, Request
from lib.contract.shift import ShiftEntry
from lib.contract.states import FailureCause, ItemState

#: cause → (what it means, what to do); the page shows exactly these words.
CAUSES: dict[FailureCause, tuple[str, str]] = {
    FailureCause.EMPTY_TEXT: ("The row has no text to embed.", "Fill its text in the sheet and import again, or discard the row."),
    FailureCause.TEXT_TOO_LONG: (
        "The text is longer than the model takes.",
        "Embed only its beginning, or shorten it in the sheet and import again.",
    ),
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
    eta_seconds: float | None = Field(None, description="until the backlog is empty at the measured pace; null when unknown")
    eta_low_seconds: float | None = Field(None, description="the short end of the likely range")
    eta_high_seconds: float | None = Field(None, description="the long end of it")
    searchable_low_seconds: float | None = Field(None, description="until all of it is searchable: the short end of the likely range")
    searchable_high_seconds: float | None = Field(None, description="the long end of it; null also while the index waits for a person")
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
    annotations: list[ShiftEntry] = Field([], description="what people did and wrote meanwhile, oldest first")
    taken_at: datetime


class Fix(StrEnum):
    """What helps against a cause; the page offers exactly this."""

    SHORTEN = "shorten"  #: embed only the beginning of the text; the entry keeps all of it
    DISCARD = "discard"  #: there is nothing to embed: give up on the rows
    WAIT = "wait"  #: it passes by itself
    SETTINGS = "settings"  #: something in Settings is not right
    RETRY = "retry"  #: try again


FIXES: dict[FailureCause, Fix] = {
    FailureCause.EMPTY_TEXT: Fix.DISCARD,
    FailureCause.TEXT_TOO_LONG: Fix.SHORTEN,
    FailureCause.QUOTA: Fix.WAIT,
    FailureCause.BAD_KEY: Fix.SETTINGS,
    FailureCause.UNREACHABLE: Fix.SETTINGS,
    FailureCause.UNKNOWN_MODEL: Fix.SETTINGS,
    FailureCause.WRONG_DIMENSION: Fix.SETTINGS,
    FailureCause.BAD_VECTOR: Fix.RETRY,
    FailureCause.WORKER_LOST: Fix.RETRY,
    FailureCause.UNEXPECTED: Fix.RETRY,
}

#: A text may be cut to no less than this, and to this when nothing is known of the model's limit.
SHORTEN_MIN, SHORTEN_DEFAULT, SHORTEN_MAX = 10, 8000, 1_000_000


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


class FailureGroup(Reading):
    """All that failed for one cause."""

    cause: FailureCause
    explanation: str
    action: str
    fix: Fix
    count: int
    first_at: datetime | None
    last_at: datetime | None
    shorten_to: int | None = Field(None, description="for the fix shorten: what the model seems to take, in characters")
    samples: list[Failure]


class FailureGroups(Reading):
    """Every cause something failed for, the largest group first."""

    groups: list[FailureGroup]
    taken_at: datetime


class ItemFilter(Request):
    """Which items; what is left out does not narrow."""

    state: ItemState | None = None
    cause: FailureCause | None = None
    import_job_id: str | None = Field(None, max_length=64, description="the import that wrote the row last")
    worker_id: str | None = Field(None, max_length=200, description="the worker that holds or last held it")
    older_than_seconds: int | None = Field(None, ge=1, le=10**9, description="enqueued at least so long ago")
    text: str | None = Field(None, max_length=200, description="contained in key or text")

    @property
    def narrows(self) -> bool:
        """Whether anything but the state is asked for."""
        return any(value is not None for name, value in self.model_dump().items() if name != "state")


class ItemSelection(ItemFilter):
    """Which items to act on: these ids, or all that match, or (with neither) all the action is for."""

    entry_ids: list[int] | None = Field(None, max_length=10_000)


class Item(Reading):
    """One item of the queue."""

    entry_id: int
    key: str
    text: str = Field(description="how its text begins")
    state: ItemState
    cause: FailureCause | None = Field(None, description="of its last attempt that failed")
    raw_error: str | None = None
    attempts: int
    max_attempts: int
    worker_id: str | None
    import_job_id: str
    priority: int
    shorten_to: int | None
    enqueued_at: datetime
    next_try_at: datetime | None = Field(None, description="when a pending one may be claimed; null when at once")
    failed_at: datetime | None


class ItemPage(Reading):
    """Items, newest first. Large counts of a filter stop at ``total`` and say so."""

    items: list[Item]
    total: int
    total_is_least: bool = False
    next_cursor: str | None = None
    taken_at: datetime


class ItemAction(StrEnum):
    """What can be done with many items at once."""

    RETRY = "retry"  #: the failed wait again with fresh attempts; discarded ones only when they are asked for
    DISCARD = "discard"  #: give up on the failed; their entries stay in the table and are not searchable
    PUT_FIRST = "put_first"  #: pending ones are embedded before others
    PUT_BACK = "put_back"  #: they are not


class RequeueRequest(Request):
    """Do one thing with every item of a selection, as a job. With ``canary``, first with one, then ten, then the rest, and
    no further when one of them fails again.
    """

    action: ItemAction = ItemAction.RETRY
    selection: ItemSelection = ItemSelection()
    shorten_to: int | None = Field(None, ge=SHORTEN_MIN, le=SHORTEN_MAX, description="embed only so many characters of each text")
    canary: bool = False


class FailureReport(Reading):
    """What was done with a selection. One too large to be done at once goes on as ``job_id``, whose result says the same."""

    done: int
    skipped: int = Field(description="named, but no longer in that state")
    job_id: str | None = None
