"""Which rehearsal was promoted by which job: written down where the job is started."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from pydantic import ValidationError
from sqlalchemy import Connection

from lib.contract.imports import ImportRequest
from lib.contract.reembedding import ReembedRequest
from lib.contract.rehearsals import ImportChange, Promotion, RehearseRequest
from lib.contract.states import JobState, Operation
from lib.service.storage.jobs import JobFilter, list_jobs
from lib.service.storage.schema import jobs, promotions

#: Rehearsals that are looked through for one of what is started; older ones are long thrown away.
_LOOKED_THROUGH = 50
_REHEARSALS = JobFilter(operation=Operation.REHEARSE)


def record_promotions(
    connection: Connection, *, operation: Operation, arguments: Mapping[str, Any], job_id: str, actor: str, now: datetime
) -> None:
    """Say of every rehearsal of exactly this start that it is promoted by it; a promotion that stands is left as it is."""
    found = [job for _, job in list_jobs(connection, _REHEARSALS, state=JobState.SUCCEEDED, limit=_LOOKED_THROUGH)]
    mine = [job.job_id for job in found if _is_same(job.arguments.get("change"), operation, arguments)]
    standing = {ident for ident, promotion in find_promotions(connection, mine).items() if promotion.stands}
    if meant := [ident for ident in mine if ident not in standing]:
        connection.execute(sa.delete(promotions).where(promotions.c.rehearsal_id.in_(meant)))
        row = {"job_id": job_id, "promoted_by": actor, "promoted_at": now}
        connection.execute(sa.insert(promotions), [{"rehearsal_id": ident, **row} for ident in meant])


def _is_same(rehearsed: Any, operation: Operation, arguments: Mapping[str, Any]) -> bool:
    try:
        change = RehearseRequest.model_validate({"change": rehearsed}).change
    except ValidationError:  # of another version: no reason to keep an import from starting
        return False
    if isinstance(change, ImportChange):
        return operation is Operation.IMPORT and _is_same_import(change.request, ImportRequest.model_validate(arguments))
    return operation is Operation.REEMBED and change.request == ReembedRequest.model_validate(arguments)


def _is_same_import(rehearsed: ImportRequest, asked: ImportRequest) -> bool:
    """The mode is the plan's own, and who names no revision of the ticks means the one that stands."""
    ticks = {each.ticks_revision for each in (rehearsed, asked)} - {None}
    return _what(rehearsed) == _what(asked) and len(ticks) < 2


def _what(request: ImportRequest) -> tuple[Any, ...]:
    return request.plan_id, request.policy, request.approve_removals or 0


def find_promotions(connection: Connection, rehearsal_ids: Collection[str]) -> dict[str, Promotion]:
    """Rehearsal → its promotion, with how the job stands; those that have one."""
    query = (
        sa.select(promotions, jobs.c.state)
        .join_from(promotions, jobs, jobs.c.job_id == promotions.c.job_id, isouter=True)
        .where(promotions.c.rehearsal_id.in_(list(rehearsal_ids)))
    )
    return {row.rehearsal_id: Promotion.model_validate(row._mapping) for row in connection.execute(query)}
