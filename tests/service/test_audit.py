"""Every action leaves a trace in the transaction of the action itself: who, what, on what, from → to, and how it ended."""

from __future__ import annotations

import csv
import io
import re
import socket
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from lib.contract.formulas import rearm
from lib.contract.model import utc_now
from lib.service import audit
from lib.service.config import Config
from lib.service.security import _local_user
from lib.service.storage import schema
from lib.service.storage.audit import list_actions, record_action
from lib.service.storage.credentials import put_credentials
from lib.service.storage.crews import put_crew
from lib.service.storage.database import Database
from tests.conftest import TOKEN
from tests.service.probes import committed, ids_of, note_of, rows_of
from tests.service.refusals import renew
from tests.service.refused_sheets import STORED_KEY
from tests.service.road import Road, sheet
from tests.service.traces import mutating

#: Routes that write and are no action of their own, each with why.
PART_OF_ANOTHER = {"put_upload_slice": "the bytes of an upload whose announcement left its trace; nobody sees them before the last"}

#: Where what changes stands in no table, and the trace is all the database learns; proved beside the thing itself.
PROVED_ELSEWHERE = {
    "go_back": "the pointer to the served generation, in test_restore.py",
    "delete_rehearsal": "the folder of a rehearsal, in test_rehearsals.py",
}

Call = Callable[[Road], httpx2.Response]


def post(path: str, **body: Any) -> Call:
    """A POST whose address and body may name what there is: {import}, {queued}, {plan} …"""

    def call(road: Road) -> httpx2.Response:
        there = ids_of(road)
        filled = {name: value.format(**there) if isinstance(value, str) else value for name, value in body.items()}
        return road.api.post(path.format(**there), json=filled)

    return call


def golden(road: Road) -> str:
    """Where the one golden question is."""
    (question,) = road.get("/api/golden")["questions"]
    return f"/api/golden/{question['question_id']}"


def preview(road: Road) -> httpx2.Response:
    with road.works.database.read() as connection:
        upload_id = connection.execute(sa.select(schema.uploads.c.upload_id).order_by(schema.uploads.c.created_at).limit(1)).scalar_one()
    source = {"kind": "file", "upload_id": upload_id}
    return road.api.post("/api/operations/import/preview", json={"source": source, "mapping": {"key": "key", "text": ["text"]}})


def tick(road: Road) -> httpx2.Response:
    return road.api.put(f"/api/plans/{ids_of(road)['plan']}/ticks", json={"ticked": False, "matching": {"change": "removed"}})


