"""Counts kept in the transactions that change them, so that reading them costs the same at any size."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from lib.contract.states import FailureCause

#: every counter and what it counts
COUNTERS = {
    "entries": "entries in the table",
    "pending": "items that wait",
    "leased": "items held by a worker",
    "failed": "items that failed",
    "discarded": "items a person gave up on",
    "arrived_total": "items ever enqueued",
    "embedded_total": "items ever embedded",
    "table_revision": "rises with every import that changes the table",
    "revision": "rises with every change the index must take up",
    **{f"failed_{cause}": f"items that failed because of {cause}" for cause in FailureCause},
}

_ADD = sa.text(
    "INSERT INTO counters (name, value) VALUES (:name, :delta) ON CONFLICT (name) DO UPDATE SET value = counters.value + excluded.value"
)


def get_counters(connection: Connection) -> dict[str, int]:
    """Every counter by name; one never touched is 0."""
    found = {row.name: row.value for row in connection.execute(sa.text("SELECT name, value FROM counters"))}
    return {name: found.get(name, 0) for name in COUNTERS}


def add_to_counters(connection: Connection, **deltas: int) -> None:
    """Add to each named counter; zeros cost nothing."""
    changes = [{"name": name, "delta": delta} for name, delta in sorted(deltas.items()) if delta]  # sorted: row locks, in one order
    if unknown := set(deltas) - set(COUNTERS):
        raise KeyError(f"no counter is called {sorted(unknown)}")
    if changes:
        connection.execute(_ADD, changes)


def count_items(connection: Connection, state: str, cause: str | None, delta: int) -> None:
    """So many items more (or fewer) in a state; the failed are counted by cause as well."""
    of_cause = {f"failed_{cause}": delta} if state == "failed" and cause else {}
    add_to_counters(connection, **{state: delta}, **of_cause)


def next_revision(connection: Connection, name: str = "revision") -> int:
    """Raise ``name`` by one and answer it. On PostgreSQL the row's lock makes later writers wait, so revisions commit in order."""
    add_to_counters(connection, **{name: 1})
    return int(connection.execute(sa.text("SELECT value FROM counters WHERE name = :name"), {"name": name}).scalar_one())
