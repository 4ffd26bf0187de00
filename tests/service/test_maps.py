"""The map over HTTP: laid out by a job, served as Arrow, kept over refreshes, whole after a death."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from lib.contract.maps import FIELD_COLUMN
from lib.service.index import maps as maps_module
from lib.service.index.maps import MAP_FILE, Maps
from lib.service.operations import maps as operation
from tests.service.road import Road, csv_of, sheet
from tests.service.test_restore_kills import Killed, after, die


def lay_out(road: Road, **request: Any) -> dict[str, Any]:
    answer = road.start("map", **request)
    assert answer.status_code == 202, answer.text
    road.works.perform_all()
    job = road.job(answer.json()["job_id"])
    assert job["state"] == "succeeded", job["error"]
    latest: dict[str, Any] = road.get("/api/index/map")["latest"]
    assert latest["map_id"] == job["job_id"]
    return latest


def points_path(road: Road) -> str:
    return f"/api/index/map/{road.get('/api/index/map')['latest']['map_id']}/points"


def points_of(road: Road) -> pa.Table:
    answer = road.api.get(points_path(road))
    assert answer.status_code == 200, answer.text
    assert hashlib.sha256(answer.content).hexdigest() == road.get("/api/index/map")["latest"]["points_sha256"]
    return pa.ipc.open_stream(answer.content).read_all()


@pytest.mark.feature("M5", "N9")
def test_the_map_holds_each_row_of_the_index_once_with_what_is_known_of_it(road: Road) -> None:
    road.fill(
        csv_of(("a", "the customer cannot log in", "ann"), ("b", "the customer cannot log in", "bob"), ("c", "refund the invoice", ""))
    )
    latest = lay_out(road)
    table = points_of(road)
    assert (latest["points"], latest["vectors"], latest["fields"]) == (3, 3, ["owner"])
    assert table.column("key").to_pylist() == ["a", "b", "c"]
    assert table.column(f"{FIELD_COLUMN}owner").to_pylist() == ["ann", "bob", ""]
    assert table.column("words").to_pylist()[2] == "refund the invoice"
    assert set(table.column("source").to_pylist()) == {"sheet.csv"}
    assert set(table.column("state").to_pylist()) == {"searchable"}
    assert table.column("nearest_key").to_pylist()[:2] == ["b", "a"]
    assert table.column("nearest_cosine").to_pylist()[0] == pytest.approx(1.0, abs=1e-5)
    assert latest["near_duplicates"] == 2
    assert sum(region["points"] for region in latest["regions"]) == 3
    assert "customer" in {word for region in latest["regions"] for word in region["words"]}


@pytest.mark.feature("M5")
def test_after_a_refresh_only_what_changed_moves(road: Road) -> None:
    road.fill(sheet(*range(30)))
    lay_out(road)
    before = points_of(road).to_pylist()
    road.fill(sheet(3, text="something quite different {}"))
    reading = road.get("/api/index/map")
    assert reading["generation"] > reading["latest"]["generation"], "the page can say that the index is newer than the map"
    latest = lay_out(road)
    after = points_of(road).to_pylist()
    assert latest["kept"] == 29
    moved = [mine["key"] for mine, theirs in zip(after, before, strict=True) if (mine["x"], mine["y"]) != (theirs["x"], theirs["y"])]
    assert moved == ["k3"]
    assert lay_out(road, anew=True)["kept"] == 0
    assert lay_out(road, layout="fine")["kept"] == 0, "a coarse map says nothing of a fine one"


def test_the_points_are_not_sent_again_to_who_has_them_and_there_are_none_before_the_first_map(road: Road) -> None:
    assert road.get("/api/index/map") | {"taken_at": None} == {"latest": None, "generation": None, "taken_at": None}
    assert road.api.get(f"/api/index/map/{'0' * 32}/points").status_code == 404
    road.fill(sheet(1, 2))
    lay_out(road)
    path = points_path(road)
    first = road.api.get(path)
    assert road.api.get(path, headers={"If-None-Match": first.headers["ETag"]}).status_code == 304


def test_a_map_half_written_is_no_map_and_the_next_one_sweeps_it_away(road: Road) -> None:
    road.fill(sheet(1, 2, 3))
    kept = lay_out(road)
    folder = road.works.config.maps_dir
    (folder / "building-dead").mkdir()
    (folder / "torn").mkdir()
    (folder / "torn" / MAP_FILE).write_text('{"map_id": "torn"')
    newest = Maps(folder).newest()
    assert newest is not None
    assert newest.map_id == kept["map_id"]
    latest = lay_out(road)
    assert {path.name for path in folder.iterdir()} == {kept["map_id"], latest["map_id"]}, "somebody may be looking at the one before"
    newer = lay_out(road)
    assert {path.name for path in folder.iterdir()} == {latest["map_id"], newer["map_id"]}


#: where the layout of a map dies: what is replaced, by what
MOMENTS: dict[str, tuple[Any, str, Any]] = {
    "while it reads the vectors": (operation, "narrow", die),
    "before it is placed": (operation, "lay_out", die),
    "after its points are written": (maps_module, "write_synced", after(maps_module.write_synced)),
    "before it has its name": (maps_module, "sync_folder", die),
    "after it has its name": (Path, "rename", after(Path.rename)),
}


@pytest.mark.feature("M5", "X3")
@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_at_any_step_the_old_map_or_the_new_one_is_there_whole_and_the_next_life_finishes_it(
    road: Road, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    road.fill(sheet(*range(8)))
    old = lay_out(road)
    road.fill(sheet(*range(12)))
    job_id = road.start("map").json()["job_id"]
    with monkeypatch.context() as killing:
        killing.setattr(*MOMENTS[moment])
        with pytest.raises(Killed):
            road.works.perform(job_id)
    there = road.get("/api/index/map")["latest"]
    assert there["map_id"] == (job_id if moment == "after it has its name" else old["map_id"])
    assert len(points_of(road)) == there["points"] == (12 if there["map_id"] == job_id else 8)
    road.works.perform(job_id)
    assert road.job(job_id)["state"] == "succeeded"
    assert road.get("/api/index/map")["latest"]["map_id"] == job_id
    assert len(points_of(road)) == 12
    left = {path.name for path in road.works.config.maps_dir.iterdir()}
    assert left == {old["map_id"], job_id}, "nothing half-made stays"


def test_a_layout_that_cannot_be_read_is_begun_anew(road: Road) -> None:
    road.fill(sheet(1, 2, 3))
    first = lay_out(road)
    (road.works.config.maps_dir / first["map_id"] / "layout.npz").write_bytes(b"PK half a file")
    assert lay_out(road)["kept"] == 0


def test_a_row_that_was_removed_since_is_not_on_the_map(road: Road) -> None:
    road.fill(sheet(1, 2, 3))
    plan = road.preview(sheet(1, 2), mode="mirror")
    assert road.post_import(plan["plan_id"], approve_removals=1).status_code == 202
    answer = road.start("map")
    road.works.perform_all()
    assert road.job(answer.json()["job_id"])["state"] == "succeeded"
    assert points_of(road).column("key").to_pylist() == ["k1", "k2"]