A_SHEET = {"kind": "google_sheet", "spreadsheet": "book-0123456789", "tab": "A"}
#: operation id → (a call that is accepted, the action it leaves); in this order.
ACTIONS: dict[str, tuple[Call, str]] = {
    "create_upload": (post("/api/uploads", name="a.csv", size_bytes=3), "create_upload"),
    "preview_import": (preview, "start_preview"),
    "tick_rows": (tick, "tick_rows"),
    "start_import": (post("/api/operations/import", plan_id="{plan}"), "start_import"),
    "cancel_job": (post("/api/jobs/{queued}/cancel"), "cancel_job"),
    "preview_export": (post("/api/operations/export/preview", target=A_SHEET), "start_compare"),
    "start_export": (post("/api/operations/export"), "start_export"),
    "start_refresh": (post("/api/operations/refresh"), "start_refresh"),
    "start_rebuild": (post("/api/operations/rebuild"), "start_rebuild"),
    "start_snapshot": (post("/api/operations/snapshot", name="mine"), "start_snapshot"),
    "change_snapshot": (lambda road: road.api.put(f"/api/snapshots/{ids_of(road)['snapshot']}", json={"pinned": True}), "change_snapshot"),
    "start_inspection": (
        lambda road: road.start("inspect", source={"kind": "snapshot", "snapshot_id": ids_of(road)["snapshot"]}),
        "start_inspect",
    ),
    "start_restore": (post("/api/operations/restore", inspection_id="{inspection}", typed_name="mine"), "start_restore"),
    "delete_snapshot": (lambda road: road.api.delete(f"/api/snapshots/{ids_of(road)['snapshot']}?typed_name=mine"), "delete_snapshot"),
    "cancel_intention": (post("/api/intentions/{intention}/cancel"), "cancel_intention"),
    "pause_worker": (post("/api/workers/embedding-1/pause", reason="tea"), "pause_worker"),
    "resume_worker": (post("/api/workers/embedding-1/resume"), "resume_worker"),
    "drain_worker": (post("/api/workers/embedding-1/drain"), "drain_worker"),
    "pause_workers": (post("/api/workers/pause"), "pause_worker"),
    "resume_workers": (post("/api/workers/resume"), "resume_worker"),
    "drain_workers": (post("/api/workers/drain"), "drain_worker"),
    "scale_workers": (post("/api/workers/scale", embedding=5), "scale_workers"),
    "add_note": (post("/api/shift/notes", text="the disk is new"), "add_note"),
    "delete_note": (lambda road: road.api.delete(f"/api/shift/notes/{note_of(road)}"), "delete_note"),
    "retry_failures": (post("/api/queue/failures/retry"), "retry_failures"),
    "discard_failures": (post("/api/queue/failures/discard"), "discard_failures"),
    "put_items_first": (post("/api/queue/items/first"), "put_items_first"),
    "put_items_back": (post("/api/queue/items/back"), "put_items_back"),
    "start_requeue": (post("/api/operations/requeue"), "start_requeue"),
    "put_setting": (lambda road: road.api.put("/api/settings/export.keep_days", json={"value": 3}), "put_setting"),
    "put_credentials": (
        lambda road: road.api.put("/api/settings/credentials", json={"kind": "embeddings", "content": "sk-canary"}), "put_credentials",
    ),
    "delete_credentials": (lambda road: road.api.delete("/api/settings/credentials/embeddings"), "delete_credentials"),
    "check_settings": (post("/api/settings/check"), "check_settings"),
    "create_golden_question": (post("/api/golden", text="Who?", expected_keys=["k1"]), "create_golden_question"),
    "put_golden_question": (lambda road: road.api.put(golden(road), json={"text": "Why?", "expected_keys": ["k1"]}), "put_golden_question"),
    "delete_golden_question": (lambda road: road.api.delete(golden(road)), "delete_golden_question"),
    "start_check": (post("/api/index/check"), "start_check"),
    "start_map": (post("/api/operations/map"), "start_map"),
    "start_renewal": (renew, "start_renew"),
    "start_repair": (post("/api/operations/repair", check_id="{check}"), "start_repair"),
    "start_reembedding": (post("/api/operations/reembed", embedder="wordllama"), "start_reembed"),
    "start_rehearsal": (lambda road: road.start("rehearse", change={"kind": "reembed", "embedder": "wordllama"}), "start_rehearse"),
    "start_undo": (post("/api/operations/import/{import}/undo"), "start_undo"),
    "create_moment": (post("/api/moments"), "create_moment"),
}


def make_ready(road: Road, route: str) -> None:
    """What must have happened before this route can do something."""
    if route not in {"cancel_job", "cancel_intention"}:
        road.works.perform_all()
    if route in {"tick_rows", "start_import"}:
        road.preview(sheet(1, text="new {}"))
    if route == "preview_export":
        with road.works.database.write() as connection:
            put_credentials(connection, STORED_KEY)
    if route == "start_repair":
        with road.works.database.write() as connection:
            connection.execute(sa.delete(schema.embeddings))
        road.works.perform(road.api.post("/api/index/check", json={}).json()["job_id"])
    if route == "scale_workers":
        with road.works.database.write() as connection:
            put_crew(connection, socket.gethostname(), 2)
    if route == "cancel_intention":
        road.start("export")
        road.api.post("/api/operations/export?when_free=true", json={})
    if route == "put_items_first":
        road.import_sheet(sheet(10, text="waits"))
    if route in {"retry_failures", "discard_failures"}:
        road.works.embedder.fail("hopeless")
        if route == "retry_failures":
            road.import_sheet(sheet(9, text="hopeless"))
        road.works.embed("embedding-3")
        assert road.queue()["failed"] == 1


