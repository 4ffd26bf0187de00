"""The queue's history: one small row every few seconds, pruned by age."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from lib.service.storage.counters import get_counters

SAMPLE_SECONDS = 5.0
KEEP_SECONDS = 7 * 24 * 3600.0


def add_sample(connection: Connection, now: float) -> None:
    """Write down where the counters stand, and drop what is older than the longest window."""
    counts = get_counters(connection)
    connection.execute(
        sa.text(
            "INSERT INTO queue_samples (at, pending, leased, failed, arrived_total, embedded_total) "
            "VALUES (:at, :pending, :leased, :failed, :arrived_total, :embedded_total) ON CONFLICT (at) DO NOTHING"
        ),
        {"at": now, **{name: counts[name] for name in ("pending", "leased", "failed", "arrived_total", "embedded_total")}},
    )
    connection.execute(sa.text("DELETE FROM queue_samples WHERE at < :before"), {"before": now - KEEP_SECONDS})


def list_samples(connection: Connection, *, after: float, step_seconds: float) -> list[sa.Row[Any]]:
    """The last sample of each step since ``after``, oldest first."""
    statement = sa.text(
        "SELECT s.at, s.pending, s.leased, s.failed, s.arrived_total, s.embedded_total FROM queue_samples s "
        "JOIN (SELECT MAX(at) AS at FROM queue_samples WHERE at >= :after GROUP BY CAST(at / :step AS BIGINT)) last "
        "ON last.at = s.at ORDER BY s.at"
    )
    return list(connection.execute(statement, {"after": after, "step": step_seconds}).all())


def sample_before(connection: Connection, at: float) -> sa.Row[Any] | None:
    """The newest sample not after ``at``: where a rate starts counting."""
    statement = sa.text("SELECT * FROM queue_samples WHERE at <= :at ORDER BY at DESC LIMIT 1")
    return connection.execute(statement, {"at": at}).one_or_none()
