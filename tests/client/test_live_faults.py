from __future__ import annotations

import time

import pytest

from lib.client.api import Client
from lib.client.connection import Connection
from lib.contract.events import RESET_EVENT, Topic
from tests.client.conftest import POLL_SECONDS, TOKEN, Hub, LiveService, offer_all, push, until
from tests.client.fault_proxy import FaultProxy


@pytest.mark.faults
def test_a_cut_line_comes_back_without_anybody_noticing(hub: Hub, live_service: LiveService, proxy: FaultProxy) -> None:
    hub.start()
    until(lambda: hub.pending == 0)
    for number in range(1, 4):
        proxy.cut()
        push(live_service, number)
        until(lambda number=number: hub.pending == number)
    assert hub.states[-1] == "live"
    assert "polling" not in hub.states
    assert live_service.last_event_ids[0] is None
    assert all(live_service.last_event_ids[1:])


@pytest.mark.feature("L5")
@pytest.mark.faults
@pytest.mark.parametrize("trouble", ["unavailable", "page", "silent"])
def test_polling_takes_over_while_the_feed_is_down_and_never_beside_it(trouble: str, hub: Hub, live_service: LiveService) -> None:
    live_service.sse = trouble
    hub.start()
    until(lambda: hub.state == "polling")
    assert hub.connection.reason
    push(live_service, 7)
    until(lambda: hub.pending == 7)
    assert not hub.stale(Topic.QUEUE, 0.1)
    live_service.sse = "ok"
    until(lambda: hub.state == "live")
    polled = len(live_service.polls)
    push(live_service, 8)
    until(lambda: hub.pending == 8)
    time.sleep(5 * POLL_SECONDS)
    assert len(live_service.polls) <= polled + 1
    assert live_service.polls_beside_a_stream <= 1  # one may already be on its way when the feed answers


@pytest.mark.feature("L5")
def test_an_answer_that_comes_after_the_feed_is_back_is_dropped(hub: Hub, live_service: LiveService) -> None:
    late = hub._client.get_telemetry_snapshot()
    push(live_service, 5)
    hub.start()
    until(lambda: hub.pending == 5)
    assert hub._stop
    assert hub._stream
    hub._on_polled(hub._stop, hub._stream, late)
    assert (hub.pending, hub.state) == (5, "live")


@pytest.mark.feature("L5")
def test_polling_asks_for_nothing_it_has(hub: Hub, live_service: LiveService) -> None:
    live_service.sse = "unavailable"
    hub.start()
    until(lambda: hub.state == "polling")
    reading, before = hub.reading(Topic.QUEUE), hub.as_of(Topic.QUEUE)
    polled = len(live_service.polls)
    until(lambda: len(live_service.polls) > polled + 2)
    assert hub.reading(Topic.QUEUE) is reading
    assert hub.as_of(Topic.QUEUE) > before


@pytest.mark.feature("L5")
def test_the_feed_goes_on_from_where_polling_was(hub: Hub, live_service: LiveService) -> None:
    live_service.sse = "unavailable"
    hub.start()
    until(lambda: hub.state == "polling")
    push(live_service, 7)
    until(lambda: hub.pending == 7)
    live_service.sse = "ok"
    until(lambda: hub.state == "live")
    push(live_service, 9)
    until(lambda: hub.pending == 9)
    assert [event.name for event in hub.events] == ["queue"]
    assert live_service.feed.resets == 0


@pytest.mark.feature("L5")
@pytest.mark.faults
def test_three_connections_cut_at_once_begin_polling(hub: Hub, proxy: FaultProxy) -> None:
    proxy.mode = "reset"
    hub.start()
    until(lambda: hub.state == "offline" and "cut" in hub.connection.reason)
    until(lambda: hub._polling)
    assert hub.states == ["offline"]
    proxy.mode = "ok"
    until(lambda: hub.state in {"polling", "live"})
    until(lambda: hub.state == "live")


@pytest.mark.feature("L1")
@pytest.mark.faults
def test_a_restarted_service_is_found_again_and_everything_is_replaced(hub: Hub, live_service: LiveService, proxy: FaultProxy) -> None:
    hub.start()
    until(lambda: hub.pending == 0)
    live_service.stop()
    proxy.cut()
    until(lambda: hub.state == "offline")
    assert hub.pending == 0
    reborn = LiveService()
    try:
        offer_all(reborn.feed, pending=77)
        proxy.upstream_port = reborn.port
        until(lambda: hub.pending == 77)
        until(lambda: hub.state == "live")
        # A reset has no id of its own: by the specification it is told under the last one heard, which polling may have brought.
        ids = [int(event.event_id) for event in hub.events if event.event_id and event.name != RESET_EVENT]
        assert ids == sorted(ids)
        push(reborn, 78)
        until(lambda: hub.pending == 78)
    finally:
        reborn.stop()


@pytest.mark.faults
def test_a_token_made_anew_by_a_restart_is_read_again(live_service: LiveService) -> None:
    address = f"http://127.0.0.1:{live_service.port}"
    known = [TOKEN]
    client = Client(Connection(address, TOKEN), timeout=(1, 1), connect=lambda: Connection(address, known[0]))
    hub = Hub(client)
    hub.start()
    until(lambda: hub.state == "live")
    live_service.token = "new"
    live_service.feed.close()  # every stream ends, and every later one
    until(lambda: hub.connection.reason == "token refused")
    assert hub.state == "offline"
    polls = len(live_service.polls)
    time.sleep(0.3)
    assert len(live_service.polls) == polls  # nothing to be had with a refused token
    known[0] = "new"
    until(lambda: client.connection.token == "new")
    until(lambda: hub.connection.reason != "token refused")
    hub.stop()
    client.transport.session.close()
