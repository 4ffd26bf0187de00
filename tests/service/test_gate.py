"""One decision: who may start while what runs, and the same words for it everywhere."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from lib.contract.model import utc_now
from lib.contract.operations import Reason
from lib.contract.states import JobState, Operation
from lib.service import gate
from lib.service.gate import CONFLICTS, Action
from lib.service.storage import jobs, schema
from lib.service.storage.database import Database
from tests.service.road import Road, sheet

PAIRS = [(running, asked) for running in Operation for asked in Operation]


def hold(database: Database, operation: Operation) -> str:
    """As if a job of this operation ran."""
    job_id = uuid4().hex
    with database.write() as connection:
        jobs.insert_job(connection, job_id=job_id, operation=operation, requested_by="ann", arguments={}, now=utc_now())
        jobs.take_lock(connection, job_id=job_id, operation=operation, now=utc_now())
        jobs.begin_attempt(connection, job_id, worker_id="operations-1", now=utc_now())
    return job_id


def release(database: Database, job_id: str) -> None:
    with database.write() as connection:
        jobs.end_job(connection, job_id, state=JobState.SUCCEEDED, now=utc_now())


@pytest.fixture
def filled(road: Road) -> Road:
    """A table, vectors and an index: nothing is refused for want of something to work on."""
    road.fill(sheet(1, 2, 3))
    return road


def test_the_matrix_names_every_operation_and_conflicts_work_both_ways_on_the_table() -> None:
    assert set(CONFLICTS) == {*Operation, *Action}
    on_the_table = {Operation.IMPORT, Operation.UNDO, Operation.EXPORT}
    for one in on_the_table:
        others = CONFLICTS[one] - {Operation.RESTORE}
        assert others == on_the_table, "the table is changed by one job at a time, and not while it is read out"


@pytest.mark.feature("X1")
def test_every_pair_of_operations_is_decided_by_the_matrix(filled: Road, database: Database) -> None:
    for running, asked in PAIRS:
        job_id = hold(database, running)
        with database.read() as connection:
            decision = gate.decide(connection, asked)
        refused = running in CONFLICTS[asked]
        assert decision.allowed is not refused, f"{asked} while {running} runs"
        if refused:
            assert (decision.reason_code, decision.holder) == (Reason.OPERATION_RUNNING, job_id)
            assert "ann" in decision.reason_text
            assert decision.since is not None
            assert decision.fix_link == f"{gate.PAGES[running]}?job={job_id}"
        release(database, job_id)
        with database.read() as connection:
            assert gate.decide(connection, asked).allowed, f"{asked} after {running} ended"


@pytest.mark.feature("X1")
def test_what_needs_no_job_is_decided_by_the_same_table(filled: Road, database: Database) -> None:
    asked = {
        Action.DRAIN: lambda: filled.api.post("/api/workers/drain", json={}),
        Action.CHANGE_MODEL: lambda: filled.api.put("/api/settings/embedding.url", json={"value": "http://127.0.0.1:1/v1"}),
        Action.GO_BACK: lambda: filled.api.post("/api/index/go-back", json={}),
    }
    for action, ask in asked.items():
        for running in Operation:
            job_id = hold(database, running)
            answer = ask()
            if running in CONFLICTS[action]:
                assert (answer.status_code, answer.json()["code"]) == (409, "refused"), f"{action} while {running} runs"
                assert answer.json()["gate"]["holder"] == job_id
            else:
                assert answer.status_code != 409 or answer.json()["gate"]["reason_code"] != "operation_running", f"{action}: {running}"
            release(database, job_id)


#: How each operation is asked for over HTTP: path and body. A preview conflicts with nothing and needs an upload.
STARTS: dict[Operation, tuple[str, dict[str, Any]]] = {
    Operation.EXPORT: ("export", {}),
    Operation.REFRESH: ("refresh", {}),
    Operation.REBUILD: ("rebuild", {}),
    Operation.SNAPSHOT: ("snapshot", {}),
}


@pytest.mark.feature("M7")
def test_an_index_without_vectors_leads_to_what_brings_them(road: Road) -> None:
    def leads_to() -> set[str]:
        gates = {each["operation"]: each["gate"] for each in road.get("/api/operations")["operations"]}
        return {gates[operation]["fix_link"] for operation in (Operation.REBUILD, Operation.REFRESH)}

    assert leads_to() == {"/Import"}
    road.import_sheet(sheet(1))
    assert leads_to() == {"/Queue"}, "what was imported waits there"


@pytest.mark.parametrize("operation", STARTS)
@pytest.mark.feature("X2")
def test_a_refusal_has_the_same_reason_as_the_gate_that_was_shown(filled: Road, database: Database, operation: Operation) -> None:
    for blocker in CONFLICTS[operation]:
        job_id = hold(database, blocker)
        shown = filled.gate(operation)
        path, body = STARTS[operation]
        answer = filled.start(path, **body)
        assert answer.status_code == 409
        said = answer.json()["gate"]
        assert said == shown
        assert (said["reason_code"], said["holder"]) == ("operation_running", job_id)
        assert answer.json()["detail"] == said["reason_text"]
        assert answer.headers["Location"] == f"/api/jobs/{job_id}"
        release(database, job_id)


@pytest.mark.parametrize(("operation", "reason"), [("export", "table_empty"), ("rebuild", "nothing_to_do"), ("refresh", "nothing_to_do")])
@pytest.mark.feature("X2")
def test_an_empty_service_says_what_is_missing_and_where_to_get_it(road: Road, operation: str, reason: str) -> None:
    shown, answer = road.gate(operation), road.start(operation)
    assert answer.status_code == 409
    assert answer.json()["gate"] == shown
    assert shown["reason_code"] == reason
    assert shown["reason_text"].endswith(".")
    assert shown["fix_link"]


@pytest.mark.feature("X1")
def test_of_fifty_starts_at_once_one_is_accepted_and_the_others_name_it(filled: Road) -> None:
    with ThreadPoolExecutor(50) as crowd:
        answers = list(crowd.map(lambda _: filled.start("export"), range(50)))
    accepted = [answer for answer in answers if answer.status_code == 202]
    refused = [answer for answer in answers if answer.status_code == 409]
    assert (len(accepted), len(refused)) == (1, 49)
    job_id = accepted[0].json()["job_id"]
    assert {answer.json()["gate"]["holder"] for answer in refused} == {job_id}
    filled.works.perform_all()
    assert filled.job(job_id)["state"] == "succeeded"
    assert filled.gate("export")["allowed"]


@pytest.mark.feature("X9")
def test_the_same_idempotency_key_starts_one_job(filled: Road) -> None:
    headers = {"Idempotency-Key": "pressed-twice"}
    first, second = (filled.api.post("/api/operations/export", json={}, headers=headers) for _ in range(2))
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json() == second.json()
    assert len(filled.get("/api/jobs", operation="export")["items"]) == 1
    filled.works.perform_all()
    again = filled.api.post("/api/operations/export", json={}, headers=headers)
    assert again.json() == first.json(), "also after the job has ended"


@pytest.mark.feature("X9")
def test_fifty_clicks_with_one_key_start_one_job(filled: Road) -> None:
    headers = {"Idempotency-Key": "pressed-in-anger"}
    with ThreadPoolExecutor(20) as crowd:
        answers = list(crowd.map(lambda _: filled.api.post("/api/operations/export", json={}, headers=headers), range(50)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["job_id"] for answer in answers}) == 1


@pytest.mark.feature("X9")
def test_an_idempotency_key_of_another_request_is_refused(filled: Road) -> None:
    headers = {"Idempotency-Key": "used-before"}
    filled.api.post("/api/operations/export", json={}, headers=headers)
    other = filled.api.post("/api/operations/export", json={"filter": {"text": "other"}}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    elsewhere = filled.api.post("/api/operations/rebuild", json={}, headers=headers)
    assert elsewhere.json()["code"] == "idempotency_key_reused"


def test_a_refused_start_leaves_its_trace_and_nothing_else(
    filled: Road, database: Database, contents: Callable[..., dict[str, str]]
) -> None:
    job_id = hold(database, Operation.EXPORT)
    before = contents("audit")
    filled.start("export")
    assert contents("audit") == before
    action = filled.get("/api/audit", limit=1)["items"][0]
    assert (action["action"], action["outcome"], action["object_id"]) == ("start_export", "refused: operation_running", job_id)


def test_a_started_job_is_enqueued_locked_and_traced_in_one_transaction(
    filled: Road, database: Database, contents: Callable[..., dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents()
    queue = filled.api.app.state.services.queue  # type: ignore[attr-defined]
    monkeypatch.setattr(queue, "enqueue", lambda *_: (_ for _ in ()).throw(RuntimeError("the engine is not there")))
    with pytest.raises(RuntimeError, match="the engine is not there"):
        filled.start("export")
    assert contents() == before, "no job without a workflow, no lock without a job"
    with database.read() as connection:
        assert connection.execute(sa.select(schema.locks)).all() == []
