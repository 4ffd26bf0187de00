"""One engine, two ways in: ``read()`` sees a snapshot, ``write()`` is alone."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Engine, event

#: How long a writer waits for another before it gives up; an import of a million rows holds the lock for seconds.
BUSY_TIMEOUT_SECONDS = 60


class Database:
    """The one database of our tables and the engine's."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_sqlite = url.startswith("sqlite")
        options: dict[str, Any] = {"pool_pre_ping": not self.is_sqlite}
        if self.is_sqlite:
            options["connect_args"] = {"timeout": BUSY_TIMEOUT_SECONDS, "check_same_thread": False}
        self.engine: Engine = sa.create_engine(url, pool_size=8, max_overflow=24, **options)
        if self.is_sqlite:
            _use_write_ahead_log(self.engine)
        self._readers = self.engine.execution_options(switchyard_reads=True)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that has the writer's lock from its first moment; commits, or rolls back on an exception."""
        with self.engine.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one moment and blocks nobody. End it before streaming to a slow client."""
        with self._readers.begin() as connection:
            yield connection

    def close(self) -> None:
        """Give back every connection."""
        self.engine.dispose()

    @property
    def path(self) -> Path | None:
        """The SQLite file; None on PostgreSQL."""
        return Path(self.engine.url.database) if self.is_sqlite and self.engine.url.database else None


def _use_write_ahead_log(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves, below
        for pragma in (
            "journal_mode=WAL",
            "synchronous=NORMAL",
            f"busy_timeout={BUSY_TIMEOUT_SECONDS * 1000}",
            "foreign_keys=ON",
            "cache_size=-65536",
            "journal_size_limit=67108864",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A write that starts as a read fails at once with "locked" when another writer was faster: IMMEDIATE waits instead.
        reads = connection.get_execution_options().get("switchyard_reads")
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
