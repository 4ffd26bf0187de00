"""Every error answer is a problem document with a stable code, whatever provoked it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from lib.contract.errors import ERRORS, ErrorCode, Problem
from tests.service.road import Road, sheet

KEEP_DAYS = "/api/settings/export.keep_days"
Provoke = Callable[[Road, TestClient], httpx2.Response]

PROVOKED: dict[str, tuple[ErrorCode, Provoke]] = {
    "no token": (ErrorCode.UNAUTHENTICATED, lambda _, stranger: stranger.get("/api/queue")),
    "a wrong token": (ErrorCode.BAD_TOKEN, lambda _, stranger: stranger.get("/api/queue", headers={"Authorization": "Bearer x"})),
    "a wrong ticket": (ErrorCode.BAD_TICKET, lambda _, stranger: stranger.get("/api/queue", params={"ticket": "x"})),
    "a foreign host": (ErrorCode.BAD_HOST, lambda road, _: road.api.get("/api/queue", headers={"Host": "evil.example"})),
    "a foreign page": (ErrorCode.CROSS_SITE, lambda road, _: road.api.post("/api/workers/pause", headers={"Origin": "https://evil.example"})),
    "an unknown id": (ErrorCode.NOT_FOUND, lambda road, _: road.api.get("/api/jobs/unknown")),
    "an unknown address": (ErrorCode.NOT_FOUND, lambda road, _: road.api.get("/api/nothing/here")),
    "an address outside": (ErrorCode.NOT_FOUND, lambda road, _: road.api.get("/")),
    "another method": (ErrorCode.METHOD_NOT_ALLOWED, lambda road, _: road.api.delete("/api/queue")),
    "the gate": (ErrorCode.REFUSED, lambda road, _: road.start("export")),
    "an unknown field": (ErrorCode.INVALID, lambda road, _: road.start("export", surprise=1)),
    "no JSON": (ErrorCode.INVALID, lambda road, _: post_raw(road, b"{", "application/json")),
    "no UTF-8": (ErrorCode.INVALID, lambda road, _: post_raw(road, b"\xff", "application/json")),
    "another content type": (ErrorCode.INVALID, lambda road, _: post_raw(road, b"{}", "text/plain")),
    "a bad parameter": (ErrorCode.INVALID, lambda road, _: road.api.get("/api/jobs", params={"limit": 0})),
    "a short idempotency key": (ErrorCode.INVALID, lambda road, _: road.post_import("a-plan", key="x")),
    "a bad cursor": (ErrorCode.BAD_CURSOR, lambda road, _: road.api.get("/api/jobs", params={"cursor": "x"})),
    "a file too large": (ErrorCode.TOO_LARGE, lambda road, _: road.api.post("/api/uploads", json={"name": "a", "size_bytes": 1 << 50})),
    "a body too large": (ErrorCode.TOO_LARGE, lambda road, _: road.api.post("/api/index/search", json={"text": "x" * (1 << 21)})),
    "a wrong offset": (ErrorCode.WRONG_OFFSET, lambda road, _: road.api.put(f"/api/uploads/{road.upload(b'abc')}?offset=1", content=b"x")),
    "half an upload": (ErrorCode.UPLOAD_INCOMPLETE, lambda road, _: road.api.get(f"/api/uploads/{half_an_upload(road)}/columns")),
    "a report that is still made": (ErrorCode.NOT_READY, lambda road, _: road.api.get(f"/api/inspections/{begin_inspection(road)}")),
    "a PDF": (ErrorCode.UNREADABLE_SOURCE, lambda road, _: road.api.get(f"/api/uploads/{road.upload(b'%PDF-1.7')}/columns")),
    "a key that is none": (
        ErrorCode.CREDENTIALS_REJECTED,
        lambda road, _: road.api.put("/api/settings/credentials", json={"kind": "google", "content": "{}"}),
    ),
    "an address that is none": (ErrorCode.SHEET_UNAVAILABLE, lambda road, _: road.api.get("/api/sheets/tabs?spreadsheet=mine")),
    "a used key": (ErrorCode.IDEMPOTENCY_KEY_REUSED, lambda road, _: use_a_key_twice(road)),
    "an old value": (ErrorCode.CHANGED_MEANWHILE, lambda road, _: road.api.put(KEEP_DAYS, json={"value": 3, "expected": 4})),
    "a bad range": (ErrorCode.BAD_RANGE, lambda road, _: road.api.get(exported(road), headers={"Range": "bytes=99999-"})),
    "an export of long ago": (ErrorCode.EXPIRED, lambda road, _: road.api.get(exported(road, lose=True))),
}  # fmt: skip


def post_raw(road: Road, body: bytes, content_type: str) -> httpx2.Response:
    return road.api.post("/api/operations/export", content=body, headers={"Content-Type": content_type})


def begin_inspection(road: Road) -> str:
    source = {"kind": "upload", "upload_id": road.upload(b"no index", "own.faiss")}
    job_id: str = road.start("inspect", source=source).json()["job_id"]
    return job_id


def half_an_upload(road: Road) -> str:
    upload_id: str = road.api.post("/api/uploads", json={"name": "a", "size_bytes": 3}).json()["upload_id"]
    return upload_id


def use_a_key_twice(road: Road) -> httpx2.Response:
    road.import_sheet(sheet(1))
    keyed = {"Idempotency-Key": "a-good-key"}
    road.api.post("/api/operations/export", json={}, headers=keyed)
    return road.api.post("/api/operations/export", json={"filter": {"text": "x"}}, headers=keyed)


def exported(road: Road, *, lose: bool = False) -> str:
    road.import_sheet(sheet(1))
    job, _ = road.export()
    if lose:
        (road.works.config.exports_dir / f"{job['result']['export_id']}.csv").unlink()
    return f"/api/exports/{job['result']['export_id']}/file"


def check_problem(answer: httpx2.Response, code: ErrorCode) -> Problem:
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = Problem.model_validate_json(answer.content)
    http_code, meaning, _ = ERRORS[code]
    assert (answer.status_code, problem.status, problem.code) == (http_code, http_code, code)
    assert problem.type == f"urn:switchyard:{code}"
    assert problem.detail
    assert problem.action
    assert problem.title
    assert meaning
    return problem


@pytest.fixture
def stranger(api: TestClient) -> TestClient:
    return TestClient(api.app, base_url="http://localhost")


@pytest.mark.parametrize("what", PROVOKED)
def test_an_error_is_a_problem_with_its_code_and_what_to_do(road: Road, stranger: TestClient, what: str) -> None:
    code, provoke = PROVOKED[what]
    problem = check_problem(provoke(road, stranger), code)
    assert problem.gate is not None or code is not ErrorCode.REFUSED, "a refusal says why, in the gate's words"


UNFORESEEN = [
    (OSError(28, "No space left on device"), ErrorCode.NO_SPACE),
    (OSError(5, "I/O error"), ErrorCode.INTERNAL),
    (ZeroDivisionError("a secret detail"), ErrorCode.INTERNAL),
]


@pytest.mark.parametrize(("error", "code"), UNFORESEEN)
def test_an_error_nobody_foresaw_says_nothing_of_the_inside(
    api: TestClient, monkeypatch: pytest.MonkeyPatch, error: Exception, code: ErrorCode
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr("lib.service.queue.get_queue", fail)
    calm = TestClient(api.app, base_url="http://localhost", headers=api.headers, raise_server_exceptions=False)
    answer = calm.get("/api/queue")
    check_problem(answer, code)
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text


def test_only_what_needs_another_role_or_a_full_disk_is_provoked_elsewhere() -> None:
    provoked = {code for code, _ in PROVOKED.values()}
    assert set(ErrorCode) - provoked == {ErrorCode.FORBIDDEN, ErrorCode.NO_SPACE, ErrorCode.INTERNAL}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/operations/import", rb'{"plan_id": "\ud800"}'),
        ("POST", "/api/uploads", rb'{"name": "\ud800", "size_bytes": 1}'),
        (
            "POST",
            "/api/operations/import/preview",
            rb'{"source": {"upload_id": "%s"}, "mapping": {"key": "k", "text": ["\ud800"]}}' % (b"0" * 32),
        ),
        ("PUT", "/api/settings/index.refresh", rb'{"value": "\ud800"}'),
        ("PUT", "/api/settings/export.keep_days", b'{"value": true}'),
    ],
)
def test_half_a_character_and_a_truth_value_are_refused_at_the_door(api: TestClient, method: str, path: str, body: bytes) -> None:
    check_problem(api.request(method, path, content=body, headers={"Content-Type": "application/json"}), ErrorCode.INVALID)


def test_an_invalid_request_points_at_every_field(api: TestClient) -> None:
    body = {"source": {"upload_id": "x"}, "mapping": {"key": "", "text": []}, "mode": "explode", "more": 1}
    problem = check_problem(api.post("/api/operations/import/preview", json=body), ErrorCode.INVALID)
    pointers = {error.pointer for error in problem.errors}
    assert pointers == {"/body/source/file/upload_id", "/body/mapping/key", "/body/mapping/text", "/body/mode", "/body/more"}
