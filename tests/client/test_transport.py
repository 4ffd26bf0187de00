from __future__ import annotations

import socket

import pytest
import requests

from lib.client import errors
from lib.client.api import Client
from lib.client.connection import Connection
from lib.client.transport import plain_reason
from lib.contract.model import utc_now
from lib.contract.queue import QueueReading
from tests.client.conftest import Script

QUEUE = QueueReading(entries=1, pending=1, leased=0, failed=0, embedded=0, taken_at=utc_now())


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_read_is_repeated_while_something_between_us_is_down(status: int, client: Client, script: Script) -> None:
    script.on("GET", "/api/queue", status, b"<html>")
    script.on("GET", "/api/queue", status, b"<html>")
    script.on("GET", "/api/queue", body=QUEUE.model_dump(mode="json"))
    assert client.get_queue() == QUEUE
    assert len(script.seen) == 3


def test_a_read_gives_up_after_three_tries(client: Client, script: Script) -> None:
    script.on("GET", "/api/queue", 503, b"<html>")
    with pytest.raises(errors.Unexpected, match="503"):
        client.get_queue()
    assert len(script.seen) == 3


def test_a_write_without_a_key_is_never_repeated(client: Client, script: Script) -> None:
    script.on("POST", "/api/workers/pause", 503, b"<html>")
    script.on("PUT", "/api/settings/export.keep_days", 503, b"<html>")
    with pytest.raises(errors.Unexpected):
        client.pause_workers("tea")
    with pytest.raises(errors.Unexpected):
        client.put_setting("export.keep_days", 3)
    assert len(script.seen) == 2


def test_a_start_is_repeated_under_the_same_key(client: Client, script: Script) -> None:
    script.on("POST", "/api/operations/rebuild", 503, b"")
    script.on("POST", "/api/operations/rebuild", 202, {"job_id": "j"})
    assert client.start_rebuild() == "j"
    assert len({request.headers["idempotency-key"] for request in script.seen}) == 1


def test_a_refusal_is_raised_and_not_repeated(client: Client, script: Script) -> None:
    gate = {"allowed": False, "reason_code": "operation_running", "reason_text": "An import is running."}
    problem = {"title": "Conflict", "status": 409, "code": "refused", "detail": "An import is running.", "gate": gate}
    script.on("POST", "/api/operations/rebuild", 409, problem)
    with pytest.raises(errors.Refused, match=r"An import is running\.") as caught:
        client.start_rebuild()
    assert caught.value.gate.reason_text == "An import is running."
    assert len(script.seen) == 1


def test_nobody_listening_is_unreachable_and_says_so_plainly() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with requests.Session() as session, pytest.raises(errors.Unreachable) as caught:
        Client(Connection(f"http://127.0.0.1:{port}"), session).get_queue()
    assert str(caught.value) == f"The service at http://127.0.0.1:{port} cannot be reached: connection refused."


def test_silence_is_timed_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, requests.Session() as session:
        client = Client(Connection(f"http://127.0.0.1:{silent.getsockname()[1]}"), session, timeout=(1, 0.2))
        with pytest.raises(errors.TimedOut, match=r"0\.2 seconds"):
            client.get_queue()


@pytest.mark.parametrize(
    ("body", "kind", "named"),
    [
        (b"<html>Sign in</html>", "text/html", "text/html, not a QueueReading"),
        (b'{"pending": "many"}', "application/json", "entries"),
        (b"", "application/json", "not a QueueReading"),
    ],
)
def test_an_answer_that_is_something_else_is_unexpected_and_named(
    body: bytes, kind: str, named: str, client: Client, script: Script
) -> None:
    script.on("GET", "/api/queue", body=body, headers={"Content-Type": kind})
    with pytest.raises(errors.Unexpected) as caught:
        client.get_queue()
    assert named in caught.value.received


@pytest.mark.parametrize("body", [b"OK", b"[1]"])
def test_an_object_that_is_none_is_unexpected(body: bytes, client: Client, script: Script) -> None:
    script.on("GET", "/healthz", body=body)
    with pytest.raises(errors.Unexpected):
        client.get_health()


def test_a_redirect_is_not_followed(client: Client, script: Script) -> None:
    script.on("GET", "/api/queue", 302, headers={"Location": "/sign-in"})
    with pytest.raises(errors.Unexpected, match="/sign-in"):
        client.get_queue()
    assert len(script.seen) == 1


def test_a_refused_token_is_read_anew_once(script: Script, script_server: tuple[Script, int]) -> None:
    address = f"http://127.0.0.1:{script_server[1]}"
    problem = {"title": "Unauthorized", "status": 401, "code": "bad_token", "detail": "The token is unknown."}
    script.on("GET", "/api/queue", 401, problem)
    script.on("GET", "/api/queue", body=QUEUE.model_dump(mode="json"))
    with requests.Session() as session:
        assert Client(Connection(address, "old"), session, connect=lambda: Connection(address, "new")).get_queue() == QUEUE
    assert [request.headers["authorization"] for request in script.seen] == ["Bearer old", "Bearer new"]


def test_a_token_that_stays_wrong_is_unauthorized(script: Script, script_server: tuple[Script, int]) -> None:
    connection = Connection(f"http://127.0.0.1:{script_server[1]}", "wrong")
    script.on("GET", "/api/queue", 401, {"title": "Unauthorized", "status": 401, "code": "bad_token", "detail": "The token is unknown."})
    with requests.Session() as session, pytest.raises(errors.Unauthorized):
        Client(connection, session, connect=lambda: connection).get_queue()
    assert len(script.seen) == 1


def test_a_reason_never_names_the_machinery() -> None:
    error = requests.ConnectionError("HTTPConnectionPool(host='x'): <urllib3 object at 0x7f>")
    assert plain_reason(error) == "the connection failed"
