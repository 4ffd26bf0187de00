"""A scripted service, a real feed behind a real server, and a hub that listens to it: all on loopback."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl

import pytest
import uvicorn
from fastapi import FastAPI, Request, Response

from lib.client.api import Client
from lib.client.connection import Connection
from lib.client.events import Event
from lib.client.live import LiveHub
from lib.contract.events import JobsReading, TelemetrySnapshot, Topic
from lib.contract.index import IndexReading
from lib.contract.model import utc_now
from lib.contract.queue import QueueReading
from lib.contract.settings import SettingsReading
from lib.contract.shift import ShiftReading
from lib.contract.states import Role
from lib.contract.workers import WorkersReading
from lib.service.errors import install_handlers
from lib.service.feed import Feed
from lib.service.routers import stream
from lib.service.security import Identity
from tests.client.fault_proxy import FaultProxy

TOKEN = "right"
PING_SECONDS = 0.2  # the service of these tests gives a sign of life every 0.1 s
POLL_SECONDS = 0.1


def until(condition: Callable[[], Any], seconds: float = 20.0) -> None:
    """Wait until ``condition()`` holds; fail when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


class Server:
    """An ASGI app on a loopback port, in a thread."""

    def __init__(self, app: Any) -> None:
        config = uvicorn.Config(app, log_level="critical", lifespan="off", timeout_graceful_shutdown=1, timeout_keep_alive=1)
        self.server = uvicorn.Server(config)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.socket]}, daemon=True)
        self.thread.start()
        until(lambda: self.server.started)

    def stop(self) -> None:
        self.server.should_exit = self.server.force_exit = True
        self.thread.join(5)
        self.socket.close()


class Script:
    """An app that answers each (method, path) with what the test put there, in order, the last again and again."""

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str], list[tuple[int, dict[str, str], bytes]]] = defaultdict(list)
        self.seen: list[SimpleNamespace] = []

    def on(self, method: str, path: str, status: int = 200, body: Any = None, headers: dict[str, str] | None = None) -> None:
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body, default=str).encode()
        self.answers[method, path].append((status, {"Content-Type": "application/json", **(headers or {})}, raw))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        body = await request.body()
        path = scope["raw_path"].decode()
        query = dict(parse_qsl(scope["query_string"].decode()))
        self.seen.append(SimpleNamespace(method=scope["method"], path=path, query=query, headers=request.headers, body=body))
        queue = self.answers.get((scope["method"], path), [])
        status, headers, answer = (queue.pop(0) if len(queue) > 1 else queue[0]) if queue else (404, {}, b"nothing scripted")
        await Response(answer, status, headers)(scope, receive, send)


@pytest.fixture(scope="session")
def script_server() -> Iterator[tuple[Script, int]]:
    script = Script()
    server = Server(script)
    yield script, server.port
    server.stop()


@pytest.fixture
def script(script_server: tuple[Script, int]) -> Script:
    script_server[0].answers.clear()
    script_server[0].seen.clear()
    return script_server[0]


@pytest.fixture
def client(script: Script, script_server: tuple[Script, int]) -> Iterator[Client]:
    client = Client(Connection(f"http://127.0.0.1:{script_server[1]}/", TOKEN), timeout=(1, 2))
    yield client
    client.transport.session.close()


def queue(pending: int) -> QueueReading:
    return QueueReading(entries=pending, pending=pending, leased=0, failed=0, embedded=0, taken_at=utc_now())


def offer_all(feed: Feed, pending: int = 0) -> None:
    """Something current in every topic."""
    feed.offer(Topic.QUEUE, queue(pending), at_once=True)
    feed.offer(Topic.WORKERS, WorkersReading(workers=[], taken_at=utc_now()))
    feed.offer(Topic.JOBS, JobsReading(active=[], recent=[], operations=[], taken_at=utc_now()))
    feed.offer(Topic.INDEX, IndexReading(taken_at=utc_now()))
    feed.offer(Topic.SETTINGS, SettingsReading(settings=[], taken_at=utc_now()))
    feed.offer(Topic.SHIFT, ShiftReading(entries=[], taken_at=utc_now()))


