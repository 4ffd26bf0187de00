"""Jobs: read, follow, cancel."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime

from lib.contract.errors import ErrorCode
from lib.contract.jobs import Job, JobLog, JobPage, JobSteps
from lib.contract.model import utc_now
from lib.contract.states import JobState, Operation
from lib.service import jobs
from lib.service.cursors import decode_cursor, split_page
from lib.service.routers.deps import Cursor, Limit, Operator, RequestId, ServicesDep, Viewer, problems
from lib.service.storage import jobs as rows

router = APIRouter(prefix="/api/jobs", tags=["jobs"])


@router.get("", responses=problems(ErrorCode.BAD_CURSOR))
def list_jobs(
    _: Viewer,
    services: ServicesDep,
    operation: Operation | None = None,
    state: JobState | None = None,
    requested_by: Annotated[str | None, Query(max_length=200)] = None,
    since: Annotated[AwareDatetime | None, Query(description="only jobs created at or after this instant")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> JobPage:
    """Jobs, newest first."""
    before = decode_cursor(cursor, int)[0] if cursor else None
    wanted = rows.JobFilter(operation=operation, requested_by=requested_by, since=since)
    with services.database.read() as connection:
        page = rows.list_jobs(connection, wanted, state=state, before=before, limit=limit + 1)
        states = rows.count_jobs(connection, wanted)
    shown, more = split_page(page, limit, lambda placed: (placed[0],))
    total = states.get(state, 0) if state else sum(states.values())
    return JobPage(items=[job for _, job in shown], next_cursor=more, total=total, states=states, taken_at=utc_now())


@router.get("/{job_id}", responses=problems(ErrorCode.NOT_FOUND))
def get_job(job_id: str, _: Viewer, services: ServicesDep) -> Job:
    """One job: state, progress, result or error."""
    return jobs.get_job(services.database, job_id)


@router.get("/{job_id}/log", responses=problems(ErrorCode.NOT_FOUND))
def get_job_log(job_id: str, _: Viewer, services: ServicesDep) -> JobLog:
    """The tail of what the job wrote about itself."""
    jobs.get_job(services.database, job_id)
    with services.database.read() as connection:
        return JobLog(job_id=job_id, lines=rows.list_log_lines(connection, job_id))


@router.get("/{job_id}/steps", responses=problems(ErrorCode.NOT_FOUND))
def get_job_steps(job_id: str, _: Viewer, services: ServicesDep) -> JobSteps:
    """What the job did when, over all its attempts."""
    return jobs.get_job_steps(services.database, job_id)


@router.post("/{job_id}/cancel", status_code=202, responses=problems(ErrorCode.NOT_FOUND, ErrorCode.REFUSED, ErrorCode.CROSS_SITE))
def cancel_job(job_id: str, who: Operator, services: ServicesDep, request_id: RequestId) -> Job:
    """Ask the job to stop at its next batch; its lock is free when it has really ended."""
    return jobs.cancel_job(services.database, job_id, actor=who.actor, request_id=request_id)
