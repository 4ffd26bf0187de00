"""A data folder, a migrated database and the operations API in this process: no port, no worker process, no engine."""

from __future__ import annotations

import gc
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from lib.service.app import create_app
from lib.service.config import Config
from lib.service.storage.database import Database
from lib.service.storage.migrate import migrate

TOKEN = "the-token-of-all-tests"


def pytest_collection_finish() -> None:
    """What is imported by now stays: the garbage collector need not look through it again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database of the newest schema, to be copied: migrating anew would cost every test a tenth of a second."""
    path = tmp_path_factory.mktemp("template") / "switchyard.sqlite"
    database = Database(f"sqlite:///{path}")
    migrate(database)
    database.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # so that the one file is all there is to copy
    return path


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """Everything one service keeps."""
    return tmp_path / "data"


@pytest.fixture
def config(data_dir: Path) -> Config:
    """Given in full: what the environment says does not count in tests."""
    config = Config(data_dir=data_dir, database_url="", token=TOKEN, environment="test", workers=0)
    config.create_folders()
    return config


@pytest.fixture
def database(config: Config, migrated_file: Path) -> Iterator[Database]:
    """The service's own database, in its newest schema, empty."""
    shutil.copyfile(migrated_file, config.data_dir / "switchyard.sqlite")
    database = Database(config.url)
    yield database
    database.close()


@pytest.fixture(scope="session")
def warm_app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    """An app whose routes were worked out once: FastAPI does it with the first request, and it takes longer than most tests."""
    app = create_app(Config(data_dir=tmp_path_factory.mktemp("unused"), token=TOKEN, workers=0), supervise=False)
    app.openapi()
    return app


@pytest.fixture
def service_app(config: Config, database: Database, warm_app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> FastAPI:
    """The operations API over the test's data folder, with no worker process behind it."""
    monkeypatch.setattr("lib.service.services.migrate", lambda _: None)  # the database is a copy of a migrated one
    app = create_app(config, supervise=False)
    app.router.routes, app.openapi_schema = warm_app.router.routes, warm_app.openapi_schema
    return app


@pytest.fixture
def api(service_app: FastAPI) -> Iterator[TestClient]:
    """Speaks HTTP with the running API as the owner of the token. An error nobody handled is raised here, not answered."""
    with TestClient(service_app, base_url="http://localhost", headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        yield client