@pytest.mark.feature("X6")
def test_every_route_that_changes_something_leaves_its_trace_in_the_transaction_of_the_change(road: Road, service_app: FastAPI) -> None:
    assert set(ACTIONS) == mutating(service_app.openapi()) - {*PART_OF_ANOTHER, *PROVED_ELSEWHERE}
    road.fill(sheet(1, 2, 3))
    road.works.heart("embedding-2")
    for route, (call, action) in ACTIONS.items():
        make_ready(road, route)
        last = road.get("/api/audit", limit=1)["items"][0]["audit_id"]
        road.api.headers["X-Request-Id"] = f"request-of-{route}"
        with committed(road) as transactions:
            answer = call(road)
        assert answer.status_code < 300, f"{route}: {answer.text}"
        traces = [entry for entry in road.get("/api/audit")["items"] if entry["audit_id"] > last]
        each = 2 if route in {"pause_workers", "resume_workers", "drain_workers"} else 1
        assert [trace["action"] for trace in traces] == [action] * each, route
        assert (traces[0]["actor"], traces[0]["request_id"]) == (_local_user(), f"request-of-{route}")
        assert len(transactions) == 1, f"{route} writes in more than one transaction: {transactions}"
        assert transactions[0] > {"audit"}, f"{route}: the trace stands in a transaction of its own"


@pytest.mark.feature("X6")
def test_a_trace_says_from_what_to_what(road: Road) -> None:
    road.works.heart()
    road.api.put("/api/settings/export.keep_days", json={"value": 3})
    road.api.put("/api/settings/export.keep_days", json={"value": 5, "expected": 4})
    road.api.post("/api/workers/embedding-1/pause", json={"reason": "tea"})
    worker, refused, setting = road.get("/api/audit")["items"]
    assert (setting["object_id"], setting["before"], setting["after"], setting["outcome"]) == (
        "export.keep_days", {"value": 7}, {"value": 3}, "done",
    )  # fmt: skip
    assert (refused["before"], refused["after"], refused["outcome"]) == ({"value": 3}, {"value": 5}, "refused: changed_since_shown")
    assert (worker["before"], worker["after"]) == ({"desired": "running"}, {"desired": "paused", "reason": "tea"})
    now = {each["name"]: each["value"] for each in road.get("/api/settings")["settings"]}
    assert now["export.keep_days"] == 3


@pytest.mark.feature("X6")
def test_what_is_rolled_back_leaves_no_trace(database: Database) -> None:
    def record_and_fail() -> None:
        with database.write() as connection:
            record_action(connection, actor="ann", action="look")
            raise RuntimeError("the change did not work")

    with pytest.raises(RuntimeError, match="the change did not work"):
        record_and_fail()
    assert rows_of(database, schema.audit) == []


@pytest.mark.feature("X6")
def test_who_did_it_is_who_was_authenticated_whatever_the_client_says(road: Road) -> None:
    for header in ("X-User", "X-Forwarded-User", "X-Actor", "Remote-User", "From"):
        road.api.headers[header] = "mallory"
    road.api.headers["X-Request-Id"] = "x" * 65
    assert road.api.post("/api/uploads", json={"name": "a.csv", "size_bytes": 1, "created_by": "mallory"}).status_code == 422
    road.api.post("/api/uploads", json={"name": "a.csv", "size_bytes": 1})
    trace = road.get("/api/audit")["items"][0]
    assert trace["actor"] == _local_user() != "mallory"
    assert re.fullmatch("[0-9a-f]{32}", trace["request_id"]), "a request id that is no id is replaced"


