"""What is known of one entry, each part by an index: any row of a large table is found in a moment."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from lib.contract.states import ItemState, JobState, Operation
from lib.service.storage.schema import embeddings, entries, import_changes, items, jobs, plan_rows, plans

#: How many jobs after an event are looked at for the one that took it up.
JOBS_LOOKED_AT = 200


def find_by_key(connection: Connection, key: str, limit: int) -> list[sa.Row[Any]]:
    """(entry_id, key, text) of entries whose key begins so; the key itself comes first."""
    text = sa.func.substr(entries.c.text, 1, 200).label("text")
    begins = (
        entries.c.key.between(key, key + "\U0010ffff")
        if connection.dialect.name == "sqlite"
        else entries.c.key.startswith(key, autoescape=True)
    )
    query: sa.Select[Any] = (
        sa.select(entries.c.entry_id, entries.c.key, text).where(begins).order_by(entries.c.key != key, entries.c.key).limit(limit)
    )
    return list(connection.execute(query).all())


def find_by_phrase(connection: Connection, phrase: str, limit: int) -> list[sa.Row[Any]]:
    """(entry_id, key, text) of entries whose text contains the phrase, in the order they were first seen."""
    text = sa.func.substr(entries.c.text, 1, 200).label("text")
    contains = sa.func.lower(entries.c.text).contains(phrase.lower(), autoescape=True)
    query: sa.Select[Any] = sa.select(entries.c.entry_id, entries.c.key, text).where(contains).limit(limit)
    return list(connection.execute(query).all())


def find_removed(connection: Connection, key: str) -> sa.Row[Any] | None:
    """(entry_id, key, text) of an entry with this key that an import removed, as far as that is kept."""
    query: sa.Select[Any] = (
        sa.select(import_changes.c.entry_id, import_changes.c.key, import_changes.c.text)
        .where(import_changes.c.key == key, import_changes.c.change == "removed", import_changes.c.outcome.is_(None))
        .limit(1)
    )
    return connection.execute(query).first()


def get_entry(connection: Connection, entry_id: int) -> sa.Row[Any] | None:
    """The entry, with its item and its embedding."""
    query: sa.Select[Any] = (
        sa.select(
            entries,
            *(column.label(f"item_{column.name}") for column in items.c),
            *(column.label(f"vector_{column.name}") for column in embeddings.c),
        )
        .join_from(entries, items, items.c.entry_id == entries.c.entry_id, isouter=True)
        .join(embeddings, (embeddings.c.entry_id == entries.c.entry_id), isouter=True)
        .where(entries.c.entry_id == entry_id)
    )
    return connection.execute(query).one_or_none()


def count_ahead(connection: Connection, entry: sa.Row[Any]) -> int:
    """How many rows have their turn before the item of this entry (see ``get_entry``), those that workers hold included."""
    due, held = items.c.due_at, items.c.state == ItemState.LEASED
    before = (due < entry.item_due_at) | ((due == entry.item_due_at) & (items.c.entry_id < entry.entry_id))
    waiting = (items.c.state == ItemState.PENDING) & before
    counts = [sa.select(sa.func.count()).select_from(items).where(which).scalar_subquery() for which in (waiting, held)]
    return int(connection.execute(sa.select(counts[0] + counts[1])).scalar_one())


def get_removed(connection: Connection, entry_id: int) -> sa.Row[Any] | None:
    """The last that is kept of an entry that is gone."""
    query: sa.Select[Any] = (
        sa.select(import_changes).where(import_changes.c.entry_id == entry_id, import_changes.c.change == "removed").limit(1)
    )
    return connection.execute(query).first()


def list_changes(connection: Connection, key: str) -> list[sa.Row[Any]]:
    """The imports that changed the row with this key, oldest first: (change, job id, from when to when, by whom, plan, source, outcome)."""
    query: sa.Select[Any] = (
        sa.select(
            import_changes.c.change,
            import_changes.c.outcome,
            jobs.c.seq,
            jobs.c.job_id,
            jobs.c.started_at,
            jobs.c.finished_at,
            jobs.c.requested_by,
            jobs.c.result,
            plans.c.plan_id,
            plans.c.source_name,
        )
        .join_from(import_changes, jobs, jobs.c.job_id == import_changes.c.job_id)
        .join(plans, plans.c.applied_by_job == jobs.c.job_id, isouter=True)
        .where(import_changes.c.key == key)
    )
    # Sorted here: asked to, the database would rather walk through all jobs in their order.
    return sorted(connection.execute(query).all(), key=lambda row: row.seq)


def find_row_number(connection: Connection, plan_id: str, key: str) -> int | None:
    """Where in its sheet the row stood."""
    query = sa.select(plan_rows.c.row).where(plan_rows.c.plan_id == plan_id, plan_rows.c.key == key).limit(1)
    return connection.execute(query).scalar_one_or_none()


def list_builds_after(connection: Connection, at: Any) -> list[sa.Row[Any]]:
    """Jobs that published a generation after this moment, oldest first: (job id, operation, started, finished, result)."""
    publishing = [Operation.REFRESH, Operation.REBUILD]
    query: sa.Select[Any] = (
        sa.select(jobs.c.job_id, jobs.c.operation, jobs.c.started_at, jobs.c.finished_at, jobs.c.result, jobs.c.requested_by)
        .where(jobs.c.operation.in_(publishing), jobs.c.state == JobState.SUCCEEDED, jobs.c.finished_at >= at)
        .order_by(jobs.c.seq)
        .limit(JOBS_LOOKED_AT)
    )
    return list(connection.execute(query).all())


def list_exports_after(connection: Connection, at: Any, limit: int) -> list[sa.Row[Any]]:
    """Exports that ended after this moment, newest first: (job id, when, by whom, arguments, result)."""
    query: sa.Select[Any] = (
        sa.select(jobs.c.job_id, jobs.c.finished_at, jobs.c.requested_by, jobs.c.arguments, jobs.c.result)
        .where(jobs.c.operation == Operation.EXPORT, jobs.c.state == JobState.SUCCEEDED, jobs.c.finished_at >= at)
        .order_by(jobs.c.seq.desc())
        .limit(limit)
    )
    return list(connection.execute(query).all())
