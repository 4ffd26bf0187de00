"""Snapshots as people take and see them over HTTP."""

from __future__ import annotations

from typing import Any

from tests.service.road import Road


def take(road: Road, **body: Any) -> dict[str, Any]:
    """Take one; what the list says of it."""
    job = road.run("snapshot", **body)
    assert job["state"] == "succeeded", job["error"]
    return next(each for each in snapshots(road) if each["snapshot_id"] == job["result"]["snapshot_id"])


def snapshots(road: Road, *, automatic: bool | None = None) -> list[dict[str, Any]]:
    items = road.get("/api/snapshots")["items"]
    return [item for item in items if automatic is None or item["automatic"] is automatic]
