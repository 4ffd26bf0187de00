"""Cancel at every phase of a preview and of an import: everything is as it was before, and nothing is held."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lib.contract.states import Operation
from lib.service.config import Config
from lib.service.operations import imports, runner
from lib.service.operations.runner import JobContext
from lib.service.storage import jobs, schema
from lib.service.storage.database import Database
from tests.service.probes import at_every_tell, hash_files, locks_and_holds, rows_of
from tests.service.road import Road, sheet

#: What a cancelled job leaves of itself: its row, its log, its trace. And the safety snapshot it may have taken before.
OF_THE_JOB = ("jobs", "job_log", "job_steps", "audit", "idempotency", "snapshots")
BEFORE, AFTER = sheet(*range(50)), sheet(*range(20, 2120), text="cancelled {}")


@pytest.fixture
def filled(road: Road, monkeypatch: pytest.MonkeyPatch) -> Road:
    """A searchable table, with a new row in a worker's hand and another one that waits."""
    monkeypatch.setattr(imports, "BATCH_ROWS", 500)
    road.fill(BEFORE)
    road.import_sheet(sheet(50, 51, text="not yet embedded {}"))
    road.api.put("/api/settings/embedding.batch_size", json={"value": 1})
    road.works.worker()._claim(road.works.embedder.fingerprint)
    assert (road.queue()["pending"], road.queue()["leased"]) == (1, 1)
    return road


class Canceller:
    """Asks a job to stop when it tells of its phases for the ``at``-th time."""

    def __init__(self, road: Road, operation: Operation, monkeypatch: pytest.MonkeyPatch) -> None:
        self.road, self.operation, self.at = road, operation, 0
        self.phases: list[str] = []
        at_every_tell(monkeypatch, self._look)

    def _look(self, context: JobContext, phase: str) -> None:
        if context.job.operation is not self.operation:
            return
        self.phases.append(phase)
        if len(self.phases) == self.at:
            job_id = context.job.job_id
            answer = self.road.api.post(f"/api/jobs/{job_id}/cancel").json()
            assert (answer["state"], answer["cancel_requested"]) == ("running", True)
            assert self.road.job(job_id)["cancel_requested"], "seen at once by everybody"
            active = self.road.get("/api/telemetry/snapshot")["jobs"]["active"]
            assert [(job["job_id"], job["cancel_requested"]) for job in active] == [(job_id, True)]
            assert locks_and_holds(self.road.works.database)[0] == [job_id], "the lock is held until the work has really ended"

    def everywhere(self, start: Callable[[], str], check: Callable[[str], None]) -> list[str]:
        """Start and cancel, each time one phase later, until the job comes through; the phases, and ``check`` after each."""
        while True:
            self.at, self.phases = self.at + 1, []
            job_id = start()
            self.road.works.perform(job_id)
            job = self.road.job(job_id)
            if len(self.phases) < self.at:
                assert job["state"] == "succeeded", job["error"]
                return self.phases
            assert (job["state"], job["error"]) == ("cancelled", None), self.phases
            assert job["result"]["phase"] == self.phases[-1], "it says how far it came before that was taken back"
            assert job["result"]["done"] <= (job["result"]["total"] or 10**9)
            assert self.road.get(f"/api/jobs/{job_id}/log")["lines"][-1]["message"] == "cancelled"
            assert locks_and_holds(self.road.works.database) == ([], [])
            check(job_id)


def counts(road: Road) -> dict[str, Any]:
    return {name: road.queue()[name] for name in ("entries", "pending", "leased", "failed", "discarded", "embedded")}


@pytest.mark.feature("X3")
def test_a_preview_cancelled_in_any_phase_leaves_no_row_behind(
    filled: Road, config: Config, contents: Callable[..., dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_id = filled.upload(AFTER)
    body = {"source": {"kind": "file", "upload_id": upload_id}, "mapping": {"key": "key", "text": ["text"]}, "mode": "mirror"}
    before, files, queue = contents(*OF_THE_JOB, "plans"), hash_files(config.index_dir), counts(filled)

    def start() -> str:
        plan_id = filled.api.post("/api/operations/import/preview", json=body).json()["plan_id"]
        job_id: str = filled.plan(plan_id)["job_id"]
        return job_id

    def check(job_id: str) -> None:
        assert contents(*OF_THE_JOB, "plans") == before, "also no row of the plan"
        assert (hash_files(config.index_dir), counts(filled)) == (files, queue)
        plan = filled.plan(filled.job(job_id)["arguments"]["plan_id"])
        assert (plan["state"], plan["rows"]) == ("failed", [])
        assert (plan["gate"]["reason_code"], plan["error"]["code"]) == ("plan_failed", "cancelled")

    phases = Canceller(filled, Operation.PREVIEW, monkeypatch).everywhere(start, check)
    assert list(dict.fromkeys(phases)) == ["starting", "opening the source", "comparing", "looking for removals", "checking what was read"]
    assert phases.count("comparing") > 2, "in the middle of it, too"


@pytest.mark.feature("X3")
def test_an_import_cancelled_in_any_phase_leaves_table_queue_index_and_plan_as_they_were(
    filled: Road, config: Config, contents: Callable[..., dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "HOLD_WAIT_SECONDS", 0.06)  # long enough to say once that it waits for the worker's batch
    plan = filled.preview(AFTER, mode="mirror")
    before, files, queue = contents(*OF_THE_JOB), hash_files(config.index_dir), counts(filled)

    def start() -> str:
        answer = filled.post_import(plan["plan_id"], approve_removals=plan["counts"]["removed"])
        assert answer.status_code == 202, answer.text
        job_id: str = answer.json()["job_id"]
        return job_id

    def check(_: str) -> None:
        assert contents(*OF_THE_JOB) == before
        assert (hash_files(config.index_dir), counts(filled)) == (files, queue)
        again = filled.plan(plan["plan_id"])
        assert (again["state"], again["gate"]["allowed"], again["counts"]) == ("ready", True, plan["counts"])

    phases = Canceller(filled, Operation.IMPORT, monkeypatch).everywhere(start, check)
    assert list(dict.fromkeys(phases)) == ["starting", "saving a snapshot", "waiting for the workers to stand still", "applying"]
    assert filled.queue()["entries"] == 2100, "and then it came through"


@pytest.mark.feature("X3")
def test_a_cancel_that_comes_after_the_commit_comes_too_late_and_the_job_says_what_it_did(
    road: Road, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = road.preview(sheet(1))
    job_id = road.post_import(plan["plan_id"]).json()["job_id"]
    monkeypatch.setattr(JobContext, "say", lambda *_, **__: road.api.post(f"/api/jobs/{job_id}/cancel"))  # the first thing after the commit
    road.works.perform(job_id)
    job = road.job(job_id)
    assert (job["state"], job["cancel_requested"], job["result"]["new"]) == ("succeeded", True, 1)
    assert rows_of(database, schema.locks) == []
    with database.read() as connection:
        assert jobs.list_active_jobs(connection) == []
