"""The processes that do the work."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from lib.contract.jobs import LogLine
from lib.contract.model import Reading, Request
from lib.contract.states import Actual, Desired, FailureCause, WorkerRole

#: Seconds between two heartbeats; a worker is stale after three of them without a word.
HEARTBEAT_SECONDS = 2.0
STALE_AFTER_SECONDS = 3 * HEARTBEAT_SECONDS
#: One machine runs this many embedding workers at most.
MAX_CREW = 16


class Hold(Reading):
    """A job makes embedding workers stand still; it ends with the job, and leaves people's wishes as they were."""

    job_id: str
    operation: str
    reason: str
    since: datetime


class Worker(Reading):
    """One worker: what people want of it, what it last said it does, and when."""

    worker_id: str
    role: WorkerRole
    host: str
    pid: int | None
    desired: Desired
    actual: Actual
    stale: bool = Field(description="its last word is older than three heartbeats: not counted as capacity")
    desired_by: str | None = None
    desired_reason: str | None = None
    desired_since: datetime | None = None
    held_by: Hold | None = Field(None, description="a job that needs the workers to stand still for a moment; people's wishes stay")
    doing: str | None = Field(None, description="what it has in hand, in words")
    doing_since: datetime | None = None
    holding: int = Field(0, description="rows of the batch in hand")
    batch_ends_at: datetime | None = Field(None, description="when the batch in hand is probably done, by this worker's own pace")
    drain_ends_at: datetime | None = Field(None, description="a drain's deadline: what is not finished then goes back to the queue")
    embedder: str | None = None
    processed: int = 0
    failed: int = 0
    rate_per_second: float | None = Field(None, description="items embedded, mean of its last minute")
    worked_at: datetime | None = Field(None, description="until when it was last seen to work, to half a minute; null is never")
    rate_15m_per_second: float | None = Field(None, description="the same over the 15 minutes before that, or as much of them as is known")
    recent_rates: list[float | None] = Field([], description="items per second over those 15 minutes, oldest first; null is a gap")
    last_failure_cause: FailureCause | None = None
    last_failure_at: datetime | None = None
    started_at: datetime | None = None
    heartbeat_at: datetime | None = None


class WorkerLog(Reading):
    """What a worker wrote around a moment, oldest line first."""

    worker_id: str
    at: datetime
    lines: list[LogLine]
    why_missing: str | None = Field(None, description="when there is no line: why")
    taken_at: datetime


class Crew(Reading):
    """How many embedding workers the service on one machine keeps running."""

    host: str
    embedding: int
    changed_by: str | None = Field(None, description="null while it is what SWITCHYARD_WORKERS said")
    changed_at: datetime | None = None


class WorkersReading(Reading):
    """All workers at one moment, in the order of their names."""

    workers: list[Worker]
    crews: list[Crew] = []
    taken_at: datetime


class WorkerWish(Request):
    """Why somebody pauses, resumes or drains one worker; shown wherever the effect is felt."""

    reason: str = Field("", max_length=200)
    expected: Desired | None = Field(None, description="what the person saw it was; 409 when it has changed since")


DeadlineSeconds = Annotated[
    int | None, Field(ge=5, le=24 * 3600, description="after so many seconds what is not finished goes back to the queue")
]


class DrainWish(WorkerWish):
    """A drain may have a deadline."""

    deadline_seconds: DeadlineSeconds = None


class WorkersWish(Request):
    """The same for several: those named, or every embedding worker."""

    reason: str = Field("", max_length=200)
    worker_ids: list[str] | None = Field(None, min_length=1, max_length=200)
    expected: dict[str, Desired] | None = Field(
        None, description="worker → what the person saw it was; 409 when one has changed since, or there are others"
    )


class DrainWorkersWish(WorkersWish):
    """A drain may have a deadline."""

    deadline_seconds: DeadlineSeconds = None


class ScaleRequest(Request):
    """How many embedding workers this machine is to run. What is removed is drained first."""

    embedding: int = Field(ge=0, le=MAX_CREW)
    expected: int | None = Field(None, description="what the person saw; 409 when it has changed since")


class Forecast(Reading):
    """How long the backlog would take with so many workers and such batches; null is unknown."""

    workers: int
    batch_size: int
    backlog: int
    low_seconds: float | None
    likely_seconds: float | None
    high_seconds: float | None
    batch_seconds: float | None = Field(None, description="how long one batch takes: a pause waits for it at most")
    why_unknown: str | None = None
    taken_at: datetime
