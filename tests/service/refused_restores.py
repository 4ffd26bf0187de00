"""Snapshots, inspections, restores and ways back that the gate refuses: what it answered, and what was shown before."""

from __future__ import annotations

from lib.contract.states import Operation
from tests.service.refusals import Provoked, running
from tests.service.road import Road


def delete_without_name(road: Road) -> Provoked:
    job = road.run("snapshot", name="keep me")
    return road.api.delete(f"/api/snapshots/{job['result']['snapshot_id']}?typed_name=other"), None


def inspect_twice(road: Road) -> Provoked:
    snapshot_id = road.run("snapshot", name="to be looked into")["result"]["snapshot_id"]
    with running(road, Operation.INSPECT):
        return road.start("inspect", source={"kind": "snapshot", "snapshot_id": snapshot_id}), road.gate("inspect")


def restore_a(road: Road, data: bytes, typed_name: str) -> Provoked:
    source = {"kind": "upload", "upload_id": road.upload(data, "own.faiss")}
    if not data:
        snapshot_id = road.run("snapshot", name="mine")["result"]["snapshot_id"]
        source = {"kind": "snapshot", "snapshot_id": snapshot_id}
    inspection_id = road.run("inspect", source=source)["job_id"]
    shown = road.get(f"/api/inspections/{inspection_id}")["gate"]
    return road.start("restore", inspection_id=inspection_id, typed_name=typed_name), None if shown["allowed"] else shown


def restore_rubbish(road: Road) -> Provoked:
    return restore_a(road, b"no index", "own.faiss")


def restore_without_name(road: Road) -> Provoked:
    return restore_a(road, b"", "another")


def go_back_to_nothing(road: Road) -> Provoked:
    return road.api.post("/api/index/go-back", json={}), road.get("/api/index/go-back")["gate"]
