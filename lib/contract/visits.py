"""Since somebody last looked: what ran, what became of the rows, what failed, what was set differently."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from lib.contract.model import Reading
from lib.contract.states import FailureCause, JobState, Operation


class JobsOfKind(Reading):
    """How many jobs of one operation ended in one state."""

    operation: Operation
    state: JobState
    count: int


class FailuresOfCause(Reading):
    """How many rows failed for one cause; ``is_new`` when none of them had failed for it before."""

    cause: FailureCause
    count: int
    is_new: bool


class Visit(Reading):
    """What has happened since this person's last visit, which ended when they had not looked for half an hour."""

    since: datetime | None = Field(description="when they last looked; null on the first visit: there is nothing to compare with")
    jobs: list[JobsOfKind] = []
    rows_new: int = 0
    rows_changed: int = 0
    rows_removed: int = 0
    failures: list[FailuresOfCause] = []
    settings: list[str] = Field([], description="names of the settings that were changed")
    taken_at: datetime
