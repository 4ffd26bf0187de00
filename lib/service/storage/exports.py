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
    """Drop expired exports; answers the names their files have on disk."""
    old = connection.execute(sa.select(exports.c.export_id, exports.c.format).where(exports.c.expires_at < now)).all()
    connection.execute(sa.delete(exports).where(exports.c.expires_at < now))
    return [file_name(row.export_id, row.format) for row in old]


def file_name(export_id: str, written_as: str) -> str:
    """What the file of an export is called in the exports folder."""
    return f"{export_id}.{written_as}"
