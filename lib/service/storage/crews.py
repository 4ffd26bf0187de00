"""How many embedding workers each machine keeps running."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from lib.contract.workers import Crew
from lib.service.storage.schema import crews


def list_crews(connection: Connection) -> list[Crew]:
    """Every machine whose service runs workers."""
    return [Crew.model_validate(dict(row._mapping)) for row in connection.execute(sa.select(crews).order_by(crews.c.host))]


def get_crew(connection: Connection, host: str) -> Crew | None:
    """One machine; None when no service runs workers there."""
    found = connection.execute(sa.select(crews).where(crews.c.host == host)).one_or_none()
    return Crew.model_validate(dict(found._mapping)) if found else None


def put_crew(connection: Connection, host: str, embedding: int, *, by: str | None = None, now: datetime | None = None) -> None:
    """Keep the number; ``by``: the person who chose it."""
    row = {"embedding": embedding, "changed_by": by, "changed_at": now}
    if not connection.execute(sa.update(crews).where(crews.c.host == host).values(**row)).rowcount:
        connection.execute(sa.insert(crews).values(host=host, **row))
