"""A seeded storm over the live feed: resets, stalls, cuts in the middle of an event, services that die. Nothing is lost or doubled.

``SWITCHYARD_FEED_CUTS=… SWITCHYARD_FAULT_SEED=… pytest tests/faults/test_feed_storm.py`` (``make faults`` cuts 1,000 times).
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from lib.client.events import Event, EventStream
from lib.contract.events import RESET_EVENT, Topic
from lib.contract.queue import QueueReading
from lib.service.feed import RING_EVENTS
from lib.service.routers import stream
from tests.client.conftest import LiveService, new_client, offer_all, push, until
from tests.client.fault_proxy import FaultProxy
from tests.faults.seed import choose_seed

CUTS = int(os.environ.get("SWITCHYARD_FEED_CUTS", "60"))
SEED = choose_seed("SWITCHYARD_FAULT_SEED")
#: Silence that counts as a lost connection; a stall lasts longer.
SILENCE_SECONDS = 0.4


class Storm:
    """A producer that never rests, a listener behind a proxy, and what befalls the line between them."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.service = self.open_service()
        self.proxy = FaultProxy(self.service.port)
        self.client = new_client(self.proxy.port)
        self.breaks = 0
        self.lives = 1
        self.events: list[Event] = []
        self.told = self.heard = 0
        self.over = threading.Event()
        self.stream = EventStream(self.client.transport, "/ui/sse", read_timeout=SILENCE_SECONDS, on_break=self._on_break, cap_seconds=0.02)
        self.threads = [threading.Thread(target=self._produce), threading.Thread(target=self._listen)]
        for thread in self.threads:
            thread.start()

    def open_service(self) -> LiveService:
        service = LiveService(retry_seconds=0.01)
        offer_all(service.feed)
        push(service, 1_000_000)  # the queue is the newest topic of all: from here on its ids have no gap
        return service

    def _on_break(self, _: Exception, __: int) -> None:
        self.breaks += 1

    def _produce(self) -> None:
        while not self.over.wait(0.004):
            if self.told - self.heard > RING_EVENTS // 2:
                continue  # on a machine this slow the ring would forget what the listener has yet to hear: a reset with a cause
            self.told += 1
            push(self.service, self.told)

    def _listen(self) -> None:
        for event in self.stream.events():
            self.events.append(event)
            if event.name == Topic.QUEUE:
                self.heard = QueueReading.model_validate_json(event.data).pending

    def weather(self) -> Iterator[Callable[[], None]]:
        """What happens next, for ever."""
        kinds = [self.reset, self.reset, self.cut_in_the_middle, self.cut_in_the_middle, self.cut_in_the_middle, self.stall]
        while True:
            yield self.die if self.chance.random() < 0.04 else self.chance.choice(kinds)

    def reset(self) -> None:
        time.sleep(self.chance.random() * 0.03)
        self.proxy.cut()

    def cut_in_the_middle(self) -> None:
        """Every connection ends after so many bytes, mostly within an event; enough of them for some to arrive whole."""
        self.proxy.cut_after = self.chance.randrange(700, 3000)
        self.proxy.cut()
        broken = self.breaks
        until(lambda: self.breaks >= broken + 3, 30)
        self.proxy.cut_after = None

    def stall(self) -> None:
        broken = self.breaks
        self.proxy.mode = "stall"
        until(lambda: self.breaks > broken, 30)
        self.proxy.mode = "ok"

    def die(self) -> None:
        """The service is gone, and another takes its place."""
        former, self.service = self.service, self.open_service()
        self.proxy.cut()
        former.stop()
        self.proxy.upstream_port = self.service.port
        self.lives += 1
        reborn = len(self.events)
        until(lambda: RESET_EVENT in {event.name for event in self.events[reborn:]}, 30)

    def end(self) -> None:
        self.over.set()
        self.threads[0].join()
        until(lambda: self.heard == self.told, 30)
        self.stream.stop()
        self.threads[1].join(10)

    def close(self) -> None:
        self.over.set()
        self.stream.stop()
        self.proxy.stop()
        self.service.stop()
        self.client.transport.session.close()


@pytest.fixture
def storm(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Storm]:
    monkeypatch.setattr(stream, "PING_SECONDS", 0.1)
    storm = Storm(request.param)
    yield storm
    storm.close()


def lives_of(events: list[Event]) -> list[list[int]]:
    """The ids of the queue's events, one list for each life of the service: a reset begins the next one."""
    lives: list[list[int]] = [[]]
    for event in events:
        if event.name == RESET_EVENT:
            lives.append([])
        elif event.name == Topic.QUEUE:
            lives[-1].append(int(event.event_id))
    return lives


@pytest.mark.feature("L1")
@pytest.mark.faults
@pytest.mark.parametrize("storm", [SEED], indirect=True, ids=lambda seed: f"seed={seed}")
def test_no_event_is_lost_or_doubled_however_often_the_line_breaks(storm: Storm) -> None:
    until(lambda: storm.events, 30)
    for strike in storm.weather():
        strike()
        if storm.breaks >= CUTS:
            break
    storm.end()
    lives = lives_of(storm.events)
    assert len(lives) == storm.lives, "a reset without a cause, or a death without one"
    for ids in lives:
        assert ids == list(range(ids[0], ids[0] + len(ids))), "an event of this life was lost or told twice"
    assert sum(map(len, lives)) > CUTS / 3
