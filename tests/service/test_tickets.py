"""Tickets: for one method on one address, for an hour, and only if nobody touched them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from lib.contract.model import utc_now
from lib.contract.states import Role
from lib.service import security
from lib.service.security import Identity
from tests.service.road import Road, sheet


@pytest.fixture
def browser(api: TestClient) -> Iterator[TestClient]:
    """A page of ours: no token, only what it was handed."""
    client = TestClient(api.app, base_url="http://localhost")
    yield client
    client.close()


def ticket_for(api: TestClient, method: str, path: str) -> str:
    answer = api.post("/api/tickets", json={"method": method, "path": path})
    assert answer.status_code == 200, answer.text
    ticket: str = answer.json()["ticket"]
    return ticket


def test_a_ticket_opens_the_one_address_it_is_for(road: Road, browser: TestClient) -> None:
    road.import_sheet(sheet(1))
    job, file = road.export()
    path = f"/api/exports/{job['result']['export_id']}/file"
    ticket = ticket_for(road.api, "GET", path)
    assert browser.get(path, params={"ticket": ticket}).content == file
    for other in ("/api/exports", "/api/queue", f"/api/exports/{'0' * 32}/file", "/api/audit", "/ui/sse"):
        answer = browser.get(other, params={"ticket": ticket})
        assert (answer.status_code, answer.json()["code"]) == (401, "bad_ticket"), other


def test_an_upload_ticket_sends_slices_and_asks_where_they_stand(road: Road, browser: TestClient) -> None:
    upload_id = road.api.post("/api/uploads", json={"name": "a.csv", "size_bytes": 6}).json()["upload_id"]
    path = f"/api/uploads/{upload_id}"
    header = {"X-Switchyard-Ticket": ticket_for(road.api, "PUT", path)}
    assert browser.put(path, params={"offset": 0}, content=b"abc", headers=header).status_code == 204
    assert browser.head(path, headers=header).headers["Upload-Offset"] == "3"
    for method, other in (("GET", f"{path}/columns"), ("POST", "/api/uploads"), ("PUT", "/api/settings/export.keep_days")):
        assert browser.request(method, other, headers=header, json={}).status_code == 401, other
    read = {"X-Switchyard-Ticket": ticket_for(road.api, "GET", path)}
    assert browser.put(path, params={"offset": 3}, content=b"def", headers=read).status_code == 401, "for another method"


def test_a_ticket_that_was_touched_opens_nothing(api: TestClient, browser: TestClient) -> None:
    ticket = ticket_for(api, "GET", "/api/queue")
    assert browser.get("/api/queue", params={"ticket": ticket}).status_code == 200
    payload, stamp, signature = ticket.split(".")
    other = ticket_for(api, "GET", "/api/audit").split(".")[0]
    swapped = [
        f"{other}.{stamp}.{signature}",
        f"{payload}.{stamp}",
        f"{payload}.{stamp}.{signature[:-2]}",
        "",
        "x",
        "a.b.c",
        ticket[1:],
        "é.é.é",
    ]
    for forged in swapped:
        assert browser.get("/api/queue", params={"ticket": forged}).status_code == 401, forged


def test_a_ticket_expires(api: TestClient, browser: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(security, "TICKET_SECONDS", 60)
    answer = api.post("/api/tickets", json={"method": "GET", "path": "/api/queue"}).json()
    left = utc_now() + timedelta(seconds=60)
    assert answer["expires_at"][:16] in (left.isoformat()[:16], (left - timedelta(seconds=2)).isoformat()[:16])
    assert browser.get("/api/queue", params={"ticket": answer["ticket"]}).status_code == 200
    monkeypatch.setattr(security, "TICKET_SECONDS", -1)
    late = browser.get("/api/queue", params={"ticket": answer["ticket"]})
    assert (late.status_code, late.json()["code"]) == (401, "bad_ticket")


def test_a_ticket_of_another_service_opens_nothing_here(
    api: TestClient, browser: TestClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    from itsdangerous import URLSafeTimedSerializer

    claims = {"method": "GET", "path": "/api/queue", "actor": "mallory", "role": "admin"}
    for secret in ("", "guess", security.read_or_make_secret(tmp_path / "other")):
        forged = URLSafeTimedSerializer(secret, salt="ticket").dumps(claims)
        assert browser.get("/api/queue", params={"ticket": forged}).status_code == 401


def test_a_ticket_carries_the_role_of_who_asked_for_it(api: TestClient, browser: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    guard = api.app.state.services.guard  # type: ignore[attr-defined]
    upload_id = api.post("/api/uploads", json={"name": "a.csv", "size_bytes": 3}).json()["upload_id"]
    monkeypatch.setattr(guard, "_owner", Identity("vera", Role.VIEWER))
    ticket = ticket_for(api, "PUT", f"/api/uploads/{upload_id}")
    answer = browser.put(f"/api/uploads/{upload_id}", params={"offset": 0}, content=b"abc", headers={"X-Switchyard-Ticket": ticket})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert "vera" in answer.json()["detail"]


@pytest.mark.parametrize("role", list(Role))
def test_a_role_may_do_what_the_lower_ones_may_and_no_more(api: TestClient, monkeypatch: pytest.MonkeyPatch, role: Role) -> None:
    monkeypatch.setattr(api.app.state.services.guard, "_owner", Identity("somebody", role))  # type: ignore[attr-defined]
    allowed = {
        Role.VIEWER: api.get("/api/queue").status_code == 200,
        Role.OPERATOR: api.post("/api/workers/pause", json={}).status_code == 202,
        Role.ADMIN: api.put("/api/settings/export.keep_days", json={"value": 3}).status_code == 200,
    }
    order = list(Role)
    assert allowed == {needed: order.index(needed) <= order.index(role) for needed in order}


NO_TICKETS = [
    {"method": "POST", "path": "/api/queue"},
    {"method": "GET", "path": "https://evil.example/api/queue"},
    {"method": "GET", "path": "/api/../token"},
    {"method": "GET", "path": "/metrics"},
]


@pytest.mark.parametrize("body", NO_TICKETS)
def test_a_ticket_is_made_only_for_addresses_of_the_api(api: TestClient, body: dict[str, str]) -> None:
    assert api.post("/api/tickets", json=body).status_code == 422
