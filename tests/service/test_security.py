"""Closed by default: every route of the contract, without a token, with a wrong one, from a foreign host or page."""

from __future__ import annotations

import json
import re
import stat
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.testclient import TestClient

from lib.contract.environment import token_file
from lib.contract.errors import ErrorCode, Problem
from lib.service.app import create_app
from lib.service.config import Config
from lib.service.security import OPEN_PATHS, read_or_make_secret
from tests.conftest import TOKEN
from tests.service.road import Road, sheet

WRITES = {"POST", "PUT", "PATCH", "DELETE"}
ID = "0123456789abcdef0123456789abcdef"
SOME_ROUTES = (("GET", "/api/queue"), ("POST", "/api/workers/pause"), ("PUT", f"/api/uploads/{ID}?offset=0"))


def routes_of(app: FastAPI) -> list[tuple[str, str]]:
    """(method, path) of everything in the document, with an id in each path parameter's place."""
    return [(method.upper(), re.sub(r"\{[^}]*\}", ID, path)) for path, methods in app.openapi()["paths"].items() for method in methods]


@pytest.fixture
def stranger(api: TestClient) -> Iterator[TestClient]:
    """The same service, asked by somebody without a token."""
    client = TestClient(api.app, base_url="http://localhost", raise_server_exceptions=False)
    yield client
    client.close()


def code_of(answer: httpx2.Response, method: str) -> str | None:
    return Problem.model_validate_json(answer.content).code if method != "HEAD" else None


def test_the_document_is_complete_before_it_is_believed(service_app: FastAPI) -> None:
    in_document = {(method, path) for method, path in routes_of(service_app)}
    served = {
        (method, re.sub(r"\{[^}]*\}", ID, route.path or ""))
        for route in iter_route_contexts(service_app.routes)
        for method in route.methods or ()
    }
    assert served == in_document
    assert len(in_document) > 40


def test_every_route_refuses_who_has_no_token(stranger: TestClient, service_app: FastAPI) -> None:
    for method, path in routes_of(service_app):
        answer = stranger.request(method, path)
        if path in OPEN_PATHS:
            assert answer.status_code in (200, 503), path
        else:
            assert answer.status_code == 401, f"{method} {path}"
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            assert code_of(answer, method) in (ErrorCode.UNAUTHENTICATED, None)


def test_every_route_refuses_a_wrong_token(stranger: TestClient, service_app: FastAPI) -> None:
    for method, path in routes_of(service_app):
        if path not in OPEN_PATHS:
            answer = stranger.request(method, path, headers={"Authorization": f"Bearer {TOKEN}x"})
            assert (answer.status_code, code_of(answer, method)) in ((401, ErrorCode.BAD_TOKEN), (401, None)), f"{method} {path}"


def test_nothing_but_the_whole_token_opens(stranger: TestClient) -> None:
    for header in (f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN.upper()}", "Bearer", "Bearer ", f"Basic {TOKEN}", TOKEN, "Bearer é".encode()):
        for method, path in SOME_ROUTES:
            answer = stranger.request(method, path, headers={"Authorization": header})
            assert answer.status_code == 401, header
            assert code_of(answer, method) in (ErrorCode.BAD_TOKEN, ErrorCode.UNAUTHENTICATED)


def test_every_route_refuses_a_foreign_host(api: TestClient, service_app: FastAPI) -> None:
    for method, path in routes_of(service_app):
        answer = api.request(method, path, headers={"Host": "evil.example"})
        assert (answer.status_code, code_of(answer, method)) in ((400, ErrorCode.BAD_HOST), (400, None)), f"{method} {path}"


def test_a_host_that_looks_like_ours_is_foreign_too(api: TestClient) -> None:
    for host in ("localhost.evil.example", "127.0.0.1.evil.example:80", "[::1", "", "2130706433", "localhost@evil", "127.0.0.2"):
        for method, path in (*SOME_ROUTES, ("GET", "/healthz")):
            answer = api.request(method, path, headers={"Host": host})
            assert (answer.status_code, code_of(answer, method)) == (400, ErrorCode.BAD_HOST), host