@pytest.mark.feature("X6")
def test_no_secret_reaches_the_trace_the_log_or_the_file(road: Road, config: Config, database: Database) -> None:
    road.works.heart()
    upload_id = road.upload(sheet(1))
    tickets = [
        road.api.post("/api/tickets", json={"method": method, "path": path}).json()["ticket"]
        for method, path in (("PUT", f"/api/uploads/{upload_id}"), ("GET", "/api/audit/file"))
    ]
    assert road.api.get("/api/audit/file", params={"ticket": tickets[1]}, headers={"Authorization": ""}).status_code == 200
    road.import_sheet(sheet(1))
    road.export()
    assert road.api.get("/api/audit", headers={"Authorization": "Bearer wrong-canary"}).status_code == 401
    secrets = [TOKEN, (config.data_dir / "ticket-secret").read_text(), *tickets, "wrong-canary"]
    written = repr([rows_of(database, table) for table in (schema.audit, schema.jobs, schema.job_log, schema.idempotency)])
    written += road.api.get("/api/audit/file").text
    assert not [secret for secret in secrets if secret in written]


@pytest.fixture
def long_audit(database: Database) -> int:
    """More actions than one page of the file holds, some with words a spreadsheet would run."""
    nasty = ["=1+1", "+1", "-2+3", "@SUM(A1)", "\tx", "\rx", "＝1", "  =1", "'=1", "plain", "a,b", 'with "quotes"', "two\nlines", ""]
    rows = [
        {
            "at": utc_now(), "actor": f"ann {number}", "action": "look", "object_id": nasty[number % len(nasty)],
            "before": {"value": nasty[number % len(nasty)]}, "outcome": nasty[number % len(nasty)] or "done", "request_id": str(number),
        }
        for number in range(1234)
    ]  # fmt: skip
    with database.write() as connection:
        connection.execute(sa.insert(schema.audit), rows)
    return len(rows)


def read_file(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.mark.feature("X6")
def test_the_file_is_complete_newest_first_and_safe_to_open_in_a_spreadsheet(road: Road, database: Database, long_audit: int) -> None:
    answer = road.api.get("/api/audit/file")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert re.fullmatch(r'attachment; filename="switchyard-audit-\d{4}-\d\d-\d\d\.csv"', answer.headers["content-disposition"])
    lines = read_file(answer.text)
    with database.read() as connection:
        actions = list_actions(connection, before=None, limit=5000)
    assert len(lines) == len(actions) == long_audit
    for line, entry in zip(lines, actions, strict=True):
        assert (line["actor"], line["request_id"], int(line["audit_id"])) == (entry.actor, entry.request_id, entry.audit_id)
        assert (rearm(line["object_id"]), rearm(line["outcome"])) == (entry.object_id or "", entry.outcome)
    cells = {cell for line in lines for cell in line.values()}
    assert {cell for cell in cells if re.match(r"\s*[=+\-@＝＋－＠\t\r]", cell)} == {"+1"}, "a plain number is no formula"


@pytest.mark.feature("X6")
def test_writing_the_file_keeps_no_transaction_open_and_repeats_nothing(database: Database, long_audit: int) -> None:
    parts = audit.write_csv(database)
    text = next(parts) + next(parts)
    with database.write() as connection:  # while a slow reader takes its time
        record_action(connection, actor="late", action="look")
        connection.execute(sa.delete(schema.audit).where(schema.audit.c.actor == "ann 0"))
    text += "".join(parts)
    ids = [int(line["audit_id"]) for line in read_file(text)]
    assert ids == sorted(set(ids), reverse=True)
    assert len(ids) == long_audit - 1


@pytest.mark.feature("X6")
def test_the_list_is_paged_and_can_be_asked_for_one_object(road: Road, long_audit: int) -> None:
    seen, query = [], {"limit": 200, "object_id": "plain"}
    while True:
        page = road.get("/api/audit", **query)
        seen += [entry["request_id"] for entry in page["items"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
        query["limit"] = 30
    assert seen == [str(number) for number in reversed(range(long_audit)) if number % 14 == 9]
    assert page["total"] == len(seen), "the last page knows of all"
    assert road.get("/api/audit", limit=1)["total"] == len(rows_of(road.works.database, schema.audit))
    assert road.api.get("/api/audit", params={"cursor": "?"}).json()["code"] == "bad_cursor"
