"""Wishes for workers that the gate refuses."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import httpx2

from lib.contract.model import utc_now
from lib.service.storage.crews import put_crew
from tests.service.road import Road

Provoked = tuple[httpx2.Response, dict[str, Any] | None]


def wish_twice(verb: str) -> Callable[[Road], Provoked]:
    def provoke(road: Road) -> Provoked:
        road.works.heart()
        road.api.post(f"/api/workers/embedding-1/{verb}", json={})
        return road.api.post(f"/api/workers/embedding-1/{verb}", json={}), None

    return provoke


def wish_for_what_was_seen(road: Road) -> Provoked:
    road.works.heart()
    road.api.post("/api/workers/embedding-1/pause", json={"reason": "tea"})
    return road.api.post("/api/workers/embedding-1/drain", json={"expected": "running"}), None


def wish_all_for_what_was_seen(verb: str) -> Callable[[Road], Provoked]:
    def provoke(road: Road) -> Provoked:
        road.works.heart()
        return road.api.post(f"/api/workers/{verb}", json={"expected": {}}), None

    return provoke


def scale_from_what_was_seen(road: Road) -> Provoked:
    with road.works.database.write() as connection:
        put_crew(connection, socket.gethostname(), 2, by="bob", now=utc_now())
    return road.api.post("/api/workers/scale", json={"embedding": 4, "expected": 3}), None
