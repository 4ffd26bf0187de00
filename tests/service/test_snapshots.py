"""Saved copies of the index: complete, the same for the same index, taken before anything destructive, deleted by name only."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest

from lib.contract.model import utc_now
from lib.service.config import Config
from lib.service.index.manifest import INDEX_FILE
from lib.service.snapshots import KEPT_AUTOMATIC, KEPT_FOR_DOWNLOAD, sweep_snapshots
from lib.service.storage import schema
from lib.service.storage import snapshots as rows
from lib.service.storage.database import Database
from lib.service.storage.entries import hash_table
from tests.service.probes import hash_files, rows_of
from tests.service.road import Road, sheet
from tests.service.snapshots import snapshots, take


@pytest.fixture
def filled(road: Road) -> Road:
    road.fill(sheet(*range(20)))
    return road


def delete(road: Road, snapshot_id: str, typed_name: str = "") -> Any:
    return road.api.delete(f"/api/snapshots/{snapshot_id}", params={"typed_name": typed_name})


@pytest.mark.feature("N4")
def test_a_snapshot_is_a_complete_set_with_a_checksum_of_each_file(filled: Road, config: Config, database: Database) -> None:
    snapshot = take(filled, name="before the summer", note="as agreed")
    folder = config.snapshots_dir / snapshot["snapshot_id"]
    assert set(hash_files(folder)) == {"index.faiss", "ids.npy", "manifest.json"}
    manifest = json.loads((folder / "manifest.json").read_bytes())
    index = filled.get("/api/index")
    assert (manifest["generation"], manifest["vectors"], manifest["dimension"], manifest["metric"]) == (1, 20, 16, "inner_product")
    assert manifest["fingerprint"] == filled.works.embedder.fingerprint
    assert manifest["faiss_version"] == faiss.__version__
    for name, facts in manifest["files"].items():
        data = (folder / name).read_bytes()
        assert (facts["sha256"], facts["size_bytes"]) == (hashlib.sha256(data).hexdigest(), len(data)), name
    assert manifest["files"][INDEX_FILE]["sha256"] == index["sha256"] == snapshot["sha256"]
    ids = np.load(folder / "ids.npy", allow_pickle=False)
    assert manifest["ids_sha256"] == hashlib.sha256(ids.astype("<i8").tobytes()).hexdigest()
    assert ids.tolist() == sorted(row["entry_id"] for row in rows_of(database, schema.entries))
    with database.read() as connection:
        assert manifest["table_sha256"] == hash_table(connection), "of which rows it was made"
    assert faiss.read_index(str(folder / INDEX_FILE)).ntotal == 20
    assert {"name": "before the summer", "note": "as agreed", "generation": 1, "vectors": 20, "dimension": 16,
            "embedder": "fake-16", "automatic": False}.items() <= snapshot.items()  # fmt: skip
    assert snapshot["size_bytes"] == sum(path.stat().st_size for path in folder.iterdir())
    assert snapshot["taken_by"] == filled.job(snapshot["job_id"])["requested_by"]


@pytest.mark.feature("N4")
def test_the_same_index_and_the_same_table_give_the_same_bytes(filled: Road, config: Config) -> None:
    first, second = take(filled), take(filled)
    one, two = (hash_files(config.snapshots_dir / each["snapshot_id"]) for each in (first, second))
    assert one == two
    filled.fill(sheet(20))
    third = take(filled)
    assert hash_files(config.snapshots_dir / third["snapshot_id"])["manifest.json"] != one["manifest.json"]
    assert [each["snapshot_id"] for each in snapshots(filled)] == [each["snapshot_id"] for each in (third, second, first)], "newest first"
    assert first["name"].startswith("snapshot 20"), "one without a name is called by its time"


@pytest.mark.feature("N4")
def test_an_index_file_that_has_changed_since_it_was_published_is_not_saved(filled: Road, config: Config) -> None:
    path = config.index_dir / "generation-000001" / INDEX_FILE
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    job = filled.run("snapshot")
    assert (job["state"], job["error"]["code"], job["error"]["action"][:17]) == ("failed", "index_damaged", "Rebuild the index")
    assert "has changed since it was published" in job["error"]["detail"]
    assert (snapshots(filled), list(config.snapshots_dir.iterdir())) == ([], [])


@pytest.mark.feature("N4")
def test_a_snapshot_that_is_killed_and_taken_up_again_is_whole(filled: Road, config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    job_id = filled.start("snapshot").json()["job_id"]
    with monkeypatch.context() as killing:  # after the files, before the row
        killing.setattr(rows, "put_snapshot", lambda *_, **__: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            filled.works.perform(job_id)
    before = hash_files(config.snapshots_dir)
    assert snapshots(filled) == []
    filled.works.perform(job_id)
    assert filled.job(job_id)["state"] == "succeeded"
    assert hash_files(config.snapshots_dir) == before, "made anew, and the same"
    assert [each["job_id"] for each in snapshots(filled)] == [job_id]


def test_a_snapshot_when_no_generation_was_built_yet_says_so(road: Road) -> None:
    road.import_sheet(sheet(1))
    road.embed()
    job = road.run("snapshot")
    assert (job["state"], job["error"]["code"]) == ("failed", "no_index")


@pytest.mark.parametrize(("how", "expected"), [("merge", []), ("mirror", ["before import"]), ("undo", ["before undo"])])
def test_a_safety_snapshot_is_taken_before_rows_are_removed_and_before_an_undo(filled: Road, how: str, expected: list[str]) -> None:
    last = filled.get("/api/jobs", operation="import")["items"][0]
    if how == "undo":
        job_id = filled.run(f"import/{last['job_id']}/undo")["job_id"]
    else:
        job_id = filled.import_sheet(sheet(*range(1, 21), text="other {}"), mode=how)["job_id"]
    taken = snapshots(filled)
    assert [each["name"] for each in taken] == [f"{name} {job_id[:8]}" for name in expected]
    assert all(each["automatic"] and each["vectors"] == 20 and each["job_id"] == job_id for each in taken)


def test_what_removes_rows_works_without_an_index_too(road: Road) -> None:
    road.import_sheet(sheet(1, 2))
    job = road.import_sheet(sheet(2), mode="mirror")
    assert (job["result"]["removed"], snapshots(road)) == (1, [])


def test_deleting_a_snapshot_needs_its_name_typed(filled: Road, config: Config) -> None:
    snapshot = take(filled, name="  keep me  ")
    snapshot_id, folder = snapshot["snapshot_id"], config.snapshots_dir / snapshot["snapshot_id"]
    assert snapshot["name"] == "keep me", "what nobody sees, nobody has to type"
    for typed in ("", "keep", "KEEP ME"):
        answer = delete(filled, snapshot_id, typed)
        gate = answer.json()["gate"]
        assert (answer.status_code, gate["reason_code"], gate["holder"], gate["fix_link"]) == (409, "name_not_typed", snapshot_id, "/Index")
        assert "keep me" in gate["reason_text"]
    assert folder.is_dir()
    assert delete(filled, snapshot_id, " keep me ").status_code == 204
    assert (snapshots(filled), folder.exists()) == ([], False)
    assert delete(filled, snapshot_id, "keep me").status_code == 404
    trace = filled.get("/api/audit", object_id=snapshot_id)["items"]
    assert [action["outcome"] for action in trace if action["action"] == "delete_snapshot"] == ["done", *["refused: name_not_typed"] * 3]
    assert trace[0]["before"]["sha256"] == snapshot["sha256"]


@pytest.mark.parametrize("name", ["two  spaces", "two\nlines", "Gro\u0308\u00dfe", "\u202eturned", "wide\u00a0space"])
def test_what_a_page_does_not_show_of_a_name_need_not_be_typed(filled: Road, name: str) -> None:
    shown = {"two  spaces": "two spaces", "two\nlines": "two lines", "Gro\u0308\u00dfe": "Gr\u00f6\u00dfe", "\u202eturned": "turned"}
    snapshot_id = take(filled, name=name)["snapshot_id"]
    assert delete(filled, snapshot_id, "").status_code == 409
    assert delete(filled, snapshot_id, shown.get(name, "wide space")).status_code == 204


def test_a_name_of_which_nothing_is_seen_is_none(filled: Road) -> None:
    snapshot = take(filled, name="\u200b \u202e")
    assert snapshot["name"].startswith("snapshot 20")
    answer = filled.api.put(f"/api/snapshots/{snapshot['snapshot_id']}", json={"name": "\u200b"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/name")


def test_the_sweep_keeps_five_automatic_ones_and_all_that_people_took(filled: Road, config: Config, database: Database) -> None:
    mine = take(filled, name="mine")
    with database.write() as connection:
        about = dict(rows.get_snapshot(connection, mine["snapshot_id"]) or ())
        for number in range(KEPT_AUTOMATIC + 2):
            told = {"snapshot_id": f"safety-{number}", "name": f"before {number}", "automatic": True, "taken_at": utc_now()}
            rows.put_snapshot(connection, **(about | told))
            (config.snapshots_dir / f"safety-{number}").mkdir()
    with database.write() as connection:
        rows.change_snapshot(connection, "safety-0", pinned=True)
    names = [each["name"] for each in snapshots(filled, automatic=True)]
    assert names == [f"before {number}" for number in reversed(range(7))]
    for folder in config.snapshots_dir.iterdir():
        os.utime(folder, (0, 0))
    sweep_snapshots(database, config)
    page = filled.get("/api/snapshots")
    assert page["kept"] == KEPT_AUTOMATIC == 5
    assert [each["name"] for each in page["items"]] == [*names[:5], "before 0", "mine"], "the oldest go first, but for the pinned"
    assert {path.name for path in config.snapshots_dir.iterdir()} == {each["snapshot_id"] for each in page["items"]}
    assert mine["snapshot_id"] in {each["snapshot_id"] for each in page["items"]}


@pytest.mark.feature("N4")
def test_one_that_somebody_downloads_is_not_swept_until_they_have_had_the_time_to_go_on(
    filled: Road, config: Config, database: Database
) -> None:
    filled.run("rebuild")
    (wanted,) = snapshots(filled, automatic=True)
    address = f"/api/snapshots/{wanted['snapshot_id']}/file"
    whole = filled.api.get(address).content
    for _ in range(KEPT_AUTOMATIC + 1):
        filled.run("rebuild")
    sweep_snapshots(database, config)
    assert len(snapshots(filled)) == KEPT_AUTOMATIC + 1
    assert filled.api.get(address, headers={"Range": "bytes=600-"}).content == whole[600:]
    with database.write() as connection:
        rows.change_snapshot(connection, wanted["snapshot_id"], fetched_at=utc_now() - KEPT_FOR_DOWNLOAD)
    sweep_snapshots(database, config)
    assert len(snapshots(filled)) == KEPT_AUTOMATIC
    assert filled.api.get(address).status_code == 404


@pytest.mark.feature("N4")
def test_halves_of_killed_copies_are_swept_once_no_job_can_be_at_them(
    filled: Road, config: Config, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = config.snapshots_dir / take(filled)["snapshot_id"]
    half, young, vanishing = (config.snapshots_dir / name for name in (f".{'a' * 32}.part", f".{'b' * 32}.part", f".{'c' * 32}.part"))
    for folder in (half, young, vanishing):
        shutil.copytree(whole, folder)
    os.utime(half, (time.time() - 7200,) * 2)
    os.utime(whole, (0, 0))
    real = Path.iterdir

    def list_and_lose_one(folder: Path) -> Iterator[Path]:
        found = list(real(folder))
        shutil.rmtree(vanishing, ignore_errors=True)  # it got its final name this moment
        return iter(found)

    monkeypatch.setattr(Path, "iterdir", list_and_lose_one)
    sweep_snapshots(database, config)
    assert [folder.exists() for folder in (whole, half, young)] == [True, False, True]
