from __future__ import annotations

import asyncio
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sse_starlette.sse import AppStatus

from lib.client.events import EventParser
from lib.contract.events import Topic
from lib.contract.states import Role
from lib.service.errors import install_handlers
from lib.service.feed import Feed
from lib.service.routers import stream
from lib.service.security import Identity
from tests.service.feed_samples import index, queue, started_at


def close_after(feed: Feed, seconds: float) -> None:
    """Close the feed this long after its first listener has come."""

    def wait_and_close() -> None:
        while not feed.listeners:
            time.sleep(0.005)
        time.sleep(seconds)
        feed.close()

    threading.Thread(target=wait_and_close, daemon=True).start()


@pytest.fixture
def feed() -> Feed:
    feed = Feed()
    feed.offer(Topic.QUEUE, queue(3))
    feed.offer(Topic.INDEX, index(3))
    return feed


@pytest.fixture
def app(feed: Feed) -> FastAPI:
    app = FastAPI()
    install_handlers(app)
    app.include_router(stream.router)
    guard = SimpleNamespace(identify=lambda _: Identity("ada", Role.VIEWER))
    app.state.services = SimpleNamespace(feed=feed, guard=guard)
    return app


@pytest.mark.parametrize(("asked", "told"), [("?topics=index", ["index"]), ("?topics=", ["queue", "index"]), ("", ["queue", "index"])])
def test_the_route_streams_the_topics_asked_for(asked: str, told: list[str], app: FastAPI, feed: Feed) -> None:
    close_after(feed, 0.2)
    answer = TestClient(app).get(f"/ui/sse{asked}")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store"
    assert [event.name for event in EventParser().feed(answer.content)] == told


def test_the_route_resumes_after_the_id_in_the_header(app: FastAPI, feed: Feed) -> None:
    last_id = str(started_at(feed) - 1)
    close_after(feed, 0.2)
    answer = TestClient(app).get("/ui/sse", headers={"Last-Event-ID": last_id})
    assert [event.name for event in EventParser().feed(answer.content)] == ["index"]


def test_the_route_sends_signs_of_life(app: FastAPI, feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "PING_SECONDS", 0.05)
    close_after(feed, 0.3)
    assert b"\n\n: ping" in TestClient(app).get("/ui/sse").content


def test_an_unknown_topic_is_invalid_and_named(app: FastAPI) -> None:
    answer = TestClient(app).get("/ui/sse?topics=queue,weather")
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"][0]["pointer"] == "/query/topics"
    assert "weather" in answer.json()["detail"]


def test_a_listener_that_takes_nothing_is_dropped_without_a_word(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(_: Any) -> None:
        await asyncio.Event().wait()

    async def scenario() -> None:
        sent = 0

        async def send(message: Any) -> None:
            nonlocal sent
            sent += 1
            if sent > 1:
                await never(message)

        response = stream.FeedResponse(feed.stream(), ping=0, send_timeout=0.05, sep="\n")
        await asyncio.wait_for(response({"type": "http", "method": "GET"}, never_received, send), 2)

    async def never_received() -> Any:
        await asyncio.Event().wait()

    asyncio.run(scenario())
    assert feed.listeners == 0


def test_a_server_that_goes_down_ends_its_streams_properly(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> list[Any]:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)
            if len(sent) == 2:
                monkeypatch.setattr(AppStatus, "should_exit", True)

        async def nothing_received() -> Any:
            await asyncio.Event().wait()

        response = stream.FeedResponse(feed.stream(), ping=0, sep="\n")
        await asyncio.wait_for(response({"type": "http", "method": "GET"}, nothing_received, send), 3)
        return sent

    assert asyncio.run(scenario())[-1] == {"type": "http.response.body", "body": b"", "more_body": False}
    assert feed.listeners == 0
