"""The queue's history in tiers, one for each window of the charts: reading any of them costs the same; each is pruned by age."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from lib.service.storage.counters import get_counters
from lib.service.storage.workers import count_capacity

SAMPLE_SECONDS = 5
#: Seconds between two samples of a tier, from the finest to the coarsest: 15 minutes, 1 hour, 24 hours and 7 days in 180 steps or more.
STEPS = (SAMPLE_SECONDS, 20, 480, 3360)
#: So many steps of each tier are kept: its window and a little more.
KEEP_STEPS = 200
#: Samples come when the producer gets to it, a moment early or late.
JITTER_SECONDS = SAMPLE_SECONDS / 2

_VALUES = ("capacity", "pending", "leased", "failed", "arrived_total", "embedded_total")
_INSERT = sa.text(
    f"INSERT INTO queue_samples (step_seconds, at, {', '.join(_VALUES)}) VALUES (:step, :at, :{', :'.join(_VALUES)}) "  # noqa: S608
    "ON CONFLICT (step_seconds, at) DO NOTHING"
)


def add_sample(connection: Connection, now: float) -> None:
    """Write down where the counters stand, in each tier whose turn it is, and drop what is older than its window."""
    values = get_counters(connection) | {"capacity": count_capacity(connection, now)}
    for step, finer in zip(STEPS, (None, *STEPS), strict=False):
        last = connection.execute(sa.text("SELECT MAX(at) FROM queue_samples WHERE step_seconds = :step"), {"step": step}).scalar_one()
        if last is not None and now - last < step - JITTER_SECONDS:
            continue
        peak = _find_peak(connection, finer, now - step) if finer else {}
        sample = {name: values[name] for name in _VALUES} | peak
        connection.execute(_INSERT, {"step": step, "at": now, **sample})
        old = {"step": step, "before": now - step * KEEP_STEPS}
        connection.execute(sa.text("DELETE FROM queue_samples WHERE step_seconds = :step AND at < :before"), old)


def _find_peak(connection: Connection, step: int, after: float) -> dict[str, Any]:
    """The longest the queue was since then: a coarse chart must not miss a backlog that came and went between two of its samples."""
    statement = sa.text(
        "SELECT pending, leased, failed FROM queue_samples WHERE step_seconds = :step AND at > :after "
        "ORDER BY pending + leased DESC LIMIT 1"
    )
    found = connection.execute(statement, {"step": step, "after": after}).one_or_none()
    return dict(found._mapping) if found else {}


def list_samples(connection: Connection, *, after: float, step_seconds: int) -> list[sa.Row[Any]]:
    """The samples of one tier since ``after``, oldest first: never more than a tier keeps."""
    statement = sa.text("SELECT * FROM queue_samples WHERE step_seconds = :step AND at >= :after ORDER BY at")
    return list(connection.execute(statement, {"after": after, "step": step_seconds}).all())


def sample_before(connection: Connection, at: float) -> sa.Row[Any] | None:
    """The newest sample not after ``at``: where a rate starts counting."""
    statement = sa.text("SELECT * FROM queue_samples WHERE step_seconds = :step AND at <= :at ORDER BY at DESC LIMIT 1")
    return connection.execute(statement, {"at": at, "step": SAMPLE_SECONDS}).one_or_none()
