"""A few letters find pages' things: ids by their beginning, rows by number, key or words; quickly, however large the table is."""

from __future__ import annotations

import time

import pytest
import sqlalchemy as sa

from lib.contract.model import utc_now
from lib.contract.places import PlaceKind
from lib.service.places import find_places
from lib.service.storage.database import Database
from lib.service.storage.schema import counters, entries
from tests.service.road import Road, csv_of

ROWS = 100_000


def fill(database: Database, count: int) -> None:
    now = utc_now()
    same = {"texts": {"text": None}, "fields": {}, "content_hash": b"c" * 16, "record_hash": b"r" * 16, "import_id": "i"}
    rows = [
        same | {"key": f"PKG-{number:06}", "text": f"advice number {number} for everybody", "created_at": now, "updated_at": now}
        for number in range(count)
    ]
    with database.write() as connection:
        connection.execute(sa.insert(entries), rows)
        connection.execute(sa.insert(counters).values(name="entries", value=count))


@pytest.mark.feature("X12")
def test_jobs_plans_and_rows_are_found_by_how_they_begin(road: Road) -> None:
    job = road.import_sheet(csv_of(("ACC-1", "cannot log in", "ann"), ("ACC-2", "50%_off", "bob")))
    job_id, plan_id = job["job_id"], job["arguments"]["plan_id"]
    asked = (job_id[:6], plan_id[:6].upper(), "acc-2", "LOG in", "%_off", "zz")
    found = {text: road.get("/api/places", text=text)["items"] for text in asked}
    assert [place["link"] for place in found[job_id[:6]] if place["kind"] == "job"] == [f"/?job={job_id}"]
    assert [place["link"] for place in found[plan_id[:6].upper()] if place["kind"] == "plan"] == [f"/Import?plan={plan_id}"]
    assert [(place["title"], place["link"]) for place in found["acc-2"]] == [("ACC-2", "/Queue?row=2")]
    assert [place["title"] for place in found["LOG in"]] == ["ACC-1"]
    assert [place["title"] for place in found["%_off"]] == ["ACC-2"]
    assert found["zz"] == []


def test_one_letter_is_not_enough(api) -> None:
    assert api.get("/api/places", params={"text": "a"}).status_code == 422


@pytest.mark.feature("X12")
def test_an_exact_key_comes_first_and_each_row_once(database: Database) -> None:
    fill(database, 50)
    found = find_places(database, "pkg-000007", 10).items
    assert [place.title for place in found] == ["PKG-000007"]
    assert next(place.title for place in find_places(database, "7", 3).items) == "PKG-000006"  # entry number 7
    assert {place.kind for place in find_places(database, "advice number 1", 50).items} == {PlaceKind.ENTRY}


@pytest.mark.feature("X12")
def test_a_hundred_thousand_rows_are_not_read_to_find_a_key(database: Database) -> None:
    """A key is a look-up: next to a search for words that are nowhere, which reads the newest rows, it costs next to nothing."""
    fill(database, ROWS)

    def best_of_three(text: str) -> float:
        times = []
        for _ in range(3):
            began = time.perf_counter()
            found = find_places(database, text, 10).items
            times.append(time.perf_counter() - began)
            assert [place.title for place in found][:1] == (["PKG-099990"] if text.startswith("PKG") else [])
        return min(times)

    by_key, by_words = best_of_three("PKG-09999"), best_of_three("no such words")
    assert by_key < by_words / 4
