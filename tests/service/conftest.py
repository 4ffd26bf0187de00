"""The service with a stand-in for its workers; after every test the counters are counted again."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from lib.contract.states import FailureCause, ItemState
from lib.service import embedders
from lib.service.config import Config
from lib.service.operations import runner
from lib.service.storage import schema
from lib.service.storage.database import Database
from tests.emulator.fixtures import emulator
from tests.service.planted import endpoint, planted, running  # noqa: F401 - fixtures
from tests.service.road import Road
from tests.service.works import FakeEmbedder, Works

__all__ = ["emulator"]


@pytest.fixture
def embedder(monkeypatch: pytest.MonkeyPatch) -> FakeEmbedder:
    """Small and quick, and the one the service opens."""
    fake = FakeEmbedder()
    monkeypatch.setitem(embedders._OPENERS, embedders.DEFAULT, lambda *_: fake)
    return fake


@pytest.fixture
def works(database: Database, config: Config, embedder: FakeEmbedder, monkeypatch: pytest.MonkeyPatch) -> Works:
    """Performs jobs and embeds items when told to."""
    monkeypatch.setattr(runner, "HOLD_WAIT_SECONDS", 0.0)  # nobody works beside a test: there is nothing to wait for
    return Works(database, config, embedder)


@pytest.fixture
def road(api: TestClient, works: Works) -> Road:
    """The main flow over HTTP."""
    return Road(api, works)


def compare_counters(database: Database) -> None:
    """Past our own code, and cheap enough for every test."""
    with closing(_connect(database)) as connection:
        counted = dict(
            connection.execute(
                "SELECT state, COUNT(*) FROM items GROUP BY state UNION ALL SELECT 'entries', COUNT(*) FROM entries "
                "UNION ALL SELECT 'failed_' || cause, COUNT(*) FROM items WHERE state = 'failed' GROUP BY cause"
            )
        )
        counters = dict(connection.execute("SELECT name, value FROM counters"))
    names = ("entries", *ItemState, *(f"failed_{cause}" for cause in FailureCause))
    assert {name: counters.get(name, 0) for name in names} == {name: counted.get(name, 0) for name in names}


def _connect(database: Database) -> Any:
    if database.path is not None:
        return sqlite3.connect(database.path)
    return psycopg.connect(database.url.replace("+psycopg", "", 1))


@pytest.fixture
def counters_are_true(database: Database) -> Callable[[], None]:
    """Fails unless every counter equals the count of the rows it stands for."""
    return lambda: compare_counters(database)


@pytest.fixture(autouse=True)
def _counters_are_true_in_the_end(request: pytest.FixtureRequest) -> Iterator[None]:
    if "database" not in request.fixturenames:
        yield
        return
    database: Database = request.getfixturevalue("database")
    yield
    compare_counters(database)


#: What moves although nothing was done: samples of the queue, signs of life.
_RESTLESS = {"queue_samples", "worker_samples", "workers"}


@pytest.fixture
def contents(database: Database) -> Callable[..., dict[str, str]]:
    """A hash per table of ours, but for those named; equal as long as nothing was written."""

    def hash_tables(*but: str) -> dict[str, str]:
        with database.read() as connection:
            tables: dict[str, Any] = {name: table for name, table in schema.metadata.tables.items() if name not in _RESTLESS | {*but}}
            return {
                name: hashlib.sha256(repr(connection.execute(sa.select(table)).all()).encode()).hexdigest()
                for name, table in tables.items()
            }

    return hash_tables
