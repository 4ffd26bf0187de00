"""What the columns of an export are called."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from lib.contract.jobs import JobFailure
from lib.service.operations.runner import OperationFailed
from lib.service.storage import entries, plans


@dataclass(frozen=True)
class TableColumns:
    """The key's name, and every text and field column any entry has."""

    key: str
    text: list[str]
    fields: list[str]

    @property
    def names(self) -> list[str]:
        """In the order in which they are written."""
        return [self.key, *self.text, *self.fields]

    def unknown(self, names: list[str]) -> list[str]:
        """Which of these no entry has."""
        return [name for name in names if name not in self.names]

    def only(self, names: list[str] | None) -> TableColumns:
        """The key and those of the others that are named; all of them when ``names`` is None."""
        if names is None:
            return self
        return TableColumns(self.key, [name for name in self.text if name in names], [name for name in self.fields if name in names])


def name_columns(connection: Connection) -> TableColumns:
    """Those of the last import first, in its order."""
    mapping = plans.last_applied_mapping(connection) or {"key": "key", "text": [], "fields": []}
    texts, fields = dict.fromkeys(mapping["text"]), dict.fromkeys(mapping["fields"])
    more_texts, more_fields = entries.list_columns(connection)
    texts.update(dict.fromkeys(more_texts))
    fields.update(dict.fromkeys(more_fields))
    key = mapping["key"]
    while key in texts or key in fields:  # an earlier import used the key's name for another column
        key += " (key)"
    return TableColumns(key, list(texts), [name for name in fields if name not in texts])


def choose_columns(connection: Connection, wanted: list[str] | None) -> TableColumns:
    """The columns to write; a failure of the job when the table no longer has one that was asked for."""
    columns = name_columns(connection)
    if missing := columns.unknown(wanted or []):
        detail = f"The table has no column called {', '.join(missing)} any more."
        raise OperationFailed(JobFailure.COLUMNS_MISSING, detail, "Choose the columns again.")
    return columns.only(wanted)
