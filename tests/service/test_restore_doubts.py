"""What was inspected and is not what it was, or not what it says; and what hangs while somebody waits."""

from __future__ import annotations

from pathlib import Path

import pytest

from lib.contract.model import utc_now
from lib.service import inspections
from lib.service.config import Config
from lib.service.index.durable import exclusive
from lib.service.index.generations import Generations
from lib.service.index.quarantine import Staged, stage_copy
from lib.service.operations import inspections as operations
from lib.service.storage.database import Database
from lib.service.storage.settings import put_setting
from tests.service.lying_sets import without_rows
from tests.service.probes import services_of
from tests.service.road import Road, sheet
from tests.service.test_restore import ROWS, assert_index_is_the_table, inspect, inspect_file, restore, take


@pytest.fixture
def filled(road: Road) -> Road:
    road.fill(sheet(*range(ROWS)))
    return road


@pytest.mark.feature("N5", "M3")
def test_a_set_that_lacks_rows_it_should_have_is_flagged_and_brought_up_to_date_when_served(
    filled: Road, config: Config, database: Database
) -> None:
    folder = config.snapshots_dir / take(filled)
    filled.fill(sheet(ROWS, ROWS + 1))
    report = inspect_file(filled, without_rows(folder, keep=ROWS - 7), "mine.switchyard.tar")
    assert (report["verdict"], report["comparison"]["only_in_table"]) == ("worse", 9)
    assert report["flags"] == [f"It lacks 7 of the {ROWS} unchanged rows that the table had when it was made."]
    restore(filled, report)
    assert_index_is_the_table(filled, config, database)


@pytest.mark.feature("N5")
def test_going_back_and_searching_a_strange_file_do_not_wait_for_what_hangs(
    filled: Road, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = inspect(filled, take(filled))
    restore(filled, report)
    there = services_of(filled).inspections
    monkeypatch.setattr(inspections, "SEARCH_WAIT_SECONDS", 0.0)
    monkeypatch.setattr(there, "_generations", Generations(config.index_dir, lock_seconds=0.0))
    with there._searching, exclusive(config.index_dir / ".lock", timeout_seconds=0):
        back = filled.api.post("/api/index/go-back", json={})
        searched = filled.api.post(f"/api/inspections/{report['inspection_id']}/search", json={"text": "advice 4"})
    assert [(each.status_code, each.json()["code"]) for each in (back, searched)] == [(409, "not_ready")] * 2
    assert filled.get("/api/index")["generation"] == 2
    assert [each for each in filled.get("/api/audit")["items"] if each["action"] == "go_back"] == [], "nothing was done"
    assert filled.api.post("/api/index/go-back", json={}).status_code == 200


@pytest.mark.feature("N5")
@pytest.mark.parametrize("deleted", [True, False])
def test_a_snapshot_deleted_while_it_is_taken_in_is_gone_and_one_that_lost_a_file_is_refused(
    filled: Road, config: Config, monkeypatch: pytest.MonkeyPatch, deleted: bool
) -> None:
    snapshot_id = take(filled)
    real = stage_copy

    def lose_it_first(source: Path, folder: Path) -> Staged:
        if deleted:
            assert filled.api.delete(f"/api/snapshots/{snapshot_id}", params={"typed_name": "mine"}).status_code == 204
        else:
            (source / "ids.npy").unlink()
        return real(source, folder)

    monkeypatch.setattr(operations, "stage_copy", lose_it_first)
    job = filled.run("inspect", source={"kind": "snapshot", "snapshot_id": snapshot_id})
    told = (job["state"], (job["error"] or {}).get("code"), (job["result"] or {}).get("fault"))
    assert told == (("failed", "snapshot_missing", None) if deleted else ("succeeded", None, "bad_archive"))
    assert (config.quarantine_dir / job["job_id"]).exists() is not deleted, "what failed leaves nothing"


@pytest.mark.feature("N5")
def test_what_was_inspected_with_another_model_is_not_served(filled: Road) -> None:
    report = inspect(filled, take(filled))
    with filled.works.database.write() as connection:
        put_setting(connection, "embedding.embedder", "openai", by="somebody", now=utc_now())
    shown = filled.get(f"/api/inspections/{report['inspection_id']}")["gate"]
    refused = filled.start("restore", inspection_id=report["inspection_id"], typed_name=report["name"])
    assert (refused.status_code, refused.json()["gate"]) == (409, shown)
    assert (shown["reason_code"], "another model" in shown["reason_text"]) == ("not_restorable", True)


@pytest.mark.feature("N5")
def test_what_stands_around_a_name_and_is_not_seen_need_not_be_typed(filled: Road) -> None:
    data = filled.api.get(f"/api/snapshots/{take(filled)}/file").content
    report = inspect_file(filled, data, " mine.switchyard.tar")
    restore(filled, report | {"name": "mine.switchyard.tar"})
