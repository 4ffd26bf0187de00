"""Files that exports made."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from lib.contract.exports import Export
from lib.service.storage.schema import exports


def put_export(connection: Connection, **values: Any) -> None:
    """The file of one export; a repeated step replaces its own row."""
    connection.execute(sa.delete(exports).where(exports.c.export_id == values["export_id"]))
    connection.execute(sa.insert(exports).values(**values))


def get_export(connection: Connection, export_id: str) -> Export | None:
    """The export, or None."""
    row = connection.execute(sa.select(exports).where(exports.c.export_id == export_id)).one_or_none()
    return Export.model_validate(dict(row._mapping)) if row else None


def list_exports(connection: Connection, *, now: datetime, limit: int) -> list[Export]:
    """Exports that have not expired, newest first."""
    rows = connection.execute(sa.select(exports).where(exports.c.expires_at >= now).order_by(exports.c.created_at.desc()).limit(limit))
    return [Export.model_validate(dict(row._mapping)) for row in rows]


def forget_expired(connection: Connection, now: datetime) -> list[str]:
    """Drop expired exports; answers the ids whose files may go."""
    old = list(connection.execute(sa.select(exports.c.export_id).where(exports.c.expires_at < now)).scalars())
    connection.execute(sa.delete(exports).where(exports.c.expires_at < now))
    return old
