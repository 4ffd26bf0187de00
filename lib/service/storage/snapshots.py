"""What was saved, by whom and why; the files are on disk."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from lib.contract.snapshots import Snapshot
from lib.service.storage.schema import snapshots


def put_snapshot(connection: Connection, **values: Any) -> None:
    """The row of one snapshot; a repeated step replaces its own."""
    delete_snapshot(connection, values["snapshot_id"])
    connection.execute(sa.insert(snapshots).values(**values))


def get_snapshot(connection: Connection, snapshot_id: str) -> Snapshot | None:
    """The snapshot, or None."""
    row = connection.execute(sa.select(snapshots).where(snapshots.c.snapshot_id == snapshot_id)).one_or_none()
    return Snapshot.model_validate(dict(row._mapping)) if row else None


def list_snapshots(connection: Connection) -> list[Snapshot]:
    """Newest first."""
    query = sa.select(snapshots).order_by(snapshots.c.taken_at.desc(), snapshots.c.snapshot_id)
    return [Snapshot.model_validate(dict(row._mapping)) for row in connection.execute(query)]


def list_expendable(connection: Connection, *, keep: int, fetched_before: datetime) -> list[str]:
    """Automatic ones that nobody pinned, but for the newest ``keep`` of them and those somebody may still be downloading."""
    kept = (snapshots.c.automatic, sa.not_(snapshots.c.pinned))
    query = sa.select(snapshots).where(*kept).order_by(snapshots.c.taken_at.desc(), snapshots.c.snapshot_id).offset(keep)
    older = connection.execute(query).all()
    return [row.snapshot_id for row in older if row.fetched_at is None or row.fetched_at < fetched_before]


def change_snapshot(connection: Connection, snapshot_id: str, **values: Any) -> None:
    """Other words, or a pin."""
    connection.execute(sa.update(snapshots).where(snapshots.c.snapshot_id == snapshot_id).values(**values))


def delete_snapshot(connection: Connection, snapshot_id: str) -> None:
    """Forget it."""
    connection.execute(sa.delete(snapshots).where(snapshots.c.snapshot_id == snapshot_id))
