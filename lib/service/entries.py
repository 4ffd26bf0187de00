"""The table as people see it."""

from __future__ import annotations

from lib.contract.entries import Entry, EntryPage
from lib.contract.model import utc_now
from lib.service.cursors import decode_cursor, split_page
from lib.service.search import Search
from lib.service.storage import embeddings
from lib.service.storage import entries as rows
from lib.service.storage.database import Database


def list_entries(database: Database, search: Search, *, text: str | None, limit: int, cursor: str | None) -> EntryPage:
    """One page of entries, each with where it stands on its way to being searchable."""
    after = decode_cursor(cursor, int)[0] if cursor else 0
    revision = search.served_revision()
    with database.read() as connection:
        page = rows.list_entries(connection, text=text, after=after, limit=limit + 1)
        total = rows.count_entries(connection, text)
        current = embeddings.current_embeddings(connection, [row.entry_id for row in page])
    shown, more = split_page(page, limit, lambda row: (row.entry_id,))
    items = []
    for row in shown:
        embedding = current.get(row.entry_id)
        items.append(
            Entry(
                entry_id=row.entry_id,
                key=row.key,
                text=row.text,
                fields=row.fields,
                item=row.item,
                indexed=embedding is not None and embedding.revision <= revision,
                updated_at=row.updated_at,
                embedded_at=embedding.embedded_at if embedding else None,
            )
        )
    return EntryPage(items=items, total=total, next_cursor=more, taken_at=utc_now())
