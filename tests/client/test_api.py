"""Every method of the client: what it asks, with which words, and what it makes of the answer."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lib.client.api import Client
from lib.client.errors import Refused, Unexpected
from lib.contract.export_plans import ExportPreviewRequest
from lib.contract.exports import ExportRequest
from lib.contract.imports import ImportRequest
from lib.contract.model import Request
from lib.contract.operations import EmptyRequest, Gate, Reason, Started
from lib.contract.states import CredentialKind, Operation
from tests.client.calls import CALLS, PREVIEW, STARTS
from tests.client.conftest import TOKEN, Script
from tests.client.export_calls import SHEET
from tests.client.settings_calls import SETTING
from tests.client.worker_calls import WORKER


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


def test_a_start_that_only_waits_is_no_job(client: Client, script: Script) -> None:
    script.on("POST", "/api/operations/rebuild", 202, {"intention_id": "i"})
    with pytest.raises(Unexpected, match="without its job"):
        client.start_rebuild()


@pytest.mark.parametrize(
    ("call", "path", "body"),
    [
        (lambda c: c.start_when_free(Operation.EXPORT, ExportRequest()), "/api/operations/export", ExportRequest()),
        (lambda c: c.start_when_free(Operation.IMPORT, ImportRequest(plan_id="p")), "/api/operations/import", ImportRequest(plan_id="p")),
        (lambda c: c.start_when_free(Operation.UNDO, EmptyRequest(), "j/1"), "/api/operations/import/j%2F1/undo", EmptyRequest()),
    ],
)
def test_a_start_when_free_is_one_wish_however_often_it_has_to_be_sent(
    client: Client, script: Script, call: Callable[[Client], Started], path: str, body: Request
) -> None:
    script.on("POST", path, 503)
    script.on("POST", path, 202, {"intention_id": "i"})
    assert call(client) == Started(intention_id="i")
    assert [request.query for request in script.seen] == [{"when_free": "true"}] * 2
    assert len({request.headers["idempotency-key"] for request in script.seen}) == 1, "a repeat is not a second wish"
    assert json.loads(script.seen[1].body) == body.model_dump(mode="json")
    script.on("POST", path, 202, {"job_id": "j"})
    call(client)
    assert script.seen[2].headers["idempotency-key"] != script.seen[1].headers["idempotency-key"], "the next click is"


def test_deleting_a_snapshot_sends_the_typed_name_and_is_refused_with_the_gates_words(client: Client, script: Script) -> None:
    gate = Gate(allowed=False, reason_code=Reason.NAME_NOT_TYPED, reason_text="Type its name: mine", fix_link="/Index")
    problem = {"title": "Conflict", "status": 409, "code": "refused", "detail": gate.reason_text, "gate": gate.model_dump(mode="json")}
    script.on("DELETE", "/api/snapshots/s%2F1", 409, problem)
    script.on("DELETE", "/api/snapshots/s%2F1", 204)
    with pytest.raises(Refused) as refused:
        client.delete_snapshot("s/1", "min & max")
    assert refused.value.gate == gate
    client.delete_snapshot("s/1", "mine")
    assert [request.query for request in script.seen] == [{"typed_name": "min & max"}, {"typed_name": "mine"}]


def test_a_check_returns_its_job_and_says_it_once(client: Client, script: Script) -> None:
    script.on("POST", "/api/index/check", 202, {"job_id": "j"})
    assert client.start_check("a-good-key") == "j"
    assert script.seen[0].headers["Idempotency-Key"] == "a-good-key"


def test_a_golden_question_is_forgotten_by_its_id(client: Client, script: Script) -> None:
    script.on("DELETE", "/api/golden/g%2F1", 204)
    client.delete_golden_question("g/1")
    assert len(script.seen) == 1


def test_a_secret_is_forgotten_by_its_kind(client: Client, script: Script) -> None:
    script.on("DELETE", "/api/settings/credentials/google", 204)
    client.delete_credentials(CredentialKind.GOOGLE)
    assert len(script.seen) == 1


def test_the_points_of_the_map_come_as_they_are(client: Client, script: Script) -> None:
    script.on("GET", "/api/index/map/m%2F1/points", 200, {"any": "bytes"})
    assert json.loads(client.get_map_points("m/1")) == {"any": "bytes"}


def test_a_rehearsal_is_thrown_away_by_its_id(client: Client, script: Script) -> None:
    script.on("DELETE", "/api/rehearsals/r%2F1", 204)
    client.delete_rehearsal("r/1")
    assert len(script.seen) == 1


def test_the_audit_is_downloaded_as_it_is(client: Client, script: Script, tmp_path: Path) -> None:
    data = "at,actor\r\n2026,ädä\r\n".encode()
    script.on("GET", "/api/audit/file", body=data, headers={"Content-Type": "text/csv; charset=utf-8"})
    path = tmp_path / "audit.csv"
    assert client.download_audit(path) == path
    assert path.read_bytes() == data


def test_the_bad_rows_of_a_plan_are_kept_as_they_came_or_linked_to(client: Client, script: Script, tmp_path: Path) -> None:
    script.on("GET", "/api/plans/p/bad-rows", body=b"row,key\r\n2,\r\n", headers={"Content-Type": "text/csv; charset=utf-8"})
    assert client.download_bad_rows("p", tmp_path / "bad.csv").read_bytes() == b"row,key\r\n2,\r\n"
    assert client.bad_rows_link("p", "t1") == "/api/plans/p/bad-rows?ticket=t1"


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


def test_a_comparison_with_a_sheet_is_asked_for_and_answers_with_its_plan(client: Client, script: Script) -> None:
    script.on("POST", "/api/operations/export/preview", 202, {"plan_id": "p1"})
    assert client.preview_export(ExportPreviewRequest(target=SHEET)) == "p1"


def test_every_public_method_is_tried_here() -> None:
    tried = {*CALLS, *STARTS, "start_when_free", "preview_import", "delete_snapshot", "download_audit", "download_export", "export_link"}
    tried |= {"preview_export", "delete_credentials"}
    tried |= {"delete_golden_question", "delete_note", "start_check", "download_bad_rows", "bad_rows_link"}
    tried |= {"delete_rehearsal", "download_snapshot", "snapshot_link", "get_map_points"}
    tried |= {"get_upload_offset", "put_upload_slice", "upload_file"}
    tried |= {"get_telemetry_snapshot", "get_openapi", "get_health", "get_readiness", "get_metrics"}
    assert {name for name, _ in inspect.getmembers(Client, inspect.isfunction) if not name.startswith("_")} == tried
