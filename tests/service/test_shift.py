"""The shift log: notes pinned to their time, beside what was done; told to everybody within two seconds, and kept in the audit."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest

from lib.contract.events import Topic
from lib.contract.model import utc_now
from lib.contract.queue import Window
from lib.service.queue import get_queue_history
from lib.service.storage.database import Database
from tests.service.road import Road, sheet


def note(road: Road, text: str, **more: Any) -> Any:
    return road.api.post("/api/shift/notes", json={"text": text, **more})


def entries(road: Road, **query: Any) -> list[tuple[str, str]]:
    return [(entry["kind"], entry["text"]) for entry in road.get("/api/shift", **query)["entries"]]


@pytest.mark.feature("M14")
def test_a_note_is_pinned_to_its_time_and_exported_with_the_audit(road: Road, database: Database) -> None:
    earlier = (utc_now() - timedelta(hours=2)).isoformat()
    assert note(road, " the disk is new ").status_code == 201
    assert note(road, "=the old disk failed", at=earlier).json()["at"].startswith(earlier[:19])
    job_id = road.import_sheet(sheet(1, 2))["job_id"]
    told = road.get("/api/shift")["entries"]
    assert [entry["kind"] for entry in told] == ["import", "note", "note"]
    assert told[0]["text"] == "Imported sheet.csv: 2 new, 0 changed, 0 removed"
    assert (told[0]["job_id"], told[1]["text"], told[1]["actor"]) == (job_id, "the disk is new", told[0]["actor"])
    assert [entry.text for entry in get_queue_history(database, Window.M15).annotations] == ["the disk is new", told[0]["text"]]
    assert len(get_queue_history(database, Window.H24).annotations) == 3
    file = road.api.get("/api/audit/file").text
    assert "add_note" in file
    assert "=the old disk failed" in file


@pytest.mark.feature("M14")
def test_a_note_can_be_taken_back_and_what_was_done_cannot(road: Road, works: Any) -> None:
    works.heart()
    entry_id = note(road, "a slip").json()["entry_id"]
    road.api.post("/api/workers/pause", json={"reason": "tea"})
    assert road.api.delete(f"/api/shift/notes/{entry_id}").status_code == 204
    assert entries(road) == [("pause", "Paused embedding-1: tea")]
    done = road.get("/api/shift")["entries"][0]["entry_id"]
    assert [road.api.delete(f"/api/shift/notes/{each}").status_code for each in (entry_id, done)] == [404, 404]
    deleted = next(entry for entry in road.get("/api/audit")["items"] if entry["action"] == "delete_note")
    assert deleted["before"]["text"] == "a slip"


@pytest.mark.parametrize("body", [{"text": ""}, {"text": " "}, {"text": "x" * 501}, {"text": "a", "at": "2026-01-01T00:00:00"}])
def test_a_note_needs_words_and_a_time_with_its_zone(road: Road, body: dict[str, str]) -> None:
    assert road.api.post("/api/shift/notes", json=body).status_code == 422


def test_a_note_about_the_future_is_refused(road: Road) -> None:
    assert note(road, "tomorrow", at=(utc_now() + timedelta(hours=1)).isoformat()).status_code == 422


@pytest.mark.feature("M14")
def test_a_note_reaches_every_listener_by_the_feed(road: Road) -> None:
    feed = road.api.app.state.services.feed  # type: ignore[attr-defined]
    note(road, "the disk is new")
    written = time.monotonic()
    while not any(entry.text == "the disk is new" for entry in feed.standing()[1][Topic.SHIFT].entries):
        assert time.monotonic() - written < 20, "the producer tells of it with its next sample, within a second on a free machine"
        time.sleep(0.02)
