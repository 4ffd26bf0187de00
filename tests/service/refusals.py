"""Ways to be refused around the index, and a job that stands in the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import httpx2

from lib.contract.jobs import Progress
from lib.contract.model import utc_now
from lib.contract.states import JobState, Operation
from lib.service.storage import jobs
from tests.service.road import Road

#: The answer to the action, and the gate a page shows for it (None where only the answer has one).
Provoked = tuple[httpx2.Response, dict[str, Any] | None]


@contextmanager
def running(road: Road, operation: Operation) -> Iterator[str]:
    """As if a job of this operation ran, half done."""
    job_id, now = uuid4().hex, utc_now()
    progress = Progress(phase="half", done=50, total=100, rate_per_second=1.0, eta_seconds=50.0, updated_at=now)
    with road.works.database.write() as connection:
        jobs.insert_job(connection, job_id=job_id, operation=operation, requested_by="ann", arguments={}, now=now)
        jobs.take_lock(connection, job_id=job_id, operation=operation, now=now)
        jobs.begin_attempt(connection, job_id, worker_id="operations-1", now=now)
        jobs.update_progress(connection, job_id, attempt=1, progress=progress)
    yield job_id
    with road.works.database.write() as connection:
        jobs.end_job(connection, job_id, state=JobState.SUCCEEDED, now=utc_now())


def start_check(road: Road) -> Provoked:
    return road.api.post("/api/index/check", json={}), road.gate("check")


def check_twice(road: Road) -> Provoked:
    with running(road, Operation.CHECK):
        return start_check(road)


def renew(road: Road) -> httpx2.Response:
    """Have the outliers of the newest map embedded again."""
    return road.start("renew", map_id=road.get("/api/index/map")["latest"]["map_id"], part={"kind": "outliers"})


def renew_twice(road: Road) -> Provoked:
    road.run("map")
    with running(road, Operation.RENEW):
        return renew(road), road.gate("renew")


def repair_of(check_id: str | None) -> Callable[[Road], Provoked]:
    def provoke(road: Road) -> Provoked:
        road.api.post("/api/index/check", json={})
        road.works.perform_all()
        reading = road.get("/api/index/check")
        shown = None if check_id else reading["repair"]["gate"]
        return road.start("repair", check_id=check_id or reading["latest"]["check_id"]), shown

    return provoke
