from __future__ import annotations

import time

import pytest

from lib.client.events import Event
from lib.contract.events import Topic
from lib.contract.model import utc_now
from tests.client.conftest import PING_SECONDS, Hub, LiveService, hub_threads, push, until
from tests.client.fault_proxy import FaultProxy


def test_readings_arrive_and_the_link_is_live(hub: Hub, live_service: LiveService) -> None:
    assert (hub.reading(Topic.QUEUE), hub.as_of(Topic.QUEUE), hub.stale(Topic.QUEUE, 1)) == (None, None, True)
    hub.start()
    hub.start()
    until(lambda: all(hub.reading(topic) for topic in Topic))
    before = hub.version
    push(live_service, 5)
    assert hub.wait_for_change(before, 5) > before
    until(lambda: hub.pending == 5)
    assert (hub.connection.state, hub.connection.reason, live_service.polls) == ("live", "", [])
    assert live_service.open_streams == 1


def test_waiting_for_a_change_ends_in_time(hub: Hub) -> None:
    assert hub.wait_for_change(hub.version, 0.01) == hub.version


def test_a_sign_of_life_confirms_what_has_not_changed(hub: Hub) -> None:
    hub.start()
    until(lambda: hub.reading(Topic.INDEX))
    reading, version, started = hub.reading(Topic.INDEX), hub.version, utc_now()
    until(lambda: (hub.as_of(Topic.INDEX) or started) > started)
    assert hub.reading(Topic.INDEX) is reading
    assert hub.version == version
    assert not hub.stale(Topic.INDEX, 0.01)


def test_a_reading_nobody_confirms_is_kept_and_becomes_stale(hub: Hub, live_service: LiveService, proxy: FaultProxy) -> None:
    hub.start()
    until(lambda: hub.pending == 0)
    proxy.mode = "stall"
    until(lambda: hub.state == "offline")
    until(lambda: hub.stale(Topic.QUEUE, 0.1))
    as_of = hub.as_of(Topic.QUEUE)
    assert not hub.stale(Topic.QUEUE, 60)
    time.sleep(0.3)
    assert (hub.pending, hub.as_of(Topic.QUEUE)) == (0, as_of)
    assert hub.connection.reason == "no answer in time"


def test_strange_events_are_counted_and_change_nothing(hub: Hub, live_service: LiveService) -> None:
    hub.start()
    until(lambda: hub.pending == 0)
    for name, data in [("weather", "{}"), ("queue", "{"), ("queue", '{"pending": "?"}'), ("jobs", "[]"), ("message", "")]:
        hub._take_event(Event("1", name, data))
    assert dict(hub.ignored) == {"weather": 1, "queue": 2, "jobs": 1, "message": 1}
    push(live_service, 8)
    until(lambda: hub.pending == 8)


@pytest.mark.feature("L1")
def test_after_a_reset_nothing_leaves_the_screen_until_it_is_replaced(hub: Hub) -> None:
    hub.start()
    until(lambda: all(hub.reading(topic) for topic in Topic))
    hub._take_event(Event("", "reset", "{}"))
    assert all(hub.reading(topic) for topic in Topic)
    frozen = hub.as_of(Topic.INDEX)
    time.sleep(3 * PING_SECONDS)
    assert hub.as_of(Topic.INDEX) == frozen  # the feed lives, but has not spoken of this one since
    hub._take_event(Event("", "index", hub.reading(Topic.INDEX).model_dump_json()))
    until(lambda: hub.as_of(Topic.INDEX) != frozen)


@pytest.mark.parametrize("situation", ["reading", "waiting", "polling"])
def test_stopping_is_immediate_and_final(situation: str, hub: Hub, live_service: LiveService, proxy: FaultProxy) -> None:
    if situation == "waiting":
        proxy.mode = "reset"
    if situation == "polling":
        live_service.sse = "unavailable"
    hub.start()
    until(lambda: hub.state == {"reading": "live", "waiting": "offline", "polling": "polling"}[situation])
    began = time.monotonic()
    hub.stop()
    hub.stop()
    assert time.monotonic() - began < 1.0
    until(lambda: not hub_threads())
    asked = len(live_service.polls) + len(live_service.last_event_ids)
    time.sleep(0.3)
    assert len(live_service.polls) + len(live_service.last_event_ids) == asked
    assert (hub.connection.state, hub.connection.reason) == ("offline", "stopped")


def test_a_stopped_hub_can_start_again_where_it_was(hub: Hub, live_service: LiveService) -> None:
    hub.start()
    until(lambda: hub.state == "live")
    until(lambda: all(hub.reading(topic) for topic in Topic) and hub._stream and hub._stream.last_id)
    hub.stop()
    push(live_service, 4)
    assert hub.pending == 0
    hub.start()
    until(lambda: hub.pending == 4)
    assert live_service.feed.resets == 0
