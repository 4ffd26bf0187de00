"""The schema: what the migrations make is what the code expects, and they survive company and kills."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from lib.service.storage.database import Database
from lib.service.storage.migrate import migrate
from lib.service.storage.schema import metadata

TOP = Path(__file__).resolve().parents[3]
MIGRATE = """
import sys
from lib.service.storage.database import Database
from lib.service.storage.migrate import migrate
database = Database(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
migrate(database)
database.close()
"""
#: As above, but it stops for ever in the middle of its transaction.
STOP_HALF_WAY = """
import sys, time
import alembic.op
from lib.service.storage.database import Database
from lib.service.storage.migrate import migrate
real, made = alembic.op.create_table, []
def create_table(*arguments, **more):
    made.append(real(*arguments, **more))
    if len(made) == 7:
        print("half-way", flush=True)
        time.sleep(60)
alembic.op.create_table = create_table
migrate(Database(sys.argv[1]))
"""


def start(script: str, url: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", script, url], cwd=TOP, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def tables(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def test_the_migrations_make_exactly_the_schema_the_code_expects(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "include_name": is_ours})
        assert compare_metadata(context, metadata) == []


def is_ours(name: str | None, kind: str, _parents: object) -> bool:
    return kind != "table" or name in metadata.tables


def test_the_database_is_set_up_for_many_processes(database: Database) -> None:
    with database.read() as connection:
        pragmas = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous", "foreign_keys")}
        assert pragmas == {"journal_mode": "wal", "synchronous": 1, "foreign_keys": 1}
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() >= 10_000


def test_migrating_again_changes_nothing(database: Database) -> None:
    assert database.path is not None
    before = tables(database.path)
    migrate(database)
    assert tables(database.path) == before
    assert {"entries", "items", "alembic_version", "workflow_status"} <= before, "ours and the engine's in one file"


def test_two_processes_that_migrate_at_once_both_succeed(tmp_path: Path) -> None:
    path = tmp_path / "db.sqlite"
    both = [start(MIGRATE, f"sqlite:///{path}") for _ in range(2)]
    for process in both:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in both:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.close()
    try:
        assert [process.wait(30) for process in both] == [0, 0]
    finally:
        for process in both:
            process.kill()
            assert process.stdout is not None
            process.stdout.close()
            process.wait()
    assert set(metadata.tables) <= tables(path)


def test_a_migration_that_was_killed_half_way_can_be_run_again(tmp_path: Path) -> None:
    path = tmp_path / "db.sqlite"
    process = start(STOP_HALF_WAY, f"sqlite:///{path}")
    assert process.stdout is not None
    assert process.stdin is not None
    assert process.stdout.readline() == "half-way\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    process.stdin.close()
    assert not tables(path) & set(metadata.tables), "what was half made is gone with its process"
    database = Database(f"sqlite:///{path}")
    began = time.monotonic()
    migrate(database)
    assert time.monotonic() - began < 20
    with database.read() as connection:
        assert connection.execute(sa.text("SELECT COUNT(*) FROM entries")).scalar_one() == 0
    database.close()


def test_a_reader_sees_one_moment_while_a_writer_writes(database: Database) -> None:
    with database.read() as reading:
        assert reading.execute(sa.text("SELECT COUNT(*) FROM counters")).scalar_one() == 0
        with database.write() as writing:
            writing.execute(sa.text("INSERT INTO counters (name, value) VALUES ('entries', 0)"))
        assert reading.execute(sa.text("SELECT COUNT(*) FROM counters")).scalar_one() == 0
    with database.read() as later:
        assert later.execute(sa.text("SELECT COUNT(*) FROM counters")).scalar_one() == 1
