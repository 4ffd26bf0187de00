from __future__ import annotations

import threading
import time

import pytest

from lib.client.connection import Connection
from lib.client.events import Event, EventStream
from lib.client.transport import Transport
from lib.contract.events import Topic
from lib.contract.queue import QueueReading
from lib.service.routers import stream as route
from tests.client.conftest import TOKEN, LiveService, push, until
from tests.client.fault_proxy import FaultProxy


@pytest.mark.feature("L1")
@pytest.mark.faults
def test_nothing_is_lost_or_doubled_however_often_the_line_is_cut(live_service: LiveService, proxy: FaultProxy) -> None:
    transport = Transport(Connection(f"http://127.0.0.1:{proxy.port}", TOKEN), timeout=(1, 1))
    stream = EventStream(transport, "/ui/sse?topics=queue", read_timeout=0.5, cap_seconds=0.01)
    heard: list[Event] = []

    def listen() -> None:
        for event in stream.events():
            heard.append(event)  # noqa: PERF402  (seen from outside while it grows)

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    until(lambda: heard)
    for number in range(1, 301):
        proxy.cut_after = 450 + (number * 37) % 400  # in the middle of the headers' end, of an event, of a comment
        push(live_service, number)
        if number % 40 == 0:
            proxy.cut()
        time.sleep(0.004)
    proxy.cut_after = None
    until(lambda: heard[-1].event_id == live_service.feed.snapshot_id())
    stream.stop()
    thread.join(5)
    transport.session.close()
    numbers = [pending_of(event) for event in heard]
    assert numbers == list(range(301))
    assert proxy.cuts > 30
    assert live_service.feed.resets == 0


def pending_of(event: Event) -> int:
    return QueueReading.model_validate_json(event.data).pending


@pytest.mark.feature("L1")
def test_an_id_the_service_does_not_know_brings_a_reset_and_then_everything(live_service: LiveService) -> None:
    transport = Transport(Connection(f"http://127.0.0.1:{live_service.port}", TOKEN), timeout=(1, 1))
    stream = EventStream(transport, "/ui/sse", read_timeout=0.5, last_id="12")
    events = stream.events()
    assert [next(events).name for _ in range(1 + len(Topic))] == ["reset", *Topic]
    stream.stop()
    events.close()
    transport.session.close()


def test_a_stream_on_which_nothing_moves_stops_at_once(live_service: LiveService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route, "PING_SECONDS", 0)
    transport = Transport(Connection(f"http://127.0.0.1:{live_service.port}", TOKEN))
    stream = EventStream(transport, "/ui/sse", read_timeout=30)
    thread = threading.Thread(target=lambda: list(stream.events()), daemon=True)
    thread.start()
    until(lambda: stream.last_id == live_service.feed.snapshot_id())
    time.sleep(0.1)
    stream.stop()
    thread.join(1)
    assert not thread.is_alive()
    transport.session.close()
