"""A snapshot inspected, restored and gone back from: the table stays as it is, and the index ends as the table says."""

from __future__ import annotations

import hashlib
import io
import shutil
import tarfile
from typing import Any

import faiss
import numpy as np
import pytest

from lib.service.config import Config
from lib.service.index.generations import Generations
from lib.service.index.stored import ids_of
from lib.service.storage import schema
from lib.service.storage.database import Database
from tests.service.index.files import read_proven
from tests.service.lying_sets import rebuilt, shuffled
from tests.service.probes import hash_files, rows_of
from tests.service.road import Road, sheet

ROWS = 60


@pytest.fixture
def filled(road: Road) -> Road:
    road.fill(sheet(*range(ROWS)))
    return road


def take(road: Road, name: str = "mine") -> str:
    snapshot_id: str = road.run("snapshot", name=name)["result"]["snapshot_id"]
    return snapshot_id


def inspect(road: Road, snapshot_id: str) -> dict[str, Any]:
    return report_of(road, {"kind": "snapshot", "snapshot_id": snapshot_id})


def inspect_file(road: Road, data: bytes, name: str, **more: str) -> dict[str, Any]:
    return report_of(road, {"kind": "upload", "upload_id": road.upload(data, name), **more})


def report_of(road: Road, source: dict[str, str]) -> dict[str, Any]:
    job = road.run("inspect", source=source)
    assert job["state"] == "succeeded", job["error"]
    report: dict[str, Any] = road.get(f"/api/inspections/{job['job_id']}")
    return report


def restore(road: Road, report: dict[str, Any]) -> dict[str, Any]:
    job = road.run("restore", inspection_id=report["inspection_id"], typed_name=report["name"])
    assert job["state"] == "succeeded", job["error"]
    return job


def served_ids(config: Config) -> list[int]:
    generations = Generations(config.index_dir)
    current = generations.current()
    assert current is not None
    return np.sort(ids_of(read_proven(generations.folder_of(current)))).tolist()


def table_ids(database: Database) -> list[int]:
    return sorted(row["entry_id"] for row in rows_of(database, schema.embeddings))


def assert_index_is_the_table(road: Road, config: Config, database: Database) -> None:
    """After the next refresh: exactly the table's ids, each with exactly the table's vector."""
    if road.get("/api/index")["unindexed"]:
        assert road.run("refresh")["state"] == "succeeded"
    generations = Generations(config.index_dir)
    index = read_proven(generations.folder_of(generations.current()))
    assert np.sort(ids_of(index)).tolist() == table_ids(database)
    vectors = {(row["content_hash"], row["fingerprint"]): row["vector"] for row in rows_of(database, schema.vectors)}
    for row in rows_of(database, schema.embeddings):
        held = index.reconstruct(row["entry_id"])
        assert np.array_equal(held, np.frombuffer(vectors[row["content_hash"], row["fingerprint"]], "<f4")), row["entry_id"]
    assert road.get("/api/index")["unindexed"] == 0


def found(road: Road, text: str) -> list[str]:
    hits = road.api.post("/api/index/search", json={"text": text, "k": 3}).json()["hits"]
    return [hit["key"] for hit in hits]


@pytest.mark.feature("N5", "M3")
def test_a_good_snapshot_passes_its_inspection(filled: Road) -> None:
    report = inspect(filled, take(filled))
    assert (report["verdict"], report["flags"], report["obstacles"]) == ("good", [], [])
    facts, beside = report["facts"], report["comparison"]
    assert (facts["kind"], facts["vectors"], facts["dimension"], facts["metric"]) == ("IDMap2,Flat", ROWS, 16, "inner_product")
    assert (facts["self_hits"], facts["self_tried"]) == (ROWS, ROWS)
    assert facts["norm_min"] == pytest.approx(1, abs=1e-3)
    assert {row["key"] for row in facts["sample"]} <= {f"k{number}" for number in range(ROWS)}
    assert (beside["in_both"], beside["only_in_file"], beside["only_in_table"], beside["changed"]) == (ROWS, 0, 0, 0)
    assert (beside["compared"], beside["wrong"], beside["recall_ratio"], beside["recall_served_ratio"]) == (ROWS, 0, 1.0, 1.0)
    assert report["gate"]["allowed"] is True


