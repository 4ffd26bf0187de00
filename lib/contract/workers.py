"""The processes that do the work."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from lib.contract.model import Reading, Request
from lib.contract.states import Actual, Desired, WorkerRole

#: Seconds between two heartbeats; a worker is stale after three of them without a word.
HEARTBEAT_SECONDS = 2.0
STALE_AFTER_SECONDS = 3 * HEARTBEAT_SECONDS


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
    embedder: str | None = None
    processed: int = 0
    failed: int = 0
    rate_per_second: float | None = Field(None, description="items embedded, mean of its last minute")
    started_at: datetime | None = None
    heartbeat_at: datetime | None = None


class WorkersReading(Reading):
    """All workers at one moment, in the order of their names."""

    workers: list[Worker]
    taken_at: datetime


class WorkerWish(Request):
    """Why somebody pauses, resumes or drains; shown wherever the effect is felt."""

    reason: str = Field("", max_length=200)
    expected: Desired | None = Field(None, description="what the person saw it was; 409 when it has changed since")
