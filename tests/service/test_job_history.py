"""What ran: filtered, page by page, each job with its inputs, its counts, its log and its trace; kept by age."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from lib.contract.model import utc_now
from lib.contract.states import JobState, Operation
from lib.service.app import create_app
from lib.service.config import Config
from lib.service.retention import KEEP_JOBS, drop_the_old
from lib.service.storage import jobs, schema
from lib.service.storage.database import Database
from tests.conftest import TOKEN
from tests.service.probes import rows_of, services_of
from tests.service.road import Road, sheet

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
PEOPLE = ("ann", "bob & eve", "o'neil")


def insert(database: Database, **about: Any) -> str:
    """One ended job; ``about`` as in the table."""
    job_id = uuid4().hex
    values = {"operation": "export", "state": "succeeded", "requested_by": "ann", "arguments": {}, "created_at": NOW, "finished_at": NOW}
    with database.write() as connection:
        connection.execute(sa.insert(schema.jobs).values(job_id=job_id, **(values | about)))
        jobs.add_log_line(connection, job_id, level="info", message="it was here", now=NOW)
    return job_id


NOW = utc_now()


@pytest.fixture
def history(api: TestClient, database: Database) -> list[dict[str, Any]]:
    """Sixty ended jobs of every operation, state and person, an hour apart, oldest first."""
    about: list[dict[str, Any]] = [
        {
            "operation": list(Operation)[number % 7].value,
            "state": ["succeeded", "failed", "cancelled", "interrupted"][number % 4],
            "requested_by": PEOPLE[number % 3],
            "created_at": NOON + timedelta(hours=number),
        }
        for number in range(60)
    ]
    return [each | {"job_id": insert(database, **each)} for each in about]


def list_all(api: TestClient, **query: Any) -> tuple[list[str], list[int]]:
    """Ids of every page, newest first, and how large the pages were."""
    seen: list[str] = []
    sizes: list[int] = []
    while True:
        answer = api.get("/api/jobs", params=query)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        seen += [job["job_id"] for job in page["items"]]
        sizes.append(len(page["items"]))
        if page["next_cursor"] is None:
            return seen, sizes
        query["cursor"] = page["next_cursor"]


@pytest.mark.feature("X5")
def test_jobs_are_filtered_by_operation_state_actor_and_time_alone_and_together(api: TestClient, history: list[dict[str, Any]]) -> None:
    since = NOON + timedelta(hours=20)
    filters: list[dict[str, Any]] = [
        {},
        {"operation": "import"},
        {"state": "failed"},
        {"requested_by": "bob & eve"},
        {"since": since},
        {"operation": "undo", "state": "cancelled"},
        {"requested_by": "o'neil", "since": since, "state": "succeeded"},
        {"requested_by": "nobody"},
    ]
    for chosen in filters:
        exact = {name: value for name, value in chosen.items() if name != "since"}
        expected = [
            job["job_id"]
            for job in reversed(history)
            if all(job[name] == value for name, value in exact.items()) and ("since" not in chosen or job["created_at"] >= since)
        ]
        query = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in chosen.items()}
        seen, sizes = list_all(api, limit=7, **query)
        assert seen == expected, chosen
        assert all(size == 7 for size in sizes[:-1]), "every page but the last is full"
    assert list_all(api, limit=200)[1] == [60]


@pytest.mark.feature("X5")
def test_a_page_stays_the_same_while_new_jobs_arrive(api: TestClient, database: Database, history: list[dict[str, Any]]) -> None:
    first = api.get("/api/jobs", params={"limit": 10}).json()
    insert(database)
    second = api.get("/api/jobs", params={"limit": 10, "cursor": first["next_cursor"]}).json()
    ids = [job["job_id"] for job in (*first["items"], *second["items"])]
    assert ids == [job["job_id"] for job in reversed(history)][:20]


@pytest.mark.feature("X5")
@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"since": "2026-11-20T12:00:00"}, "invalid"),
        ({"state": "done"}, "invalid"),
        ({"limit": 201}, "invalid"),
        ({"cursor": "?"}, "bad_cursor"),
    ],
)
def test_a_filter_that_makes_no_sense_is_refused_by_name(api: TestClient, query: dict[str, Any], code: str) -> None:
    answer = api.get("/api/jobs", params=query).json()
    assert answer["code"] == code
    assert code != "invalid" or answer["errors"][0]["pointer"] == f"/query/{next(iter(query))}"


@pytest.mark.feature("X5")
def test_a_job_is_told_in_full_behind_its_link(road: Road) -> None:
    road.import_sheet(sheet(1))
    plan = road.preview(sheet(1, 2, text="better {}"))
    job = road.apply(plan["plan_id"])
    assert job["arguments"] == {"plan_id": plan["plan_id"], "policy": "skip"}, "its inputs"
    assert {"new": 1, "changed": 1, "removed": 0, "to_embed": 2}.items() <= job["result"].items(), "its counts"
    assert job["created_at"] <= job["started_at"] <= job["finished_at"]
    messages = [line["message"] for line in road.get(f"/api/jobs/{job['job_id']}/log")["lines"]]
    assert messages == ["operations-1 began", "applied: 1 new, 1 changed, 0 removed; 2 to embed, 0 vectors known already", "succeeded"]
    refused = road.api.post(f"/api/jobs/{job['job_id']}/cancel")
    assert refused.status_code == 409
    trace = road.get("/api/audit", object_id=job["job_id"])["items"]
    assert [(action["action"], action["outcome"]) for action in trace] == [
        ("cancel_job", "refused: job_ended"), ("end_import", "succeeded"), ("start_import", "started"),
    ]  # fmt: skip
    assert road.api.get("/api/jobs/unknown").status_code == 404
    assert road.api.get("/api/jobs/unknown/log").status_code == 404


@pytest.mark.feature("X5")
def test_a_log_shows_its_tail_oldest_line_first(api: TestClient, database: Database) -> None:
    job_id = insert(database)
    with database.write() as connection:
        for number in range(600):
            jobs.add_log_line(connection, job_id, level="info", message=f"line {number}", now=NOW)
    lines = [line["message"] for line in api.get(f"/api/jobs/{job_id}/log").json()["lines"]]
    assert lines == [f"line {number}" for number in range(100, 600)]


@pytest.mark.feature("X5")
def test_history_survives_a_restart(config: Config, api: TestClient, history: list[dict[str, Any]]) -> None:
    before = api.get("/api/jobs", params={"limit": 200}).json()["items"]
    with TestClient(create_app(config, supervise=False), base_url="http://localhost") as again:
        again.headers["Authorization"] = f"Bearer {TOKEN}"
        assert again.get("/api/jobs", params={"limit": 200}).json()["items"] == before


@pytest.mark.feature("X5", "X6")
def test_jobs_and_what_was_done_are_kept_for_ninety_days(road: Road, database: Database, config: Config) -> None:
    assert KEEP_JOBS.days == 90
    old = {"created_at": NOW - KEEP_JOBS - timedelta(hours=1), "finished_at": NOW - KEEP_JOBS}
    kept = insert(database, created_at=NOW - KEEP_JOBS + timedelta(hours=1))
    active = insert(database, **old, state=JobState.RUNNING)
    gone = [insert(database, **old), insert(database, **old, operation="import", state="failed")]
    with database.write() as connection:
        connection.execute(sa.insert(schema.import_changes).values(job_id=gone[1], entry_id=1, key="k1", change="new"))
        for at in (old["created_at"], NOW):
            connection.execute(sa.insert(schema.audit).values(at=at, actor="ann", action="look", outcome="done"))
    clean(road, config)
    assert {job["job_id"] for job in rows_of(database, schema.jobs)} == {kept, active}, "one that runs is not forgotten"
    assert {line["job_id"] for line in rows_of(database, schema.job_log)} == {kept, active}, "the log goes with its job"
    assert [action["at"] for action in rows_of(database, schema.audit) if action["action"] == "look"] == [NOW]
    assert rows_of(database, schema.import_changes) == [], "nor does an import leave its changes behind, however long nobody cleaned up"
    assert road.api.get(f"/api/jobs/{gone[0]}").json()["action"] == "It may have been removed by age."


def clean(road: Road, config: Config) -> None:
    """What an operations worker does every ten minutes."""
    drop_the_old(services_of(road).database, config)


@pytest.mark.feature("X5")
def test_each_page_says_how_many_match_and_how_many_of_each_state_there_would_be(api: TestClient, history: list[dict[str, Any]]) -> None:
    everything = api.get("/api/jobs", params={"limit": 5}).json()
    assert (everything["total"], everything["states"]) == (60, dict.fromkeys(("succeeded", "failed", "cancelled", "interrupted"), 15))
    since = NOON + timedelta(hours=30)
    wanted = {"requested_by": "bob & eve", "since": since.isoformat(), "limit": 1}
    narrowed = api.get("/api/jobs", params=wanted | {"state": "failed"}).json()
    mine = [job["state"] for job in history if job["requested_by"] == "bob & eve" and job["created_at"] >= since]
    assert narrowed["total"] == mine.count("failed")
    assert narrowed["states"] == {state: mine.count(state) for state in set(mine)}
    assert api.get("/api/jobs", params={"requested_by": "nobody"}).json()["total"] == 0
