"""Alembic's entry: one migrator at a time, and DDL that is rolled back when its process dies."""

from __future__ import annotations

from typing import Literal

import sqlalchemy as sa
from alembic import context

from lib.service.storage.schema import Instant, metadata


def _render(kind: str, item: object, _context: object) -> str | Literal[False]:
    """A migration must not change when our own types do: it names the database's type."""
    return "sa.Float(53)" if kind == "type" and isinstance(item, Instant) else False


def _run() -> None:
    engine: sa.Engine = context.config.attributes["engine"]
    # Our engine lets one writer in at a time, so migrators wait for each other; its BEGIN IMMEDIATE makes SQLite's DDL transactional.
    with engine.begin() as connection:
        context.configure(
            connection=connection,
            target_metadata=metadata,
            render_as_batch=connection.dialect.name == "sqlite",
            compare_type=True,
            render_item=_render,
        )
        context.run_migrations()


_run()
