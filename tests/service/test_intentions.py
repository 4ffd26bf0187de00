"""“Do it when free”: a start that waits for the gate, runs once, and can be called off."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa

from lib.contract.model import utc_now
from lib.service.intentions import WAITS_FOR, carry_out
from lib.service.retention import KEEP_JOBS
from lib.service.storage import intentions as rows
from lib.service.storage import schema
from lib.service.storage.database import Database
from tests.service.probes import rows_of, services_of
from tests.service.road import Road, sheet


@pytest.fixture
def busy(road: Road) -> Road:
    """A table with an export under way: no import, no other export, no undo may start."""
    road.import_sheet(sheet(1, 2))
    assert road.start("export", filter={"text": "advice"}).status_code == 202
    return road


def want(road: Road, operation: str, body: dict[str, Any] | None = None, *, key: str | None = None) -> httpx2.Response:
    headers = {"Idempotency-Key": key} if key else {}
    return road.api.post(f"/api/operations/{operation}", params={"when_free": True}, json=body or {}, headers=headers)


def carry(road: Road) -> None:
    services = services_of(road)
    carry_out(services.database, services.queue)


def found(road: Road, intention_id: str) -> dict[str, Any]:
    intention: dict[str, Any] = next(each for each in road.get("/api/intentions")["items"] if each["intention_id"] == intention_id)
    return intention


def exports_of(road: Road) -> int:
    return len(road.get("/api/jobs", operation="export")["items"])


@pytest.mark.feature("M7")
def test_a_start_waits_while_another_operation_runs_and_starts_by_itself_when_it_has_ended(busy: Road) -> None:
    answer = want(busy, "export")
    assert answer.status_code == 202
    assert list(answer.json()) == ["intention_id"]
    intention_id = answer.json()["intention_id"]
    assert answer.headers["Location"] == f"/api/intentions/{intention_id}"
    carry(busy)
    waiting = found(busy, intention_id)
    assert {"operation": "export", "state": "waiting", "job_id": None, "ended_at": None}.items() <= waiting.items()
    assert waiting["detail"] == busy.gate("export")["reason_text"], "it says what it waits for"
    assert busy.get("/api/telemetry/snapshot")["jobs"]["intentions"] == [waiting], "everybody sees it"

    busy.works.perform_all()
    carry(busy)
    started = found(busy, intention_id)
    job = busy.job(started["job_id"])
    assert (job["operation"], job["state"], job["requested_by"]) == ("export", "queued", started["requested_by"])
    assert started["state"] == "started"
    assert started["ended_at"] is not None
    assert busy.get("/api/telemetry/snapshot")["jobs"]["intentions"] == []
    busy.works.perform_all()
    carry(busy)
    assert (busy.job(started["job_id"])["state"], exports_of(busy)) == ("succeeded", 2)


@pytest.mark.feature("M7", "X6")
def test_what_waited_leaves_its_trace(busy: Road) -> None:
    intention_id = want(busy, "export").json()["intention_id"]
    busy.works.perform_all()
    carry(busy)
    actions = {action["action"]: action for action in reversed(busy.get("/api/audit")["items"])}
    wait, start = actions["wait_to_export"], actions["start_export"]
    assert (wait["object_id"], wait["outcome"], wait["actor"]) == (intention_id, "waiting", start["actor"])
    assert wait["request_id"]
    assert (start["object_id"], start["outcome"]) == (found(busy, intention_id)["job_id"], "started")


@pytest.mark.feature("M7")
def test_a_start_that_is_free_to_go_does_not_wait(road: Road) -> None:
    road.import_sheet(sheet(1))
    answer = want(road, "export")
    assert list(answer.json()) == ["job_id"]
    assert road.get("/api/intentions")["items"] == []


@pytest.mark.feature("M7")
def test_only_another_operation_is_waited_for(road: Road) -> None:
    for operation, reason in (("export", "table_empty"), ("rebuild", "nothing_to_do"), ("snapshot", "no_index")):
        answer = want(road, operation)
        assert (answer.status_code, answer.json()["gate"]["reason_code"]) == (409, reason)
    assert want(road, "import", {"plan_id": "unknown"}).status_code == 404
    assert road.get("/api/intentions")["items"] == []


@pytest.mark.feature("M7")
def test_it_runs_once_although_many_workers_carry_out_at_the_same_moment(busy: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    intention_id = want(busy, "export").json()["intention_id"]
    busy.works.perform_all()
    crowd = threading.Barrier(6)
    real = rows.list_intentions

    def list_together(*arguments: Any, **choices: Any) -> Any:
        listed = real(*arguments, **choices)
        if threading.current_thread().name.startswith("worker"):  # the feed's producer looks at them, too
            crowd.wait(timeout=60)  # everybody has seen it waiting before anybody starts it
        return listed

    with monkeypatch.context() as together, ThreadPoolExecutor(6, "worker") as workers:
        together.setattr(rows, "list_intentions", list_together)
        assert [done.result() for done in [workers.submit(carry, busy) for _ in range(6)]] == [None] * 6
    assert found(busy, intention_id)["state"] == "started"
    assert exports_of(busy) == 2, "the one that was in the way, and this"


@pytest.mark.feature("M7", "X9")
def test_a_double_click_waits_once(busy: Road) -> None:
    with ThreadPoolExecutor(10) as crowd:
        answers = list(crowd.map(lambda _: want(busy, "export").json()["intention_id"], range(20)))
    assert len(set(answers)) == 1
    assert want(busy, "export", {"filter": {"text": "1"}}).json()["intention_id"] not in answers, "another request is another wish"
    busy.works.perform_all()
    carry(busy)
    assert exports_of(busy) == 2, "and what still finds something in its way goes on waiting"
    assert [each["state"] for each in busy.get("/api/intentions")["items"]] == ["waiting", "started"]


@pytest.mark.feature("M7", "X9")
def test_a_repeat_of_one_key_is_the_same_wish_also_after_it_was_carried_out(busy: Road) -> None:
    first = want(busy, "export", key="one-click-only").json()
    assert want(busy, "export", key="one-click-only").json() == first
    busy.works.perform_all()
    carry(busy)
    job_id = found(busy, first["intention_id"])["job_id"]
    assert want(busy, "export", key="one-click-only").json() == {"job_id": job_id, **first}
    busy.works.perform_all()
    assert want(busy, "export", key="one-click-only").json() == {"job_id": job_id, **first}
    assert exports_of(busy) == 2


@pytest.mark.feature("M7")
def test_it_can_be_called_off_and_then_never_starts(busy: Road) -> None:
    intention_id = want(busy, "export").json()["intention_id"]
    answer = busy.api.post(f"/api/intentions/{intention_id}/cancel")
    assert (answer.status_code, answer.json()["state"]) == (202, "cancelled")
    assert answer.json()["detail"].startswith("by ")
    busy.works.perform_all()
    carry(busy)
    assert (found(busy, intention_id)["state"], exports_of(busy)) == ("cancelled", 1)
    again = busy.api.post(f"/api/intentions/{intention_id}/cancel")
    gate = again.json()["gate"]
    assert (again.status_code, gate["reason_code"], gate["fix_link"], gate["holder"]) == (409, "job_ended", "/Export", intention_id)
    assert [action["outcome"] for action in busy.get("/api/audit", object_id=intention_id)["items"]] == [
        "refused: job_ended", "done", "waiting",
    ]  # fmt: skip
    assert busy.api.post("/api/intentions/unknown/cancel").status_code == 404


@pytest.mark.feature("M7")
def test_it_is_dropped_with_the_reason_when_it_can_never_start(busy: Road, database: Database) -> None:
    busy.works.perform_all()
    doomed, lost, winning = (busy.preview(sheet(1, text=f"{name} {{}}")) for name in ("doomed", "lost", "winning"))
    assert busy.post_import(winning["plan_id"]).status_code == 202
    ids = [want(busy, "import", {"plan_id": plan["plan_id"]}).json()["intention_id"] for plan in (doomed, lost)]
    with database.write() as connection:
        connection.execute(sa.delete(schema.plans).where(schema.plans.c.plan_id == lost["plan_id"]))
    busy.works.perform_all()
    carry(busy)
    assert [found(busy, intention_id)["state"] for intention_id in ids] == ["dropped", "dropped"]
    assert found(busy, ids[0])["detail"].startswith("The table has changed since this plan was made")
    assert found(busy, ids[1])["detail"] == f"There is no plan {lost['plan_id']}."
    dropped = busy.get("/api/audit", object_id=ids[0])["items"][0]
    assert (dropped["action"], dropped["outcome"].split(":")[0]) == ("wait_to_import", "dropped")
    assert busy.keys()["k1"] == "winning 1"


@pytest.mark.feature("M7")
def test_an_undo_waits_like_any_other_start(busy: Road) -> None:
    job_id = busy.get("/api/jobs", operation="import")["items"][0]["job_id"]
    intention_id = want(busy, f"import/{job_id}/undo").json()["intention_id"]
    busy.works.perform_all()
    carry(busy)
    busy.works.perform_all()
    assert (found(busy, intention_id)["operation"], found(busy, intention_id)["state"]) == ("undo", "started")
    assert busy.keys() == {}


@pytest.mark.feature("M7")
def test_a_wish_nobody_came_back_to_is_dropped_after_a_day_and_forgotten_with_the_jobs(busy: Road, database: Database) -> None:
    intention_id = want(busy, "export").json()["intention_id"]

    def age(days: float) -> None:
        with database.write() as connection:
            created = utc_now() - WAITS_FOR * days
            connection.execute(sa.update(schema.intentions).values(created_at=created))
            rows.forget_old(connection, utc_now() - KEEP_JOBS)

    age(0.9)
    carry(busy)
    assert found(busy, intention_id)["state"] == "waiting"
    age(95)
    assert len(rows_of(database, schema.intentions)) == 1, "one that waits is not forgotten"
    carry(busy)
    dropped = found(busy, intention_id)
    assert (dropped["state"], dropped["detail"]) == ("dropped", "It waited longer than 1 day.")
    age(95)
    assert rows_of(database, schema.intentions) == []
