"""How sources were mapped and read when they were last imported."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from lib.service.storage.schema import mappings


def source_key(source: Mapping[str, Any], name: str) -> str:
    """What makes two sources the same one at another time: the name of a file, or spreadsheet and tab."""
    if source.get("kind") == "file":
        return f"file:{name.casefold()}"
    return ":".join(str(source.get(part) or "") for part in ("kind", "spreadsheet", "tab"))


def remember_mapping(
    connection: Connection, source_key: str, *, mapping: dict[str, Any], source: dict[str, Any], actor: str, now: datetime
) -> None:
    """In place of what was remembered of this source before."""
    connection.execute(sa.delete(mappings).where(mappings.c.source_key == source_key))
    values = {"mapping": mapping, "source": source, "used_by": actor, "used_at": now}
    connection.execute(sa.insert(mappings).values(source_key=source_key, **values))


def find_mapping(connection: Connection, source_key: str) -> sa.Row[Any] | None:
    """What is remembered of this source, or None."""
    return connection.execute(sa.select(mappings).where(mappings.c.source_key == source_key)).one_or_none()
