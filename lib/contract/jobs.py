"""One durable request to perform an operation."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from lib.contract.model import Reading
from lib.contract.states import ACTIVE_JOB_STATES, JobState, Operation


class Progress(Reading):
    """How far a job is. ``total`` and ``eta_seconds`` are null while unknown; they are never invented."""

    phase: str
    done: int = 0
    total: int | None = None
    rate_per_second: float | None = None
    eta_seconds: float | None = None
    updated_at: datetime | None = None


class JobError(Reading):
    """Why a job failed: a stable code, what happened, what to do."""

    code: str
    detail: str
    action: str = ""


class Job(Reading):
    """The public record of one request to perform an operation."""

    job_id: str
    operation: Operation
    state: JobState
    cancel_requested: bool = False
    progress: Progress | None = None
    requested_by: str
    arguments: dict[str, Any] = {}
    worker_id: str | None = None
    attempt: int = 0
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    result: dict[str, Any] | None = None
    error: JobError | None = None

    @property
    def is_active(self) -> bool:
        """Still queued or running."""
        return self.state in ACTIVE_JOB_STATES


class JobPage(Reading):
    """Jobs, newest first."""

    items: list[Job]
    next_cursor: str | None = None
    taken_at: datetime


class LogLine(Reading):
    """One line a job wrote about itself."""

    at: datetime
    level: str
    message: str


class JobLog(Reading):
    """The tail of a job's log, oldest line first."""

    job_id: str
    lines: list[LogLine]
