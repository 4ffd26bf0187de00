from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from typing import Any

import pytest

from lib.client.api import Client
from lib.contract.audit import AuditPage
from lib.contract.entries import EntryPage
from lib.contract.exports import ExportPage, ExportRequest
from lib.contract.imports import ColumnMapping, FileSource, ImportRequest, Plan, PlanCounts, PreviewRequest, SheetColumns, Upload
from lib.contract.index import IndexReading, SearchResult
from lib.contract.jobs import Job, JobLog, JobPage
from lib.contract.model import Reading, utc_now
from lib.contract.operations import OperationsReading, Ticket
from lib.contract.queue import FailurePage, FailureReport, FailureSelection, QueueHistory, QueueReading, Window
from lib.contract.settings import SettingReading, SettingsReading
from lib.contract.states import Actual, Change, Desired, FailureCause, ImportMode, JobState, Operation, PlanState, WorkerRole
from lib.contract.workers import Worker, WorkersReading
from tests.client.conftest import TOKEN, Script

NOW = utc_now()
UPLOAD = Upload(upload_id="a" * 32, name="packages.csv", size_bytes=10)
MAPPING = ColumnMapping(key="name", text=["summary"])
PREVIEW = PreviewRequest(source=FileSource(upload_id="a" * 32), mapping=MAPPING)
COLUMNS = SheetColumns(columns=["name"], sample=[["numpy"]], encoding="utf-8", delimiter=",")
PLAN = Plan(
    plan_id="p",
    job_id="j",
    state=PlanState.READY,
    source={},
    source_name="packages.csv",
    mapping=MAPPING,
    mode=ImportMode.MERGE,
    counts=PlanCounts(new=3),
    requested_by="ada",
    created_at=NOW,
    expires_at=NOW,
    taken_at=NOW,
)
JOB = Job(job_id="j/1", operation=Operation.IMPORT, state=JobState.RUNNING, requested_by="ada", created_at=NOW)
WORKER = Worker(
    worker_id="w1", role=WorkerRole.EMBEDDING, host="h", pid=1, desired=Desired.RUNNING, actual=Actual.IDLE, stale=False, started_at=NOW
)
WORKERS = WorkersReading(workers=[WORKER], taken_at=NOW)
QUEUE = QueueReading(entries=1, pending=1, leased=0, failed=0, embedded=0, taken_at=NOW)
SETTING = SettingReading(name="export.keep_days", value=3, default=7)
REPORT = FailureReport(done=2, skipped=0)

