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
        arguments: dict[str, Any] = (
            {"timeout": BUSY_TIMEOUT_SECONDS, "check_same_thread": False}
            if self.is_sqlite
            else {"options": f"-c lock_timeout={BUSY_TIMEOUT_SECONDS}s"}
        )
        self.engine: Engine = sa.create_engine(
            url,
            pool_size=8,
            max_overflow=24,
            pool_pre_ping=not self.is_sqlite,
            connect_args=arguments,
            hide_parameters=True,  # an error that is logged or told names the statement, not the rows in it
        )
        (_use_write_ahead_log if self.is_sqlite else _let_writers_take_turns)(self.engine)
        snapshot = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"}
        self._readers = self.engine.execution_options(switchyard_reads=True, **snapshot)
        self._along = self.engine.execution_options(switchyard_along=True)
        self.statements = 0  #: SQL statements sent, ever: what a listener or a page costs is read off this
        event.listen(self.engine, "after_cursor_execute", self._count_statement)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that has the writer's lock from its first moment; commits, or rolls back on an exception."""
        with self.engine.begin() as connection:
            yield connection

    @contextmanager
    def write_along(self) -> Iterator[Connection]:
        """A transaction beside the one writer, where the database can: for a row nobody else writes, and no decision."""
        with self._along.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one moment and blocks nobody. End it before streaming to a slow client."""
        with self._readers.begin() as connection:
            yield connection

    def _count_statement(self, *_: object) -> None:
        self.statements += 1

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


#: Any number of ours: the writers of one PostgreSQL database wait for each other on it.
WRITERS_TURN = 0x53575944


def _let_writers_take_turns(engine: Engine) -> None:
    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # The gate decides on what it reads: two transactions that both find the way free must not both go.
        options = connection.get_execution_options()
        if not options.get("switchyard_reads") and not options.get("switchyard_along"):
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITERS_TURN})")
