"""How many workers a machine runs: durable, within bounds, and those too many finish what they hold before they end."""

from __future__ import annotations

import socket
from typing import Any

import pytest
import sqlalchemy as sa

from lib.contract.states import Actual
from lib.service import scale
from lib.service.config import Config
from lib.service.storage import schema
from lib.service.storage.database import Database
from tests.service.road import Road
from tests.service.works import Works


@pytest.fixture
def crew(road: Road, works: Works, database: Database, config: Config) -> Road:
    """A machine with two places, both filled."""
    scale.claim_crew(database, config.model_copy(update={"workers": 2}))
    for number in (1, 2):
        works.heart(scale.worker_name(number))
    return road


def to(road: Road, embedding: int, **more: Any) -> Any:
    return road.api.post("/api/workers/scale", json={"embedding": embedding, **more})


def workers(road: Road) -> dict[str, dict[str, Any]]:
    return {worker["worker_id"]: worker for worker in road.get("/api/workers")["workers"]}


@pytest.mark.feature("W7")
def test_a_chosen_number_outlasts_a_restart_and_what_the_environment_says(crew: Road, database: Database, config: Config) -> None:
    assert to(crew, 3, expected=2).status_code == 202
    scale.claim_crew(database, config.model_copy(update={"workers": 1}))
    assert scale.count_crew(database) == 3
    (told,) = crew.get("/api/workers")["crews"]
    assert (told["host"], told["embedding"]) == (socket.gethostname(), 3)
    assert told["changed_by"]
    assert to(crew, 17).status_code == 422
    assert to(crew, 3).json()["gate"]["reason_code"] == "already_so"
    assert to(crew, 1, expected=2).json()["gate"]["reason_code"] == "changed_since_shown"
    assert crew.get("/api/shift")["entries"][0]["text"].startswith("Added 1 embedding worker")


@pytest.mark.feature("W7")
def test_a_removed_worker_drains_is_gone_when_it_holds_nothing_and_comes_back_as_new(crew: Road, works: Works, database: Database) -> None:
    with database.write() as connection:
        connection.execute(sa.update(schema.workers).values(holding=5, actual=Actual.BUSY))
    to(crew, 1)
    found = workers(crew)
    assert (found["embedding-1"]["desired"], found["embedding-2"]["desired"]) == ("running", "draining")
    assert not scale.is_drained(database, "embedding-2"), "it still holds rows"
    to(crew, 2)
    assert workers(crew)["embedding-2"]["desired"] == "running", "called off before it had gone"
    to(crew, 1)
    with database.write() as connection:
        connection.execute(sa.update(schema.workers).values(holding=0))
    assert scale.is_drained(database, "embedding-2")
    assert not scale.is_drained(database, "embedding-1"), "one that is wanted is never taken for one that may go"
    scale.forget_worker(database, "embedding-2")
    assert set(workers(crew)) == {"embedding-1"}
    to(crew, 2)
    works.heart("embedding-2")
    assert workers(crew)["embedding-2"]["desired"] == "running"


def test_where_no_service_keeps_workers_running_there_is_nothing_to_scale(road: Road) -> None:
    assert to(road, 3).status_code == 404
