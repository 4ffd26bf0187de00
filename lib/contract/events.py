"""The topics of the live feed ``GET /ui/sse?topics=``. Each event is one whole reading, never a difference."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from lib.contract.index import IndexReading
from lib.contract.jobs import Job
from lib.contract.model import Reading
from lib.contract.operations import Intention, OperationReading
from lib.contract.queue import QueueReading
from lib.contract.settings import SettingsReading
from lib.contract.shift import ShiftReading
from lib.contract.workers import WorkersReading


class Topic(StrEnum):
    """What one can listen to; an event of a topic carries that topic's reading."""

    QUEUE = "queue"
    WORKERS = "workers"
    JOBS = "jobs"
    INDEX = "index"
    SETTINGS = "settings"
    SHIFT = "shift"


#: Sent instead of missed events when the listener's ``Last-Event-ID`` is unknown or too old;
#: the current reading of every topic follows at once.
RESET_EVENT = "reset"


class JobsReading(Reading):
    """What runs and ran, and what may be started."""

    active: list[Job]
    recent: list[Job]
    operations: list[OperationReading]
    intentions: list[Intention] = []
    taken_at: datetime


TOPIC_READINGS: dict[Topic, type[Reading]] = {
    Topic.QUEUE: QueueReading,
    Topic.WORKERS: WorkersReading,
    Topic.JOBS: JobsReading,
    Topic.INDEX: IndexReading,
    Topic.SETTINGS: SettingsReading,
    Topic.SHIFT: ShiftReading,
}


class TelemetrySnapshot(Reading):
    """Every topic at once, for those who poll. ``last_event_id`` is where the feed stands."""

    last_event_id: str
    queue: QueueReading
    workers: WorkersReading
    jobs: JobsReading
    index: IndexReading
    settings: SettingsReading
    shift: ShiftReading
