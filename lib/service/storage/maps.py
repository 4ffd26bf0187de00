"""What is known of the rows behind the points of a map."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from lib.service.storage.schema import entries, items, plans

_PAGE = 2_000
#: Characters of each text by which a region is named.
_READ = 400


def stream_rows(connection: Connection, entry_ids: list[int]) -> Iterator[Any]:
    """Of each entry that is there: id, key, the beginning of its text, fields, source, state in the queue (null: none), changed at."""
    wanted = (
        sa.select(
            entries.c.entry_id,
            entries.c.key,
            sa.func.substr(entries.c.text, 1, _READ).label("beginning"),
            entries.c.fields,
            entries.c.updated_at,
            plans.c.source_name,
            items.c.state.label("item"),
        )
        .join_from(entries, plans, plans.c.applied_by_job == entries.c.import_id, isouter=True)
        .join(items, items.c.entry_id == entries.c.entry_id, isouter=True)
    )
    for start in range(0, len(entry_ids), _PAGE):
        page = wanted.where(entries.c.entry_id.in_(entry_ids[start : start + _PAGE])).order_by(entries.c.entry_id)
        yield from connection.execute(page).all()
