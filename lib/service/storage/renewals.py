"""Entries that are to be embedded again by the model that has embedded them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from lib.contract.states import ItemState
from lib.contract.trace import EventKind
from lib.service.storage.counters import add_to_counters
from lib.service.storage.item_events import add_events
from lib.service.storage.schema import embeddings, entries, items

#: What became of an entry that was to be embedded again: it waits for that, or why it does not.
DONE, GONE, IN_QUEUE, FAILED, DISCARDED = "done", "gone", "in_queue", "failed_before", "discarded"
_WHY_NOT = {
    ItemState.PENDING: IN_QUEUE,
    ItemState.LEASED: IN_QUEUE,
    ItemState.FAILED: FAILED,
    ItemState.DISCARDED: DISCARDED,
}


def renew_entries(
    connection: Connection, entry_ids: Sequence[int], *, since: datetime, now: datetime, actor: str, job_id: str
) -> Counter[str]:
    """Put them into the queue to be embedded anew; how many came to what.

    What was put there, or was embedded, after ``since`` counts as done: so a chunk that is done again does nothing twice.
    """
    found = _list_standing(connection, entry_ids)
    outcomes = {row.entry_id: _outcome(row, since) for row in found}
    todo = [row for row in found if outcomes[row.entry_id] is None]
    if todo:
        connection.execute(sa.insert(items), [_item(row, now) for row in todo])
        add_to_counters(connection, pending=len(todo), arrived_total=len(todo))
        add_events(connection, [(row.entry_id, now.timestamp(), EventKind.RENEWED.value, actor, None, None, None, job_id) for row in todo])
    return Counter(outcome or DONE for outcome in outcomes.values()) + Counter({GONE: len(entry_ids) - len(found)})


def _list_standing(connection: Connection, entry_ids: Sequence[int]) -> list[Any]:
    wanted = (
        sa.select(
            entries.c.entry_id,
            entries.c.content_hash,
            items.c.state,
            items.c.enqueued_at,
            embeddings.c.embedded_at,
            embeddings.c.shortened_to,
        )
        .join_from(entries, items, items.c.entry_id == entries.c.entry_id, isouter=True)
        .join(embeddings, embeddings.c.entry_id == entries.c.entry_id, isouter=True)
        .where(entries.c.entry_id.in_(entry_ids))
        .order_by(entries.c.entry_id)
    )
    return list(connection.execute(wanted).all())


def _outcome(row: sa.Row[Any], since: datetime) -> str | None:
    if row.state is not None:
        return DONE if row.enqueued_at >= since else _WHY_NOT[ItemState(row.state)]
    return DONE if row.embedded_at is not None and row.embedded_at >= since else None


def _item(row: sa.Row[Any], now: datetime) -> dict[str, Any]:
    return {
        "entry_id": row.entry_id,
        "content_hash": row.content_hash,
        "state": ItemState.PENDING.value,
        "enqueued_at": now,
        "available_at": now,
        "due_at": now,
        "shorten_to": row.shortened_to,  # what could only be embedded in part would fail in full
        "anew": True,
    }
