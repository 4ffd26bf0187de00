"""A worker's sign of life, and the end of a life whose place or parent is gone."""

from __future__ import annotations

import os
import time

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from lib.contract.states import Actual, Desired, WorkerRole
from lib.service import heart as heart_module
from lib.service.heart import Heart
from lib.service.storage import schema
from lib.service.storage.database import Database
from lib.service.workers import EmbeddingWorker
from tests.service.probes import until
from tests.service.road import Road, sheet
from tests.service.works import Works


def row_of(database: Database, worker_id: str = "embedding-1") -> sa.Row:
    with database.read() as connection:
        return connection.execute(sa.select(schema.workers).where(schema.workers.c.worker_id == worker_id)).one()


@pytest.fixture
def beating(database: Database, monkeypatch: pytest.MonkeyPatch) -> Heart:
    """A real heart, in a hurry."""
    monkeypatch.setattr(heart_module, "HEARTBEAT_SECONDS", 0.05)
    return Heart(database, worker_id="embedding-1", role=WorkerRole.EMBEDDING)


@pytest.mark.feature("W2")
def test_a_heart_beats_by_itself_and_says_good_bye(beating: Heart, database: Database) -> None:
    beating.start()
    first = row_of(database)
    assert (first.actual, first.pid, first.role) == ("starting", os.getpid(), "embedding")
    beating.say(Actual.BUSY, "embedding 3 rows")
    until(lambda: row_of(database).actual == "busy")
    assert row_of(database).heartbeat_at > first.heartbeat_at
    assert row_of(database).doing_since is not None
    beating.stop()
    last = row_of(database)
    assert (last.actual, last.doing, last.rate_per_second) == ("stopped", None, None)
    assert not beating._thread.is_alive()


def test_what_a_worker_does_has_a_since_that_moves_only_with_it(works: Works, database: Database) -> None:
    heart = works.heart()
    heart.say(Actual.BUSY, "embedding 3 rows")
    heart.beat()
    since = row_of(database).doing_since
    heart.say(Actual.BUSY, "embedding 3 rows")
    heart.beat()
    assert row_of(database).doing_since == since
    heart.say(Actual.IDLE)
    heart.beat()
    assert row_of(database).doing_since is None


@pytest.mark.feature("W1")
def test_a_second_process_in_the_same_place_ends_the_first(works: Works, database: Database) -> None:
    first = works.heart()
    second = works.heart()
    assert row_of(database).incarnation == second.incarnation
    first.beat()
    assert first.gone.is_set(), "it hears of it with its next beat"
    first.gone.clear()
    second.say(Actual.BUSY, "mine")
    second.beat()
    assert first.hear() is Desired.DRAINING, "it must take no more"
    assert first.gone.is_set()
    first.say(Actual.IDLE)
    first.beat()
    first.stop()
    assert (row_of(database).actual, row_of(database).doing) == ("busy", "mine"), "the first changes nothing any more"
    assert not second.gone.is_set()


def test_what_the_former_life_held_is_free_when_the_new_one_begins(road: Road, works: Works) -> None:
    road.import_sheet(sheet(1, 2))
    former = works.worker()
    lease_id, batch = former._claim(works.embedder.fingerprint)
    assert road.queue()["leased"] == 2
    later = works.worker()
    later._heart.gone.set()
    later.run()
    assert (road.queue()["leased"], road.queue()["pending"]) == (0, 2)
    former._embed(lease_id, batch, works.embedder)
    assert road.queue()["embedded"] == 0, "a late result of the former life is dropped"


def test_a_worker_whose_place_was_taken_stops_by_itself(road: Road, works: Works) -> None:
    road.import_sheet(sheet(1))
    first = works.worker()
    works.heart()
    first.run()
    assert road.queue()["pending"] == 1


def test_a_worker_ends_with_its_supervisor(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    exits: list[int] = []
    monkeypatch.setattr(heart_module, "PARENT_SECONDS", 0.01)
    monkeypatch.setattr(heart_module, "ORPHAN_SECONDS", 0.0)
    monkeypatch.setattr(heart_module.os, "_exit", exits.append)
    heart = Heart(database, worker_id="embedding-1", role=WorkerRole.EMBEDDING, parent=os.getppid())
    heart.start()
    time.sleep(0.05)
    assert not heart.gone.is_set()
    monkeypatch.setattr(heart_module.os, "getppid", lambda: -1)
    until(lambda: exits == [1])
    assert heart.gone.is_set()
    heart.stop()


def test_a_database_that_is_away_does_not_stop_the_heart(beating: Heart, monkeypatch: pytest.MonkeyPatch, database: Database) -> None:
    beating.start()
    monkeypatch.setattr(beating, "beat", lambda: (_ for _ in ()).throw(OperationalError("beat", {}, Exception("locked"))))
    beating.say(Actual.IDLE)
    time.sleep(0.2)
    monkeypatch.undo()
    before = row_of(database).heartbeat_at
    beating.say(Actual.BUSY)
    until(lambda: row_of(database).heartbeat_at > before)
    beating.stop()


def test_a_database_that_is_away_does_not_stop_a_worker(road: Road, works: Works, monkeypatch: pytest.MonkeyPatch) -> None:
    road.import_sheet(sheet(1))
    worker, turns = works.worker(), []
    real = EmbeddingWorker._turn

    def turn(self: EmbeddingWorker) -> bool:
        turns.append(1)
        if len(turns) == 1:
            raise OperationalError("claim", {}, Exception("disk full"))
        if len(turns) == 3:
            self._heart.gone.set()
        return real(self)

    monkeypatch.setattr(EmbeddingWorker, "_turn", turn)
    waits: list[float] = []
    monkeypatch.setattr(worker._heart.gone, "wait", lambda seconds: waits.append(seconds) or False)
    worker.run()
    assert waits[0] == 5
    assert road.queue()["embedded"] == 1
