"""Restores and ways back that the gate refuses: what it answered, and what was shown before."""

from __future__ import annotations

from typing import Any

import httpx2

from tests.service.road import Road

Provoked = tuple[httpx2.Response, dict[str, Any] | None]


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
