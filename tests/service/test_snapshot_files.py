"""A snapshot as one file: whole, in parts, with a digest; renamed and pinned."""

from __future__ import annotations

import base64
import hashlib
import io
import random
import shutil
import tarfile
from typing import Any

import pytest

from lib.service.config import Config
from lib.service.index.bundle import Bundle
from lib.service.index.generations import Generations
from lib.service.index.manifest import INDEX_FILE
from tests.service.road import Road, sheet
from tests.service.snapshots import snapshots, take


@pytest.fixture
def filled(road: Road) -> Road:
    road.fill(sheet(*range(20)))
    return road


def fetch(road: Road, snapshot_id: str, **headers: str) -> Any:
    return road.api.get(f"/api/snapshots/{snapshot_id}/file", headers=headers)


@pytest.mark.feature("N3")
def test_the_complete_set_is_downloaded_as_one_file_with_its_digest(filled: Road, config: Config) -> None:
    first, second = take(filled, name="Größe & all/…"), take(filled)
    answer = fetch(filled, first["snapshot_id"])
    digest = hashlib.sha256(answer.content)
    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == 'attachment; filename="Gr--e---all-generation-1.switchyard.tar"'
    assert answer.headers["etag"] == f'"{digest.hexdigest()}"'
    assert answer.headers["repr-digest"] == f"sha-256=:{base64.b64encode(digest.digest()).decode()}:"
    assert (first["bundle_sha256"], first["bundle_bytes"]) == (digest.hexdigest(), len(answer.content))
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as tar:
        found = {member.name: tar.extractfile(member).read() for member in tar.getmembers()}
    folder = config.snapshots_dir / first["snapshot_id"]
    assert found == {path.name: path.read_bytes() for path in folder.iterdir()}
    assert list(found) == ["manifest.json", "ids.npy", "index.faiss"], "what says what the rest must be comes first"
    assert fetch(filled, second["snapshot_id"]).content == answer.content, "the same set is the same file"
    for had in (answer.headers["etag"], f'"x", W/{answer.headers["etag"]}', "*"):
        assert fetch(filled, first["snapshot_id"], **{"If-None-Match": had}).status_code == 304
    assert fetch(filled, first["snapshot_id"], **{"If-None-Match": '"x"'}).status_code == 200
    assert fetch(filled, "nothing").status_code == 404


@pytest.mark.feature("N3")
def test_any_part_of_the_file_can_be_asked_for(filled: Road) -> None:
    snapshot_id = take(filled)["snapshot_id"]
    whole = fetch(filled, snapshot_id)
    data, size, chance = whole.content, len(whole.content), random.Random(6)
    for _ in range(60):
        first = chance.randrange(size)
        last = chance.randrange(first, size)
        part = fetch(filled, snapshot_id, Range=f"bytes={first}-{last}")
        assert (part.status_code, part.content) == (206, data[first : last + 1])
        assert part.headers["content-range"] == f"bytes {first}-{last}/{size}"
        assert int(part.headers["content-length"]) == len(part.content)
    assert fetch(filled, snapshot_id, Range="bytes=600-").content == data[600:]
    assert fetch(filled, snapshot_id, Range="bytes=-100").content == data[-100:]
    assert fetch(filled, snapshot_id, Range=f"bytes=0-{size * 2}").content == data
    for odd in ("bytes=0-1,5-6", "lines=1-2", "bytes=-", f"bytes={'9' * 5000}-", f"bytes=-{'9' * 5000}"):
        assert (fetch(filled, snapshot_id, Range=odd).status_code, fetch(filled, snapshot_id, Range=odd).content) == (200, data)
    beyond = fetch(filled, snapshot_id, Range=f"bytes={size}-")
    assert (beyond.status_code, beyond.json()["code"], beyond.headers["content-range"]) == (416, "bad_range", f"bytes */{size}")
    same, other = (fetch(filled, snapshot_id, **{"Range": "bytes=5-9", "If-Range": tag}) for tag in (whole.headers["etag"], '"x"'))
    assert (same.status_code, other.status_code, other.content) == (206, 200, data), "a part of another file is of no use"


