"""The trail of the items: one row for each attempt that failed and each decision of a person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from lib.service.storage.schema import item_events

KEEP_SECONDS = 30 * 24 * 3600.0

#: entry id, at, kind, actor, attempt, cause, detail, job id
Event = tuple[int, float, str, str, int | None, str | None, str | None, str | None]


def add_events(connection: Connection, events: Sequence[Event]) -> None:
    """Bulk insert, in the transaction of what happened."""
    if events:
        mark = "?" if connection.dialect.name == "sqlite" else "%s"
        connection.exec_driver_sql(
            "INSERT INTO item_events (entry_id, at, kind, actor, attempt, cause, detail, job_id) "  # noqa: S608 - marks only
            f"VALUES ({', '.join([mark] * 8)})",
            list(events),
        )


def list_events(connection: Connection, entry_id: int, limit: int = 200) -> list[sa.Row[Any]]:
    """The newest events of one entry, oldest first."""
    query = sa.select(item_events).where(item_events.c.entry_id == entry_id).order_by(item_events.c.event_id.desc()).limit(limit)
    return list(reversed(connection.execute(query).all()))


def forget_old(connection: Connection, now: float) -> None:
    """Drop events by age."""
    connection.execute(sa.text("DELETE FROM item_events WHERE at < :before"), {"before": now - KEEP_SECONDS})
