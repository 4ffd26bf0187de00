"""What the table keeps: one accepted record each."""

from __future__ import annotations

from datetime import datetime

from lib.contract.model import Reading
from lib.contract.states import ItemState


class Entry(Reading):
    """One accepted record. ``item`` is its state in the queue, null once embedded."""

    entry_id: int
    key: str
    text: str
    fields: dict[str, str]
    item: ItemState | None = None
    indexed: bool = False
    updated_at: datetime
    embedded_at: datetime | None = None


class EntryPage(Reading):
    """Entries in the order they were first seen."""

    items: list[Entry]
    total: int
    next_cursor: str | None = None
    taken_at: datetime
