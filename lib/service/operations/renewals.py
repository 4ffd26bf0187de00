"""Renew: have the rows of a part of the map embedded again by the present model. Their vectors are used until the new ones are there.

A chunk is one transaction, and says by itself what is done already: whoever takes the job up again goes on with what is left.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa

from lib.contract.jobs import JOB_FAILURES, JobFailure
from lib.contract.map_parts import choose_points
from lib.contract.maps import RenewRequest
from lib.contract.model import utc_now
from lib.service.index.maps import Maps
from lib.service.operations.runner import JobContext, OperationFailed
from lib.service.storage import renewals as rows

CHUNK_ROWS = 2_000
_COLUMNS = ("x", "y", "region", "nearest_cosine")


def renew_rows(context: JobContext) -> dict[str, Any]:
    """All of the part that can be: a row that has left the table, or is in the queue as it is, is counted and left alone."""
    request = RenewRequest.model_validate(context.job.arguments)
    ids = _list_ids(context, request)
    came = Counter[str]()
    for start in range(0, len(ids), CHUNK_ROWS):
        context.tell("putting into the queue", start, len(ids))
        with context.write() as connection:
            came += rows.renew_entries(
                connection,
                ids[start : start + CHUNK_ROWS],
                since=context.job.created_at,
                now=utc_now(),
                actor=context.job.requested_by,
                job_id=context.job.job_id,
            )
    why = {name: came[name] for name in (rows.GONE, rows.IN_QUEUE, rows.FAILED, rows.DISCARDED)}
    return {"done": came[rows.DONE], "skipped": sum(why.values())} | why


def _list_ids(context: JobContext, request: RenewRequest) -> list[int]:
    """By the map as the person saw it, however the index has moved since."""
    maps = Maps(context.config.maps_dir)
    laid_out = maps.made_by(request.map_id)
    try:
        table = pa.ipc.open_stream(maps.points_of(laid_out).read_bytes()).read_all() if laid_out else None
    except FileNotFoundError:
        table = None  # newer maps have taken its place between the two looks
    if table is None:
        detail = JOB_FAILURES[JobFailure.MAP_MISSING]
        raise OperationFailed(JobFailure.MAP_MISSING, detail, "Open the map on the Index page and choose the rows again.")
    x, y, region, cosine = (table.column(name).to_numpy().astype(np.float64) for name in _COLUMNS)
    chosen = choose_points(request.part, x=x, y=y, region=region, cosine=np.nan_to_num(cosine, nan=-1.0))
    ids: list[int] = table.column("entry_id").to_numpy()[chosen].tolist()
    return ids
