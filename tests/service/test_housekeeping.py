"""What happens by itself: the index follows the vectors, and what is old goes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from lib.contract.model import utc_now
from lib.contract.states import Operation
from lib.service import housekeeping
from lib.service.config import Config
from lib.service.housekeeping import Housekeeping
from lib.service.index.durable import exclusive, sha256_of
from lib.service.operations import counting
from lib.service.retention import drop_the_old
from lib.service.storage import schema
from lib.service.storage.database import Database
from tests.service.probes import until
from tests.service.road import Road, csv_of, sheet
from tests.service.snapshots import take


class NoEngine:
    """An executor to which nothing was ever given."""

    incarnation = "this one"

    def list_taken(self) -> dict[str, str]:
        return {}

    def find_ended(self, _: Any) -> set[str]:
        return set()


@pytest.fixture
def house(road: Road) -> Housekeeping:
    services = road.api.app.state.services  # type: ignore[attr-defined]
    return Housekeeping(services.database, services.config, services.queue, NoEngine(), in_hand=[])  # type: ignore[arg-type]


def refreshes(road: Road) -> list[str]:
    return [job["state"] for job in road.get("/api/jobs", operation="refresh")["items"]]


def let_time_pass(database: Database, by: timedelta) -> None:
    """The last refresh ended so much earlier."""
    with database.write() as connection:
        refresh = schema.jobs.c.operation == Operation.REFRESH
        connection.execute(sa.update(schema.jobs).where(refresh).values(started_at=utc_now() - by, finished_at=utc_now() - by))


def keep_and_perform(road: Road, house: Housekeeping) -> None:
    house.keep()
    road.works.perform_all()


def test_after_an_import_the_index_follows_by_itself(road: Road, house: Housekeeping) -> None:
    keep_and_perform(road, house)
    assert refreshes(road) == [], "nothing to take up"
    road.import_sheet(sheet(1, 2))
    keep_and_perform(road, house)
    assert refreshes(road) == [], "no vector yet"
    road.embed()
    house.keep()
    house.keep()
    assert refreshes(road) == ["queued"], "one is enough"
    road.works.perform_all()
    assert (road.get("/api/index")["vectors"], road.get("/api/index")["unindexed"]) == (2, 0)
    keep_and_perform(road, house)
    assert refreshes(road) == ["succeeded"]
    assert road.get("/api/jobs", operation="refresh")["items"][0]["requested_by"] == "switchyard"


def test_with_the_manual_setting_nothing_happens_by_itself(road: Road, house: Housekeeping) -> None:
    road.api.put("/api/settings/index.refresh", json={"value": "manual"})
    road.import_sheet(sheet(1))
    road.embed()
    keep_and_perform(road, house)
    assert refreshes(road) == []
    road.api.put("/api/settings/index.refresh", json={"value": "automatic"})
    keep_and_perform(road, house)
    assert refreshes(road) == ["succeeded"]


@pytest.mark.feature("N5", "M3")
def test_a_generation_people_went_back_to_stays_until_they_ask_for_another(road: Road, house: Housekeeping) -> None:
    def is_served(generation: int, *, turned_back: bool = False) -> None:
        """In a moment: while it is being opened the one before is told of, and what is said is said of that."""
        wanted = {"generation": generation, "turned_back": turned_back}
        until(lambda: wanted.items() <= road.get("/api/index").items())

    road.fill(sheet(1))
    road.run("rebuild")
    is_served(2)
    road.api.post("/api/index/go-back", json={"generation": 1})
    road.import_sheet(sheet(1, 2))
    assert road.queue()["searchable_high_seconds"] is None, "that depends on a person now"
    road.embed()
    before = refreshes(road)
    keep_and_perform(road, house)
    assert refreshes(road) == before, "nobody asked for another"
    is_served(1, turned_back=True)
    assert road.get("/api/index")["unindexed"] == 1
    assert road.run("refresh")["result"]["generation"] == 3
    is_served(3)
    road.import_sheet(sheet(1, 2, 3))
    road.embed()
    keep_and_perform(road, house)
    is_served(4)
    assert road.get("/api/index")["vectors"] == 3, "from then on it is brought up to date by itself again"
    road.api.post("/api/index/go-back", json={"generation": 3})
    is_served(3, turned_back=True)
    road.api.post("/api/index/go-back", json={"generation": 4})
    is_served(4)


def test_removals_before_the_first_generation_start_nothing(road: Road, house: Housekeeping) -> None:
    road.import_sheet(sheet(1))
    road.embed()
    road.import_sheet(sheet(2), mode="mirror")
    for _ in range(3):
        keep_and_perform(road, house)
    assert refreshes(road) == [], "there is no index they would have to leave"


def test_a_table_emptied_of_its_vectors_empties_the_index(
    road: Road, house: Housekeeping, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "REFRESH_MIN_SECONDS", 600.0)  # however slow the machine is
    road.fill(sheet(1))
    road.import_sheet(csv_of(("other", "not embedded", "")), mode="mirror")
    keep_and_perform(road, house)
    assert road.get("/api/index")["unindexed"] == 1, "while the queue drains there is a pause between two refreshes"
    let_time_pass(database, timedelta(seconds=601))
    keep_and_perform(road, house)
    assert (road.get("/api/index")["vectors"], road.get("/api/index")["unindexed"]) == (0, 0)


def test_a_refresh_that_failed_is_not_tried_at_every_moment(road: Road, house: Housekeeping, database: Database) -> None:
    road.import_sheet(sheet(1))
    road.embed()
    real = road.works.operations[Operation.REFRESH]
    road.works.operations[Operation.REFRESH] = lambda _: (_ for _ in ()).throw(ZeroDivisionError)
    for _ in range(3):
        keep_and_perform(road, house)
    assert refreshes(road) == ["failed"]
    road.works.operations[Operation.REFRESH] = real
    let_time_pass(database, timedelta(seconds=31))
    keep_and_perform(road, house)
    assert refreshes(road) == ["succeeded", "failed"]


def test_of_the_generations_the_served_one_and_the_one_before_stay(road: Road, house: Housekeeping, config: Config) -> None:
    road.fill(sheet(1))
    house.keep()
    for number in (2, 3):
        road.fill(sheet(number))
    assert len(list(config.index_dir.glob("generation-*"))) == 3, "no job waits for the disk to give up an old one"
    house.keep()
    assert sorted(path.name for path in config.index_dir.glob("generation-*")) == ["generation-000002", "generation-000003"]


@pytest.mark.feature("N1", "N4")
def test_a_refreshed_index_gets_its_sha256_a_moment_later_or_with_its_snapshot(road: Road, house: Housekeeping, config: Config) -> None:
    road.fill(sheet(*range(30)))
    road.fill(sheet(*range(31)))
    path = config.index_dir / "generation-000002" / "index.faiss"
    assert (road.get("/api/index")["generation"], road.get("/api/index")["sha256"]) == (2, None)
    house.keep()
    assert road.get("/api/index")["sha256"] == sha256_of(path)
    road.fill(sheet(*range(32)))
    assert road.get("/api/index")["sha256"] is None
    assert take(road)["sha256"] == road.get("/api/index")["sha256"] == sha256_of(config.index_dir / "generation-000003" / "index.faiss")


def test_what_is_old_goes_and_the_column_names_of_the_last_import_stay(road: Road, database: Database, config: Config) -> None:
    road.import_sheet(sheet(1))
    road.preview(sheet(2))
    job, file = road.export()
    assert len(list(config.uploads_dir.iterdir())) == 2
    long_ago = utc_now() - timedelta(days=31)
    with database.write() as connection:
        for table in (schema.plans, schema.uploads):
            connection.execute(sa.update(table).values(created_at=long_ago))
        connection.execute(sa.update(schema.exports).values(expires_at=long_ago))
    drop_the_old(database, config)
    assert list(config.uploads_dir.iterdir()) == []
    assert list(config.exports_dir.iterdir()) == []
    assert road.api.get(f"/api/exports/{job['result']['export_id']}/file").status_code == 404
    with database.read() as connection:
        assert [row.state for row in connection.execute(sa.select(schema.plans))] == ["applied"]
    assert road.export()[1] == file, "the key is still called as in the sheet"
    assert road.keys() == {"k1": "advice 1"}


@pytest.mark.feature("N5")
def test_what_was_removed_is_remembered_as_long_as_a_generation_that_holds_it_is_on_disk(
    road: Road, database: Database, config: Config
) -> None:
    road.fill(sheet(*range(30)))
    road.import_sheet(sheet(*range(29)), mode="mirror", approve_removals=1)
    road.run("refresh")
    road.fill(sheet(40))
    with exclusive(config.index_dir / ".lock", timeout_seconds=0):  # as while something is published: nothing is swept
        drop_the_old(database, config)
    assert road.api.post("/api/index/go-back", json={"generation": 1}).json()["served"] == 1
    assert road.run("refresh")["result"]["generation"] == 4
    index = road.get("/api/index")
    assert (index["vectors"], index["unindexed"], index["last_check"]["disagree"]) == (30, 0, 0)


@pytest.mark.feature("N6", "M6")
def test_a_large_index_is_counted_once_nothing_else_runs_and_not_again_for_a_while(
    road: Road, house: Housekeeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "COUNTED_AT_ONCE", 1)
    monkeypatch.setattr(housekeeping, "COUNTED_AT_ONCE", 1)
    monkeypatch.setattr(housekeeping, "COUNT_LOOK_SECONDS", 0.0)
    checks = lambda: [job["state"] for job in road.get("/api/jobs", operation="check")["items"]]  # noqa: E731
    road.fill(sheet(1, 2))
    assert road.get("/api/index")["last_check"] is None, "not by the job that made it"
    house.keep()
    house.keep()
    assert checks() == ["queued"]
    road.works.perform_all()
    assert (road.get("/api/index")["last_check"]["disagree"], road.get("/api/index/check")["looked"]) == (0, None), "it counts, no more"
    road.run("rebuild")
    house.keep()
    assert checks() == ["succeeded"], "the new generation has its turn later"
    monkeypatch.setattr(housekeeping, "COUNT_EVERY", timedelta(0))
    house.keep()
    assert checks() == ["queued", "succeeded"]