@pytest.mark.feature("N5", "M3")
def test_rows_added_changed_and_removed_since_are_counted_and_do_not_make_it_worse(filled: Road) -> None:
    snapshot_id = take(filled)
    rows = sheet(*range(5, ROWS)) + "".join(line for line in sheet(*range(ROWS, ROWS + 7)).splitlines(True)[1:])
    changed = rows.replace("advice 9,", "something else 9,").replace("advice 10,", "something else 10,")
    filled.fill(changed, mode="mirror", approve_removals=5)
    beside = inspect(filled, snapshot_id)["comparison"]
    assert (beside["in_both"], beside["only_in_file"], beside["only_in_table"], beside["changed"]) == (ROWS - 5, 5, 7, 2)
    assert (beside["compared"], beside["wrong"], beside["recall_ratio"]) == (ROWS - 7, 0, 1.0)


@pytest.mark.feature("N5", "M3")
def test_a_snapshot_with_a_tenth_of_its_vectors_shuffled_is_flagged_and_even_when_served_does_not_stay(
    filled: Road, config: Config, database: Database
) -> None:
    question = {"text": "advice 3", "expected_keys": ["k3"], "k": 1}
    assert filled.api.post("/api/golden", json=question).status_code in (200, 201)
    data = shuffled(config.snapshots_dir / take(filled), share=0.5)
    report = inspect_file(filled, data, "better.switchyard.tar")
    assert report["verdict"] == "worse"
    assert report["comparison"]["wrong"] == ROWS // 2
    assert report["comparison"]["recall_ratio"] < 0.95 < report["comparison"]["recall_served_ratio"]
    assert len(report["flags"]) >= 2
    tenth = inspect_file(filled, shuffled(config.snapshots_dir / take(filled)), "worse.switchyard.tar")
    assert (tenth["verdict"], tenth["comparison"]["wrong"]) == ("worse", ROWS // 10)
    assert f"{ROWS // 10} of {ROWS} unchanged rows hold another vector than the table's." in tenth["flags"]
    restore(filled, report)
    assert filled.get("/api/index")["unindexed"] == ROWS, "nothing of it is believed"
    assert_index_is_the_table(filled, config, database)


@pytest.mark.feature("N5")
def test_after_a_restore_the_next_refresh_brings_exactly_the_differences(road: Road, config: Config, database: Database) -> None:
    road.fill(sheet(*range(ROWS)))
    filled, snapshot_id = road, take(road)
    before = served_ids(config)
    filled.fill(sheet(*range(4, ROWS + 3)).replace("advice 7,", "something else 7,"), mode="mirror", approve_removals=4)
    for _ in range(2):  # the removals of the past are forgotten: the restore must not depend on them
        filled.run("rebuild")
    with database.write() as connection:
        connection.exec_driver_sql("DELETE FROM removals")
    table = rows_of(database, schema.entries)
    job = restore(filled, inspect(filled, snapshot_id))
    assert served_ids(config) == before, "what was saved is served"
    assert rows_of(database, schema.entries) == table, "the table is as it was"
    assert filled.get("/api/index")["unindexed"] == job["result"]["differences"] == 4 + 3 + 1
    assert_index_is_the_table(filled, config, database)
    safety = [each["name"] for each in filled.get("/api/snapshots")["items"] if each["automatic"]]
    assert f"before restore {job['job_id'][:8]}" in safety


@pytest.mark.feature("N5")
def test_a_set_that_speaks_of_the_future_is_served_and_then_brought_up_to_date(filled: Road, config: Config, database: Database) -> None:
    folder = config.snapshots_dir / take(filled)
    data = rebuilt(folder, (folder / "index.faiss").read_bytes(), revision=10**6)
    filled.fill(sheet(*range(ROWS, ROWS + 5)))
    report = inspect_file(filled, data, "future.switchyard.tar")
    assert report["trusted_revision"] is None
    restore(filled, report)
    assert filled.get("/api/index")["unindexed"] == ROWS + 5
    assert_index_is_the_table(filled, config, database)


@pytest.mark.feature("N5")
def test_what_was_downloaded_can_be_uploaded_and_restored_after_its_snapshot_is_gone(
    filled: Road, config: Config, database: Database
) -> None:
    snapshot_id = take(filled)
    data = filled.api.get(f"/api/snapshots/{snapshot_id}/file").content
    filled.api.delete(f"/api/snapshots/{snapshot_id}", params={"typed_name": "mine"})
    report = inspect_file(filled, data, "mine.switchyard.tar", sha256=hashlib.sha256(data).hexdigest())
    assert report["verdict"] == "good"
    job = restore(filled, report)
    assert filled.get("/api/index")["generation"] == job["result"]["generation"] == 2
    assert found(filled, "advice 12")[0] == "k12"
    assert_index_is_the_table(filled, config, database)


@pytest.mark.feature("N5")
def test_nothing_is_served_that_was_not_inspected_approved_by_name_and_still_the_same(filled: Road, config: Config) -> None:
    report = inspect(filled, take(filled))
    ident, name = report["inspection_id"], report["name"]
    refused = filled.start("restore", inspection_id=ident, typed_name="another")
    assert (refused.status_code, refused.json()["gate"]["reason_code"]) == (409, "name_not_typed")
    assert filled.start("restore", inspection_id="0" * 32, typed_name=name).status_code == 404
    path = config.quarantine_dir / ident / "index.faiss"
    data = bytearray(path.read_bytes())
    path.unlink()
    path.write_bytes(bytes([*data[:-1], data[-1] ^ 1]))
    job = filled.run("restore", inspection_id=ident, typed_name=name)
    assert (job["state"], job["error"]["code"]) == ("failed", "candidate_changed")
    assert filled.get("/api/index")["generation"] == 1
    shutil.rmtree(config.quarantine_dir / ident)
    assert filled.start("restore", inspection_id=ident, typed_name=name).status_code == 410
    assert filled.api.get(f"/api/inspections/{ident}").status_code == 410


@pytest.mark.feature("N5")
def test_one_click_goes_back_and_another_forward_again_and_both_leave_a_trace(filled: Road, config: Config, database: Database) -> None:
    assert filled.get("/api/index/go-back")["gate"]["reason_code"] == "no_earlier_generation"
    assert filled.api.post("/api/index/go-back", json={}).status_code == 409
    restore(filled, inspect(filled, take(filled)))
    offered = filled.get("/api/index/go-back")
    assert (offered["served"], offered["previous"], offered["gate"]["allowed"]) == (2, 1, True)
    files = hash_files(config.index_dir / "generation-000002")
    assert filled.api.post("/api/index/go-back", json={"expected": 2}).status_code == 200
    assert filled.get("/api/index")["generation"] == 1
    assert found(filled, "advice 30")[0] == "k30"
    stale = filled.api.post("/api/index/go-back", json={"expected": 2, "generation": 1})
    assert stale.json()["gate"]["reason_code"] == "changed_since_shown"
    assert filled.api.post("/api/index/go-back", json={"expected": 1, "generation": 2}).status_code == 200
    assert filled.get("/api/index")["generation"] == 2
    assert hash_files(config.index_dir / "generation-000002") == files
    trace = [each for each in filled.get("/api/audit")["items"] if each["action"] == "go_back"]
    assert [each["outcome"] for each in trace] == ["done", "refused: changed_since_shown", "done", "refused: no_earlier_generation"]
    assert_index_is_the_table(filled, config, database)


@pytest.mark.feature("N5")
def test_a_file_of_ones_own_is_read_and_searched_but_not_served(filled: Road, config: Config) -> None:
    own = faiss.index_factory(16, "IDMap,Flat", faiss.METRIC_L2)
    vectors = filled.works.embedder.embed([f"advice {number}" for number in range(8)])
    own.add_with_ids(np.vstack([vectors, vectors[:1] * 0]), np.arange(1, 10, dtype=np.int64) * 5)
    report = inspect_file(filled, faiss.serialize_index(own).tobytes(), "Mine.FAISS")
    facts = report["facts"]
    assert (report["verdict"], facts["kind"], facts["metric"], facts["zero_vectors"]) == ("strange", "IDMap,Flat", "l2", 1)
    assert {each["fault"] for each in report["obstacles"]} == {"no_manifest", "wrong_metric", "wrong_kind", "wrong_norms"}
    assert (facts["first_id"], facts["last_id"], facts["vectors"]) == (5, 45, 9)
    refused = filled.start("restore", inspection_id=report["inspection_id"], typed_name=report["name"])
    assert (refused.status_code, refused.json()["gate"]["reason_code"]) == (409, "not_restorable")
    answer = filled.api.post(f"/api/inspections/{report['inspection_id']}/search", json={"text": "advice 4", "k": 2}).json()
    assert len(answer["hits"]) + answer["unknown"] == 2
    bare = faiss.IndexFlatIP(4)
    bare.add(np.eye(4, dtype=np.float32))
    other = inspect_file(filled, faiss.serialize_index(bare).tobytes(), "small.faiss")
    assert {each["fault"] for each in other["obstacles"]} == {"no_manifest", "wrong_dimension", "wrong_kind"}
    assert filled.api.post(f"/api/inspections/{other['inspection_id']}/search", json={"text": "x"}).status_code == 409


@pytest.mark.feature("N5")
def test_a_set_of_another_model_can_be_looked_into_but_not_served(filled: Road, config: Config) -> None:
    folder = config.snapshots_dir / take(filled)
    data = rebuilt(folder, (folder / "index.faiss").read_bytes(), fingerprint="e" * 16, embedder="another")
    report = inspect_file(filled, data, "other.switchyard.tar")
    assert (report["verdict"], [each["fault"] for each in report["obstacles"]]) == ("strange", ["wrong_model"])
    assert report["obstacles"][0]["detail"] == "Made by another; the model in use is fake-16."
    refused = filled.start("restore", inspection_id=report["inspection_id"], typed_name=report["name"])
    assert (refused.status_code, refused.json()["gate"]["reason_code"]) == (409, "not_restorable")
    assert filled.get("/api/index")["generation"] == 1


@pytest.mark.feature("N5")
def test_what_an_upload_announces_is_enforced(filled: Road, config: Config) -> None:
    data = filled.api.get(f"/api/snapshots/{take(filled)}/file").content
    for name, told, fault in (
        ("set.switchyard.tar", {"sha256": "0" * 64}, "wrong_checksum"),
        ("set.zip", {}, "wrong_extension"),
        ("index.faiss", {}, "unknown_kind"),
    ):
        report = inspect_file(filled, data, name, **told)
        assert (report["verdict"], report["obstacles"][0]["fault"]) == ("refused", fault)
        kept = (config.quarantine_dir / report["inspection_id"]).iterdir()
        assert [path.name for path in kept] == ["report.json"], "nothing of it is kept"
    other = io.BytesIO()
    with tarfile.open(fileobj=other, mode="w") as tar:
        link = tarfile.TarInfo("manifest.json")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    assert inspect_file(filled, other.getvalue(), "x.switchyard.tar")["obstacles"][0]["fault"] == "bad_archive"
    limit = filled.api.put("/api/settings/index.max_snapshot_mib", json={"value": 1})
    assert limit.status_code == 200
    assert filled.api.post("/api/uploads", json={"name": "big.faiss", "size_bytes": (1 << 20) + 1}).status_code == 413
    assert filled.api.post("/api/uploads", json={"name": "big.csv", "size_bytes": (1 << 20) + 1}).status_code == 201