#: name → (call, method, path, query, answer); what a start returns is the id inside its answer
CALLS: dict[str, tuple[Callable[[Client], Any], str, str, dict[str, str], Reading]] = {
    "create_upload": (lambda c: c.create_upload("packages.csv", 10), "POST", "/api/uploads", {}, UPLOAD),
    "get_upload_columns": (lambda c: c.get_upload_columns("u"), "GET", "/api/uploads/u/columns", {}, COLUMNS),
    "get_plan": (
        lambda c: c.get_plan("p", Change.NEW, 5, "x"),
        "GET",
        "/api/plans/p",
        {"change": "new", "limit": "5", "cursor": "x"},
        PLAN,
    ),
    "list_exports": (lambda c: c.list_exports(), "GET", "/api/exports", {}, ExportPage(items=[], taken_at=NOW)),
    "list_operations": (lambda c: c.list_operations(), "GET", "/api/operations", {}, OperationsReading(operations=[], taken_at=NOW)),
    "list_jobs": (
        lambda c: c.list_jobs(Operation.EXPORT, JobState.FAILED, 7),
        "GET",
        "/api/jobs",
        {"operation": "export", "state": "failed", "limit": "7"},
        JobPage(items=[JOB], taken_at=NOW),
    ),
    "get_job": (lambda c: c.get_job("j/1"), "GET", "/api/jobs/j%2F1", {}, JOB),
    "get_job_log": (lambda c: c.get_job_log("j"), "GET", "/api/jobs/j/log", {}, JobLog(job_id="j", lines=[])),
    "cancel_job": (lambda c: c.cancel_job("j"), "POST", "/api/jobs/j/cancel", {}, JOB),
    "list_workers": (lambda c: c.list_workers(), "GET", "/api/workers", {}, WORKERS),
    "pause_worker": (lambda c: c.pause_worker("w1", "tea"), "POST", "/api/workers/w1/pause", {}, WORKER),
    "resume_worker": (lambda c: c.resume_worker("w1"), "POST", "/api/workers/w1/resume", {}, WORKER),
    "drain_worker": (lambda c: c.drain_worker("w1"), "POST", "/api/workers/w1/drain", {}, WORKER),
    "pause_workers": (lambda c: c.pause_workers("tea"), "POST", "/api/workers/pause", {}, WORKERS),
    "resume_workers": (lambda c: c.resume_workers(), "POST", "/api/workers/resume", {}, WORKERS),
    "drain_workers": (lambda c: c.drain_workers(), "POST", "/api/workers/drain", {}, WORKERS),
    "get_queue": (lambda c: c.get_queue(), "GET", "/api/queue", {}, QUEUE),
    "get_queue_history": (
        lambda c: c.get_queue_history(Window.H1),
        "GET",
        "/api/queue/history",
        {"window": "1h"},
        QueueHistory(window=Window.H1, step_seconds=1, points=[], taken_at=NOW),
    ),
    "list_failures": (
        lambda c: c.list_failures(FailureCause.QUOTA),
        "GET",
        "/api/queue/failures",
        {"cause": "quota", "limit": "50"},
        FailurePage(items=[], total=0, taken_at=NOW),
    ),
    "retry_failures": (lambda c: c.retry_failures(FailureSelection(entry_ids=[1])), "POST", "/api/queue/failures/retry", {}, REPORT),
    "discard_failures": (lambda c: c.discard_failures(FailureSelection()), "POST", "/api/queue/failures/discard", {}, REPORT),
    "get_index": (lambda c: c.get_index(), "GET", "/api/index", {}, IndexReading(taken_at=NOW)),
    "search_index": (
        lambda c: c.search_index("arrays", 3),
        "POST",
        "/api/index/search",
        {},
        SearchResult(generation=1, hits=[], seconds=0.1, taken_at=NOW),
    ),
    "list_entries": (
        lambda c: c.list_entries("ü & co", cursor="c"),
        "GET",
        "/api/entries",
        {"text": "ü & co", "limit": "50", "cursor": "c"},
        EntryPage(items=[], total=0, taken_at=NOW),
    ),
    "list_settings": (lambda c: c.list_settings(), "GET", "/api/settings", {}, SettingsReading(settings=[SETTING], taken_at=NOW)),
    "put_setting": (lambda c: c.put_setting("export.keep_days", 3, 7), "PUT", "/api/settings/export.keep_days", {}, SETTING),
    "list_audit": (lambda c: c.list_audit(10), "GET", "/api/audit", {"limit": "10"}, AuditPage(items=[], taken_at=NOW)),
    "create_ticket": (
        lambda c: c.create_ticket("GET", "/api/exports/e/file"),
        "POST",
        "/api/tickets",
        {},
        Ticket(ticket="t", expires_at=NOW),
    ),
}
STARTS: dict[str, tuple[Callable[[Client], str], str]] = {
    "start_import": (lambda c: c.start_import(ImportRequest(plan_id="p")), "import"),
    "start_export": (lambda c: c.start_export(ExportRequest()), "export"),
    "start_refresh": (lambda c: c.start_refresh(), "refresh"),
    "start_rebuild": (lambda c: c.start_rebuild(), "rebuild"),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_method_asks_its_endpoint_and_reads_the_answer(name: str, client: Client, script: Script) -> None:
    call, method, path, query, answer = CALLS[name]
    script.on(method, path, body=answer.model_dump(mode="json"))
    assert call(client) == answer
    (request,) = script.seen
    assert request.query == query
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert method == "GET" or request.headers["content-type"] == "application/json"


@pytest.mark.parametrize("name", STARTS)
def test_a_start_returns_the_job_and_sends_a_key_of_its_own(name: str, client: Client, script: Script) -> None:
    call, operation = STARTS[name]
    script.on("POST", f"/api/operations/{operation}", 202, {"job_id": "j"})
    assert [call(client), call(client)] == ["j", "j"]
    keys = [request.headers["idempotency-key"] for request in script.seen]
    assert all(len(key) == 32 for key in keys)
    assert keys[0] != keys[1]


def test_a_start_with_a_given_key_sends_that(client: Client, script: Script) -> None:
    script.on("POST", "/api/operations/rebuild", 202, {"job_id": "j"})
    client.start_rebuild("the-same-click")
    assert script.seen[0].headers["idempotency-key"] == "the-same-click"


def test_a_preview_returns_the_plan(client: Client, script: Script) -> None:
    script.on("POST", "/api/operations/import/preview", 202, {"plan_id": "p"})
    assert client.preview_import(PREVIEW) == "p"
    assert json.loads(script.seen[0].body)["mapping"]["key"] == "name"


def test_wishes_and_changes_carry_what_was_said(client: Client, script: Script) -> None:
    script.on("POST", "/api/workers/w1/pause", 202, WORKER.model_dump(mode="json"))
    script.on("PUT", "/api/settings/export.keep_days", body=SETTING.model_dump(mode="json"))
    client.pause_worker("w1", "tea")
    client.put_setting("export.keep_days", 3, expected=7)
    wish, change = (json.loads(request.body) for request in script.seen)
    assert wish["reason"] == "tea"
    assert change == {"value": 3, "expected": 7}


def test_the_snapshot_is_asked_for_with_what_we_have(client: Client, script: Script) -> None:
    script.on("GET", "/api/telemetry/snapshot", 304, headers={"ETag": '"5"'})
    assert client.get_telemetry_snapshot('"5"') == (None, '"5"')
    assert script.seen[0].headers["if-none-match"] == '"5"'


def test_health_readiness_metrics_and_the_document(client: Client, script: Script) -> None:
    script.on("GET", "/healthz", body={"ok": True})
    script.on("GET", "/readyz", 503, {"database": "locked"})
    script.on("GET", "/metrics", body=b"switchyard_up 1\n", headers={"Content-Type": "text/plain"})
    script.on("GET", "/api/openapi.json", body={"openapi": "3.1.0"})
    assert client.get_health() == {"ok": True}
    assert client.get_readiness() == (False, {"database": "locked"})
    assert client.get_metrics() == "switchyard_up 1\n"
    assert client.get_openapi()["openapi"] == "3.1.0"


def test_every_public_method_is_tried_here() -> None:
    tried = {*CALLS, *STARTS, "get_upload_offset", "put_upload_slice", "upload_file", "preview_import", "download_export", "export_link"}
    tried |= {"get_telemetry_snapshot", "get_openapi", "get_health", "get_readiness", "get_metrics"}
    assert {name for name, _ in inspect.getmembers(Client, inspect.isfunction) if not name.startswith("_")} == tried
