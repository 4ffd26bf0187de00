"""Moments: the readings of one instant, kept so that a link can show them beside the present."""

from __future__ import annotations

from datetime import datetime

from lib.contract.events import JobsReading
from lib.contract.index import IndexReading
from lib.contract.model import Reading
from lib.contract.queue import QueueReading
from lib.contract.workers import WorkersReading


class Moment(Reading):
    """What was known at ``taken_at``. Its id begins with that time, so that a link says what it links to."""

    moment_id: str
    taken_at: datetime
    taken_by: str
    expires_at: datetime
    queue: QueueReading
    workers: WorkersReading
    jobs: JobsReading
    index: IndexReading
