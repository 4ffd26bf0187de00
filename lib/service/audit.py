"""The audit as a file."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator

from lib.contract.audit import AuditEntry
from lib.contract.formulas import disarm
from lib.service.storage.audit import list_actions
from lib.service.storage.database import Database

_COLUMNS = ("at", "actor", "action", "object_id", "before", "after", "outcome", "request_id", "audit_id")
_PAGE = 500


def write_csv(database: Database) -> Iterator[str]:
    """Every action that is kept, newest first, a page at a time: no transaction stays open for a slow reader."""
    yield _lines([_COLUMNS])
    before: int | None = None
    while True:
        with database.read() as connection:
            page = list_actions(connection, before=before, limit=_PAGE)
        if not page:
            return
        before = page[-1].audit_id
        yield _lines([_row(entry) for entry in page])


def _row(entry: AuditEntry) -> tuple[str, ...]:
    values = entry.model_dump(mode="json")
    return tuple(_cell(values[name]) for name in _COLUMNS)


def _cell(value: object) -> str:
    text = "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return disarm(text)


def _lines(rows: list[tuple[str, ...]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    return buffer.getvalue()
