"""A PostgreSQL server of our own on loopback: made in a temporary folder, asked for no durability, gone after the tests."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import sqlalchemy as sa

#: It refuses to run as root; these are asked in turn to run it instead.
USERS = ("postgres", "nobody")
#: The contents last as long as the tests: syncing them to the disk would only cost time.
CAREFREE = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=150 -c shared_buffers=64MB"
START_SECONDS = "120"


def find_programs() -> Path | None:
    """The folder of initdb and pg_ctl; Debian keeps them off the PATH."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    return max((path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")), default=None)


class Server:
    """One running server; each test gets a database of its own, copied from a template."""

    def __init__(self, programs: Path) -> None:
        self._programs, self._password = programs, secrets.token_hex(16)
        self._folder = Path(tempfile.mkdtemp(prefix="switchyard-postgres-"))
        self._port = _free_port()

    def start(self) -> None:
        """Make it and wait until it answers."""
        password = self._folder / "password"
        password.write_text(self._password)
        if user := self._user():
            for path in (self._folder, password):
                shutil.chown(path, user)
        self._call(
            "initdb", "--no-sync", "-D", "data", "-U", "tests", "-E", "UTF8", "--locale=C", "-A", "scram-sha-256", "--pwfile=password"
        )
        listen = f"-c listen_addresses=127.0.0.1 -c port={self._port} -c unix_socket_directories={self._folder}"
        self._call("pg_ctl", "start", "-w", "-t", START_SECONDS, "-D", "data", "-l", "log", "-o", f"{listen} {CAREFREE}")

    def stop(self) -> None:
        """End it at once and remove all traces."""
        self._call("pg_ctl", "stop", "-m", "immediate", "-w", "-D", "data")
        shutil.rmtree(self._folder)

    def url(self, name: str) -> str:
        """The address of one of its databases, as people write it in SWITCHYARD_DATABASE_URL."""
        return f"postgresql://tests:{self._password}@127.0.0.1:{self._port}/{name}"

    def create(self, name: str, template: str = "template1") -> str:
        """A new database; its address."""
        self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url(name)

    def _execute(self, statement: str) -> None:
        engine = sa.create_engine(self.url("postgres").replace("postgresql:", "postgresql+psycopg:", 1), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(statement)
        engine.dispose()

    @staticmethod
    def _user() -> str | None:
        """Who runs it; None for ourselves."""
        if os.getuid() != 0:
            return None
        known = {entry.pw_name for entry in pwd.getpwall()}
        return next(user for user in USERS if user in known)

    def _call(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments]
        # Its output goes to a file: the server inherits what pg_ctl writes to, and a pipe would never end.
        with (self._folder / "setup.log").open("a+") as log:
            done = subprocess.run(
                command, cwd=self._folder, user=self._user(), extra_groups=[] if self._user() else None,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False,
            )  # fmt: skip
            log.seek(0)
            assert done.returncode == 0, log.read()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