def test_its_own_names_are_answered_with_and_without_a_port(config: Config, database: object) -> None:
    app = create_app(config, hosts=["Console.Example"], supervise=False)
    with TestClient(app, headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        for host in ("localhost", "LOCALHOST:8501", "127.0.0.1:8600", "[::1]:8600", "[::1]", "console.example:443"):
            assert client.get("/api/queue", headers={"Host": host}).status_code == 200, host
            answer = client.post("/api/workers/pause", json={}, headers={"Host": host, "Origin": f"https://{host}"})
            assert answer.status_code == 202, host


def test_every_write_from_a_page_of_another_site_is_refused(api: TestClient, service_app: FastAPI) -> None:
    writes = [(method, path) for method, path in routes_of(service_app) if method in WRITES]
    assert len(writes) > 15
    for method, path in writes:
        answer = api.request(method, path, headers={"Origin": "https://evil.example"}, json={})
        assert (answer.status_code, code_of(answer, method)) == (403, ErrorCode.CROSS_SITE), f"{method} {path}"


def test_a_write_that_a_browser_marks_as_foreign_is_refused_and_a_read_is_not(api: TestClient) -> None:
    origins = ("null", "http://localhost.evil.example", "http://localhost:9999", "localhost")
    marks = [*({"Origin": origin} for origin in origins), {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}]
    for headers in marks:
        answer = api.post("/api/workers/pause", headers=headers, json={})
        assert (answer.status_code, answer.json()["code"]) == (403, ErrorCode.CROSS_SITE), headers
        assert api.get("/api/workers", headers=headers).status_code == 200


#: They ask with a body, or for a key to what may be read anyway.
READING_POSTS = {
    *("/api/index/search", "/api/inspections/{inspection_id}/search", "/api/rehearsals/{rehearsal_id}/search"),
    *("/api/tickets", "/api/visits", "/api/exports/scope"),
}


def test_the_document_says_which_role_each_route_needs(service_app: FastAPI) -> None:
    for path, methods in service_app.openapi()["paths"].items():
        for method, route in methods.items():
            if path in OPEN_PATHS:
                assert "security" not in route
            else:
                assert route["security"] == [{"token": []}], f"{method} {path}"
                is_read = method in ("get", "head") or path in READING_POSTS
                is_read &= path != "/api/snapshots/{snapshot_id}/file"  # the whole index leaves the house
                is_read &= not path.startswith("/api/sheets/")  # the stored key opens a sheet
                assert (route["x-role"] == "viewer") is is_read, f"{method} {path}: {route['x-role']}"


# Secrets


def test_a_made_token_is_kept_for_its_owner_only_and_used_again(data_dir: Path) -> None:
    data_dir.mkdir()
    secret = read_or_make_secret(token_file(data_dir))
    assert len(secret) >= 32
    assert stat.S_IMODE(token_file(data_dir).stat().st_mode) == 0o600
    token_file(data_dir).chmod(0o644)
    assert read_or_make_secret(token_file(data_dir)) == secret
    assert stat.S_IMODE(token_file(data_dir).stat().st_mode) == 0o600


def test_a_token_file_that_a_kill_left_empty_is_filled(tmp_path: Path) -> None:
    (tmp_path / "token").touch()
    secret = read_or_make_secret(tmp_path / "token")
    assert len(secret) >= 32, "an empty secret would sign tickets that anybody can make"
    assert read_or_make_secret(tmp_path / "token") == secret


def test_processes_that_start_at_once_agree_on_one_secret(tmp_path: Path) -> None:
    together = threading.Barrier(16)

    def start(_: int) -> str:
        together.wait()
        return read_or_make_secret(tmp_path / "token")

    with ThreadPoolExecutor(16) as crowd:
        secrets = set(crowd.map(start, range(16)))
    assert len(secrets) == 1
    assert len(secrets.pop()) >= 32


def test_the_embedded_service_answers_to_the_token_it_made(config: Config, database: object) -> None:
    made = config.model_copy(update={"token": ""})
    with TestClient(create_app(made, supervise=False), base_url="http://localhost") as client:
        token = token_file(config.data_dir).read_text()
        assert client.get("/api/queue", headers={"Authorization": f"Bearer {token}"}).status_code == 200
        assert client.get("/api/queue", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 401


def test_the_token_stands_in_no_answer_no_log_and_no_row(road: Road, config: Config, service_app: FastAPI) -> None:
    road.fill(sheet(1, 2))
    road.export()
    road.api.post("/api/workers/pause", json={"reason": "x"})
    ticket = road.api.post("/api/tickets", json={"method": "GET", "path": "/api/queue"}).json()["ticket"]
    secret = (config.data_dir / "ticket-secret").read_text()
    for method, path in routes_of(service_app):
        if path != "/ui/sse" and method == "GET":
            answer = road.api.request(method, path)
            said = answer.text + json.dumps(dict(answer.headers))
            assert TOKEN not in said, path
            assert secret not in said, path
    road.api.get("/api/queue", params={"ticket": ticket})
    for path in config.data_dir.rglob("*"):
        if path.is_file() and path.name not in ("token", "ticket-secret"):
            content = path.read_bytes()
            assert TOKEN.encode() not in content, path
            assert secret.encode() not in content, path
            assert ticket.encode() not in content, path
