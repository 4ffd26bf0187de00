"""A check of a large table walks it in blocks: it counts what one go would count, tells of each block, and can be stopped at each."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from lib.contract.states import DriftKind, Operation
from lib.service.operations import counting
from lib.service.storage import drift
from lib.service.storage.drift import BLOCK_ROWS
from tests.service.probes import at_every_tell
from tests.service.road import Road, sheet
from tests.service.test_cancel_import import Canceller
from tests.service.test_drift import PLANTED, ROWS, filled, plant, run_check

__all__ = ["filled"]

BLOCK = 7


def findings(road: Road) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a deep check says but for its name and its times, and every row behind its numbers."""
    latest = run_check(road)
    for timed in (latest, latest["vectors"]):
        del timed["seconds"]
    if latest["recall"]:
        del latest["recall"]["search_seconds"], latest["recall"]["exact_seconds"]
    del latest["check_id"], latest["checked_at"]
    return latest, {kind: road.get("/api/index/drift", kind=kind, limit=200)["items"] for kind in DriftKind}


@pytest.mark.feature("N6")
def test_a_check_in_blocks_finds_what_a_check_in_one_go_finds(filled: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(filled)
    assert BLOCK_ROWS > ROWS, "else this would not be one go"
    at_once = findings(filled)
    assert at_once[0]["drift"]["counts"] == PLANTED
    for block in (1, BLOCK, ROWS):
        monkeypatch.setattr(drift, "BLOCK_ROWS", block)
        assert findings(filled) == at_once, block


@pytest.mark.feature("N6", "N8", "X3")
def test_a_check_cancelled_at_any_word_of_it_keeps_nothing(filled: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    filled.api.put("/api/settings/index.exact_upto", json={"value": 1})
    filled.run("rebuild")
    kept = filled.get("/api/index/check")["latest"]["check_id"]
    monkeypatch.setattr(drift, "BLOCK_ROWS", BLOCK)
    monkeypatch.setattr("lib.service.operations.drift.SAMPLE", 3)

    def start() -> str:
        job_id: str = filled.api.post("/api/index/check", json={}).json()["job_id"]
        return job_id

    def check(_: str) -> None:
        assert filled.get("/api/index/check")["latest"]["check_id"] == kept

    phases = Canceller(filled, Operation.CHECK, monkeypatch).everywhere(start, check)
    blocks = -(-ROWS // BLOCK) + 1  # and once more when nothing is left
    assert Counter(phases) == {
        "starting": 1,
        "proving the file": 1,
        "comparing table and vectors": blocks,
        "comparing table and index": blocks,
        "looking at the vectors": 1,
        "searching for sampled rows": 3,
        "measuring recall": 1,
    }


@pytest.mark.feature("N6", "X3")
def test_a_cancel_that_comes_while_a_published_generation_is_counted_comes_too_late(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    road.fill(sheet(1, 2))
    real = counting.compare_index

    def cancel_then_compare(*arguments: Any) -> Any:
        assert road.api.post(f"/api/jobs/{job_id}/cancel").status_code == 202
        return real(*arguments)

    monkeypatch.setattr(counting, "compare_index", cancel_then_compare)
    told: list[str] = []
    at_every_tell(monkeypatch, lambda _context, phase: told.append(phase))
    job_id = road.start("rebuild").json()["job_id"]
    road.works.perform(job_id)
    job = road.job(job_id)
    assert (job["state"], job["cancel_requested"], job["result"]["drift"]) == ("succeeded", True, 0)
    assert told[-1] == "publishing", "what is counted afterwards is not told: nobody can stop it any more"
