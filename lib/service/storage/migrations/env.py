"""Alembic's entry: one migrator at a time, and DDL that is rolled back when its process dies."""

from __future__ import annotations

from typing import Literal

import sqlalchemy as sa
from alembic import context

from lib.service.storage.schema import Instant, metadata

#: Any number of ours: migrators of one PostgreSQL database wait for each other on it.
ADVISORY_LOCK = 0x53575944


def _render(kind: str, item: object, _context: object) -> str | Literal[False]:
    """A migration must not change when our own types do: it names the database's type."""
    return "sa.Float(53)" if kind == "type" and isinstance(item, Instant) else False


def _run() -> None:
    engine: sa.Engine = context.config.attributes["engine"]
    # On SQLite our engine says BEGIN IMMEDIATE, which both serialises migrators and makes DDL transactional.
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("SET LOCAL lock_timeout = '60s'"))
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": ADVISORY_LOCK})
        context.configure(
            connection=connection,
            target_metadata=metadata,
            render_as_batch=connection.dialect.name == "sqlite",
            compare_type=True,
            render_item=_render,
        )
        context.run_migrations()


_run()