class LiveService:
    """The feed's real route, and the snapshot, behind switches a test can turn. Notes what was asked of it and when."""

    def __init__(self, retry_seconds: float = 0.05) -> None:
        self.feed = Feed(gap_seconds=0.01, retry_seconds=retry_seconds)
        offer_all(self.feed)
        self.token = TOKEN
        self.sse = "ok"  #: ok | unavailable | silent | page
        self.polls: list[float] = []
        self.open_streams = 0
        self.polls_beside_a_stream = 0
        self.last_event_ids: list[str | None] = []
        self.release = asyncio.Event()
        self.app = self._app()
        self.server = Server(self)

    @property
    def port(self) -> int:
        return self.server.port

    def stop(self) -> None:
        self.feed.close()
        self.server.stop()

    def _app(self) -> FastAPI:
        app = FastAPI()
        install_handlers(app)
        app.include_router(stream.router)
        guard = SimpleNamespace(identify=lambda _: Identity("ada", Role.VIEWER))
        app.state.services = SimpleNamespace(feed=self.feed, guard=guard)

        @app.get("/api/telemetry/snapshot")
        async def snapshot(request: Request) -> Response:
            self.polls.append(time.monotonic())
            self.polls_beside_a_stream += self.open_streams > 0
            event_id, readings = self.feed.standing()
            if request.headers.get("If-None-Match") == f'"{event_id}"':
                return Response(status_code=304, headers={"ETag": f'"{event_id}"'})
            body = TelemetrySnapshot.model_validate({"last_event_id": event_id, **{topic.value: readings[topic] for topic in Topic}})
            return Response(body.model_dump_json(), media_type="application/json", headers={"ETag": f'"{event_id}"'})

        return app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            problem = {"title": "Unauthorized", "status": 401, "code": "bad_token", "detail": "The token is unknown."}
            await Response(json.dumps(problem), 401)(scope, receive, send)
        elif scope["path"] != "/ui/sse":
            await self.app(scope, receive, send)
        else:
            await self._listen(request, scope, receive, send)

    async def _listen(self, request: Request, scope: Any, receive: Any, send: Any) -> None:
        self.last_event_ids.append(request.headers.get("Last-Event-ID"))
        if self.sse == "unavailable":
            return await Response("busy", 503)(scope, receive, send)
        if self.sse == "page":
            return await Response("<h1>Sign in</h1>", 200, media_type="text/html")(scope, receive, send)
        if self.sse == "silent":
            return await receive_until_gone(receive)
        self.open_streams += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self.open_streams -= 1


async def receive_until_gone(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


@pytest.fixture
def live_service(monkeypatch: pytest.MonkeyPatch) -> Iterator[LiveService]:
    monkeypatch.setattr(stream, "PING_SECONDS", 0.1)
    service = LiveService()
    yield service
    service.stop()


@pytest.fixture
def proxy(live_service: LiveService) -> Iterator[FaultProxy]:
    proxy = FaultProxy(live_service.port)
    yield proxy
    proxy.stop()


class Hub(LiveHub):
    """A hub that remembers what it was given, in order."""

    def __init__(self, client: Client) -> None:
        super().__init__(client, poll_seconds=POLL_SECONDS, ping_seconds=PING_SECONDS, cap_seconds=0.1)
        self.events: list[Event] = []
        self.states: list[str] = []

    def _take_event(self, event: Event) -> None:
        self.events.append(event)
        super()._take_event(event)

    def _note_change(self) -> None:
        super()._note_change()
        if not self.states or self.states[-1] != self._link.state:
            self.states.append(self._link.state)

    @property
    def pending(self) -> int | None:
        reading = self.reading(Topic.QUEUE)
        return reading.pending if reading else None

    @property
    def state(self) -> str:
        return self.connection.state


def hub_threads() -> set[str]:
    return {"live-feed", "live-poll"} & {thread.name for thread in threading.enumerate()}


def new_client(port: int, token: str = TOKEN) -> Client:
    return Client(Connection(f"http://127.0.0.1:{port}", token), timeout=(1, 1))


@pytest.fixture
def hub(proxy: FaultProxy) -> Iterator[Hub]:
    """Listens through the proxy; not started."""
    client = new_client(proxy.port)
    hub = Hub(client)
    yield hub
    hub.stop()
    until(lambda: not hub_threads())
    client.transport.session.close()


def push(service: LiveService, pending: int) -> None:
    service.feed.offer(Topic.QUEUE, queue(pending), at_once=True)
