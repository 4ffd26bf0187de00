"""The tests of this folder run on PostgreSQL: the same fixtures by name, with a database of the server in place of a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from lib.service.config import Config
from lib.service.storage.database import Database
from lib.service.storage.migrate import migrate
from tests.conftest import TOKEN
from tests.service.postgres.server import Server, find_programs

TEMPLATE = "migrated"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A server that holds an empty database of the newest schema."""
    programs = find_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (`make test` installs it)")
    server = Server(programs)
    server.start()
    try:
        database = Database(Config(data_dir=Path("unused"), database_url=server.create(TEMPLATE)).url)
        migrate(database)
        database.close()
        yield server
    finally:
        server.stop()


@pytest.fixture
def database_url(postgres: Server) -> str:
    """An empty, migrated database of this test alone. It goes with the server: dropping it would take as long as the test."""
    return postgres.create(f"test_{uuid4().hex}", TEMPLATE)


@pytest.fixture
def config(data_dir: Path, database_url: str) -> Config:
    """Files in the test's folder, rows on the server."""
    config = Config(data_dir=data_dir, database_url=database_url, token=TOKEN, environment="test", workers=0)
    config.create_folders()
    return config


@pytest.fixture
def database(config: Config) -> Iterator[Database]:
    """The service's own database, in its newest schema, empty."""
    database = Database(config.url)
    yield database
    database.close()
