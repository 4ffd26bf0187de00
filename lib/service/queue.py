"""The queue as people see it: one reading, its history, and its items one by one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from lib.contract.model import utc_now
from lib.contract.queue import Item, ItemFilter, ItemPage, QueueHistory, QueuePoint, QueueReading, Window
from lib.contract.states import ItemState, Operation, RefreshMode
from lib.service.cursors import decode_cursor, split_page
from lib.service.forecast import HORIZON_SECONDS, Range, find_evidence, forecast, forecast_from_runs
from lib.service.storage import items, jobs, runs, samples, selections, shift
from lib.service.storage.counters import get_counters
from lib.service.storage.database import Database
from lib.service.storage.embeddings import last_fingerprint
from lib.service.storage.settings import get_setting
from lib.service.storage.workers import count_capacity

RATE_SECONDS = 60.0
#: Housekeeping has noticed by then that the queue is empty.
REFRESH_NOTICED_SECONDS = 4.0
WINDOW_SECONDS = {Window.M15: 900.0, Window.H1: 3600.0, Window.H24: 86400.0, Window.D7: 604800.0}
#: Each window has a tier of samples of its own: a chart is about 180 points wide, whatever its window.
STEP_SECONDS = dict(zip(Window, samples.STEPS, strict=True))
#: A chart shows so many annotations at most, the newest.
ANNOTATIONS = 60


def read_queue(connection: Connection, *, turned_back: bool = False) -> QueueReading:
    """The queue at this moment; the same few look-ups however long it is. ``turned_back``: the index waits for a person."""
    now = utc_now()
    counts = get_counters(connection)
    oldest = items.oldest_pending_at(connection)
    arrival, completion = _rates(connection, counts, now.timestamp())
    backlog = counts["pending"] + counts["leased"]
    waiting = backlog + counts["failed"] + counts["discarded"]
    left = forecast_backlog(connection, backlog, now.timestamp())
    refresh = _forecast_refresh(connection) if left and not turned_back else None
    return QueueReading(
        entries=counts["entries"],
        pending=counts["pending"],
        leased=counts["leased"],
        failed=counts["failed"],
        discarded=counts["discarded"],
        embedded=counts["entries"] - waiting,
        lag_seconds=max(0.0, now.timestamp() - oldest) if oldest is not None else None,
        arrival_per_second=arrival,
        completion_per_second=completion,
        eta_seconds=left.likely if left else None,
        eta_low_seconds=left.low if left else None,
        eta_high_seconds=left.high if left else None,
        searchable_low_seconds=left.low + refresh[0] if left and refresh else None,
        searchable_high_seconds=left.high + refresh[1] if left and refresh else None,
        taken_at=now,
    )


def forecast_backlog(connection: Connection, backlog: int, now: float) -> Range | None:
    """The time left, from the last quarter of an hour of work, else from past imports; None when neither says enough."""
    if not backlog:
        return None
    capacity = count_capacity(connection, now)
    recent = samples.list_samples(connection, after=now - HORIZON_SECONDS, step_seconds=samples.SAMPLE_SECONDS)
    evidence = find_evidence(recent)
    if evidence:
        return forecast(evidence, backlog, capacity)
    return forecast_from_runs(runs.list_runs(connection, last_fingerprint(connection)), backlog, capacity)


def _forecast_refresh(connection: Connection) -> tuple[float, float] | None:
    """How long the index takes after the last row; None while it waits for a person or was never refreshed."""
    if get_setting(connection, "index.refresh") != RefreshMode.AUTOMATIC:
        return None
    last = jobs.last_ended_job(connection, Operation.REFRESH)
    if last is None or last.started_at is None or last.finished_at is None:
        return None
    took = (last.finished_at - last.started_at).total_seconds()
    return took, REFRESH_NOTICED_SECONDS + 2 * took


def _rates(connection: Connection, counts: dict[str, int], now: float) -> tuple[float | None, float | None]:
    before = samples.sample_before(connection, now - RATE_SECONDS)
    if before is None or now - before.at > 2 * RATE_SECONDS:
        recent = samples.list_samples(connection, after=now - RATE_SECONDS, step_seconds=samples.SAMPLE_SECONDS)
        before = recent[0] if recent else None
    if before is None or now - before.at < samples.SAMPLE_SECONDS / 2:
        return None, None
    span = now - before.at
    return (counts["arrived_total"] - before.arrived_total) / span, (counts["embedded_total"] - before.embedded_total) / span


def get_queue(database: Database, *, turned_back: bool = False) -> QueueReading:
    """See :func:`read_queue`."""
    with database.read() as connection:
        return read_queue(connection, turned_back=turned_back)


def get_queue_history(database: Database, window: Window) -> QueueHistory:
    """The samples of the window's tier, and what people did meanwhile. Where nothing was sampled there is no point."""
    now, span, step = utc_now(), WINDOW_SECONDS[window], STEP_SECONDS[window]
    with database.read() as connection:
        rows = samples.list_samples(connection, after=now.timestamp() - span - step, step_seconds=step)
        annotations = shift.list_entries(connection, since=now - timedelta(seconds=span), limit=ANNOTATIONS)
    points = []
    for before, row in zip(rows[:1] + rows, rows, strict=False):
        if row.at < now.timestamp() - span:
            continue  # before the window: only the first rate begins there
        seconds = row.at - before.at
        known = 0 < seconds < 3 * step  # over a gap a rate would be an invention
        points.append(
            QueuePoint(
                at=datetime.fromtimestamp(row.at, UTC),
                pending=row.pending,
                leased=row.leased,
                failed=row.failed,
                arrival_per_second=(row.arrived_total - before.arrived_total) / seconds if known else None,
                completion_per_second=(row.embedded_total - before.embedded_total) / seconds if known else None,
            )
        )
    return QueueHistory(window=window, step_seconds=step, points=points, annotations=annotations[::-1], taken_at=now)


def list_items(database: Database, wanted: ItemFilter, *, limit: int, cursor: str | None) -> ItemPage:
    """Items that match, newest first."""
    now = utc_now()
    with database.read() as connection:
        shown, more, total = read_items(connection, wanted, now=now.timestamp(), limit=limit, cursor=cursor)
        max_attempts = int(get_setting(connection, "embedding.max_attempts"))
    capped = wanted.narrows and total > selections.COUNT_LIMIT
    return ItemPage(
        items=[_item(row, max_attempts, now.timestamp()) for row in shown],
        total=total,
        total_is_least=capped,
        next_cursor=more,
        taken_at=now,
    )


def read_items(
    connection: Connection, wanted: ItemFilter, *, now: float, limit: int, cursor: str | None
) -> tuple[list[sa.Row[Any]], str | None, int]:
    """(one page of the items that match, newest first; the cursor of the next; how many match). ``now`` is what ages are counted from."""
    after = decode_cursor(cursor, float, int) if cursor else None
    read = selections.list_items(connection, wanted, now=now, after=(after[0], after[1]) if after else None, limit=limit + 1)
    shown, more = split_page(read, limit, lambda row: (row.shown_at, row.entry_id))
    return shown, more, selections.count_matching(connection, wanted, now=now)


def _item(row: sa.Row[Any], max_attempts: int, now: float) -> Item:
    waits = row.state == ItemState.PENDING and row.available_at > now
    return Item.model_validate(
        {
            **row._mapping,
            "raw_error": row.error,
            "worker_id": row.leased_by,
            "import_job_id": row.import_id,
            "next_try_at": row.available_at if waits else None,
            "max_attempts": max_attempts,
        }
    )