def test_the_file_of_an_automatic_one_has_a_digest_too(filled: Road) -> None:
    filled.run("rebuild")
    (before,) = snapshots(filled, automatic=True)
    assert (before["name"][:15], before["generation"], before["bundle_sha256"]) == ("before rebuild ", 1, None)
    answer = fetch(filled, before["snapshot_id"])
    assert snapshots(filled, automatic=True)[0]["bundle_sha256"] == hashlib.sha256(answer.content).hexdigest()


@pytest.mark.feature("N3")
def test_the_copy_before_a_rebuild_costs_no_second_file_and_outlives_the_generation(filled: Road, config: Config) -> None:
    filled.run("rebuild")
    (before,) = snapshots(filled, automatic=True)
    path = config.snapshots_dir / before["snapshot_id"] / INDEX_FILE
    assert path.stat().st_ino == (config.index_dir / "generation-000001" / INDEX_FILE).stat().st_ino
    for _ in range(2):
        filled.run("rebuild")
    Generations(config.index_dir).sweep()  # as housekeeping does
    assert not (config.index_dir / "generation-000001").exists()
    assert hashlib.sha256(path.read_bytes()).hexdigest() == before["sha256"]


@pytest.mark.feature("N3")
def test_name_note_and_pin_can_be_changed_and_leave_a_trace(filled: Road) -> None:
    snapshot_id = take(filled, name="a", note="b")["snapshot_id"]
    address = f"/api/snapshots/{snapshot_id}"
    assert filled.api.put(address, json={"pinned": True}).json()["pinned"] is True
    changed = filled.api.put(address, json={"name": " new ", "note": ""}).json()
    assert (changed["name"], changed["note"], changed["pinned"]) == ("new", "", True)
    assert snapshots(filled) == [changed]
    assert [filled.api.put(address, json=body).status_code for body in ({"name": "  "}, {"name": ""}, {"size_bytes": 1})] == [422] * 3
    assert filled.api.put("/api/snapshots/none", json={"pinned": True}).status_code == 404
    trace = [each for each in filled.get("/api/audit", object_id=snapshot_id)["items"] if each["action"] == "change_snapshot"]
    assert [(each["before"], each["after"]) for each in trace] == [
        ({"name": "a", "note": "b"}, {"name": "new", "note": ""}),
        ({"pinned": False}, {"pinned": True}),
    ]


@pytest.mark.feature("N3")
def test_a_download_is_read_to_its_end_though_the_snapshot_is_deleted_meanwhile(filled: Road, config: Config) -> None:
    folder = config.snapshots_dir / take(filled)["snapshot_id"]
    bundle = Bundle(folder)
    whole = b"".join(bundle.read(0, bundle.size_bytes))
    blocks = bundle.read(0, bundle.size_bytes)
    begun = next(blocks)
    shutil.rmtree(folder)
    assert begun + b"".join(blocks) == whole
    answer = fetch(filled, folder.name)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), "and none is promised that is gone"


@pytest.mark.feature("N3")
def test_head_tells_of_any_file_what_get_would_and_reads_none_of_it(filled: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    job, _ = filled.export()
    snapshot = f"/api/snapshots/{take(filled)['snapshot_id']}/file"
    wholes = {path: filled.api.get(path) for path in (snapshot, f"/api/exports/{job['result']['export_id']}/file", "/api/queue")}
    monkeypatch.setattr(Bundle, "read", None)
    for path, whole in wholes.items():
        head = filled.api.head(path, headers={"Range": "bytes=0-4"})
        assert (head.status_code, head.content) == (200, b""), path
        told = {name: value for name, value in whole.headers.items() if path != "/api/queue" or name == "content-type"}
        assert {name: head.headers.get(name) for name in told} == told
    ticket = filled.api.post("/api/tickets", json={"method": "GET", "path": snapshot}).json()["ticket"]
    stranger = {"Authorization": ""}
    assert filled.api.head(snapshot, params={"ticket": ticket}, headers=stranger).status_code == 200
    assert [filled.api.head(path, headers=stranger).status_code for path in wholes] == [401] * 3
    assert filled.api.head("/api/nothing").status_code == 404
    assert filled.api.head("/healthz", headers=stranger).status_code == 200, "as those who watch machines ask"
