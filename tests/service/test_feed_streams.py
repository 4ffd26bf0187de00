from __future__ import annotations

import asyncio
import contextlib
import threading
import time
import tracemalloc
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest

from lib.client.events import Event, EventParser
from lib.contract.events import Topic
from lib.contract.model import Reading
from lib.contract.queue import QueueReading
from lib.service.feed import COHORTS, RING_EVENTS, Feed
from tests.service.feed_samples import index, queue


class Listener:
    """One open stream, read in the background."""

    def __init__(self, feed: Feed, last_event_id: str | None = None, topics: tuple[Topic, ...] = tuple(Topic)) -> None:
        self.received, self.parser, self.events = b"", EventParser(), list[Event]()
        self.source: AsyncGenerator[bytes, None] = feed.stream(last_event_id, topics)
        self.task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for chunk in self.source:
            self.received += chunk
            self.events += self.parser.feed(chunk)

    async def leave(self) -> None:
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task
        await self.source.aclose()


async def soon(condition: Callable[[], Any], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.005)


@pytest.mark.feature("L1")
def test_a_stream_greets_tells_what_is_current_and_then_what_changes() -> None:
    async def scenario() -> None:
        feed = Feed(gap_seconds=0.05)
        feed.offer(Topic.QUEUE, queue(1))
        listener = Listener(feed)
        await soon(lambda: len(listener.events) == 1)
        assert listener.received.startswith(b"retry: 2000\n\n")
        feed.offer(Topic.INDEX, index(1))
        await soon(lambda: len(listener.events) == 2)
        assert listener.parser.last_id == feed.snapshot_id()
        await listener.leave()
        assert feed.listeners == 0

    asyncio.run(scenario())


@pytest.mark.feature("L2")
def test_what_waits_its_turn_is_told_without_another_offer() -> None:
    async def scenario() -> None:
        feed = Feed(gap_seconds=0.1)
        feed.offer(Topic.INDEX, index(1))
        feed.offer(Topic.INDEX, index(2))  # waits since before there was a loop
        listener = Listener(feed)
        await soon(lambda: len(listener.events) == 2)
        feed.offer(Topic.QUEUE, queue(1))
        feed.offer(Topic.QUEUE, queue(2))
        await soon(lambda: [event.name for event in listener.events] == ["index", "index", "queue", "queue"])
        assert QueueReading.model_validate_json(listener.events[-1].data).pending == 2
        await listener.leave()

    asyncio.run(scenario())


@pytest.mark.feature("L2")
def test_a_topic_whose_turn_is_sooner_does_not_wait_for_another() -> None:
    async def scenario() -> None:
        feed = Feed(gap_seconds=0.4)
        listener = Listener(feed)
        await soon(lambda: feed.listeners)
        feed.offer(Topic.INDEX, index(1))
        await asyncio.sleep(0.3)
        feed.offer(Topic.QUEUE, queue(1))
        feed.offer(Topic.QUEUE, queue(2))  # due in 0.4 s
        feed.offer(Topic.INDEX, index(2))  # due in 0.1 s
        await soon(lambda: len(listener.events) >= 3)
        assert [event.name for event in listener.events] == ["index", "queue", "index"]
        await listener.leave()

    asyncio.run(scenario())


def test_an_idle_feed_says_nothing() -> None:
    async def scenario() -> None:
        feed = Feed(gap_seconds=0.01)
        feed.offer(Topic.QUEUE, queue(1))
        listener = Listener(feed, feed.snapshot_id())
        for _ in range(20):
            feed.offer(Topic.QUEUE, queue(1))
            await asyncio.sleep(0.005)
        assert listener.received == b"retry: 2000\n\n"
        await listener.leave()

    asyncio.run(scenario())


def test_readings_may_come_from_any_thread() -> None:
    async def scenario() -> None:
        feed = Feed(gap_seconds=0)
        listeners = [Listener(feed) for _ in range(2 * COHORTS)]
        await soon(lambda: feed.listeners == len(listeners))

        def produce(topic: Topic, make: Callable[[int], Reading]) -> None:
            for number in range(1, 101):
                feed.offer(topic, make(number))

        threads = [threading.Thread(target=produce, args=pair) for pair in [(Topic.QUEUE, queue), (Topic.INDEX, index)]]
        for thread in threads:
            thread.start()
        await soon(lambda: all(len(listener.events) == 200 for listener in listeners))
        for thread in threads:
            thread.join()
        ids = [int(event.event_id) for event in listeners[0].events]
        assert ids == list(range(ids[0], ids[0] + 200))
        for listener in listeners:
            await listener.leave()

    asyncio.run(scenario())


@pytest.mark.feature("L3")
def test_a_reading_is_put_into_bytes_once_however_many_listen(monkeypatch: pytest.MonkeyPatch) -> None:
    encoded = list[str]()
    dump = QueueReading.model_dump_json

    def counted(self: QueueReading, **options: Any) -> str:
        encoded.append("whole" if not options else "compared")
        return dump(self, **options)

    async def cost(count: int) -> list[str]:
        feed = Feed(gap_seconds=0)
        listeners = [Listener(feed) for _ in range(count)]
        await soon(lambda: feed.listeners == count)
        encoded.clear()
        for number in range(10):
            feed.offer(Topic.QUEUE, queue(number))
        await soon(lambda: all(len(listener.events) == 10 for listener in listeners))
        for listener in listeners:
            await listener.leave()
        return sorted(encoded)

    monkeypatch.setattr(QueueReading, "model_dump_json", counted)
    assert asyncio.run(cost(1)) == asyncio.run(cost(50)) == ["compared"] * 10 + ["whole"] * 10


@pytest.mark.feature("L4")
def test_who_does_not_read_falls_off_the_ring_and_nobody_else_notices() -> None:
    async def scenario() -> None:
        feed = Feed(gap_seconds=0, ring_events=20)
        quick = Listener(feed)
        slow = feed.stream()
        received = await anext(slow) + await anext(slow)
        await soon(lambda: feed.listeners == 2)
        for number in range(100):
            feed.offer(Topic.QUEUE, queue(number))
            await asyncio.sleep(0)
            if number % 10 == 9:
                await soon(lambda number=number: len(quick.events) == number + 1)
        parser = EventParser()
        list(parser.feed(received))
        events = [event for _ in range(3) for event in parser.feed(await anext(slow))]
        assert [event.name for event in events] == ["reset", "queue"]
        assert QueueReading.model_validate_json(events[-1].data).pending == 99
        assert "reset" not in {event.name for event in quick.events}
        await slow.aclose()
        await quick.leave()

    asyncio.run(scenario())


@pytest.mark.feature("L4")
def test_listeners_that_do_not_read_cost_no_memory() -> None:
    async def scenario() -> int:
        feed = Feed(gap_seconds=0)
        stalled = [feed.stream() for _ in range(50)]
        for source in stalled:
            await anext(source)
        for number in range(RING_EVENTS):
            feed.offer(Topic.QUEUE, queue(number))
        before, _ = tracemalloc.get_traced_memory()
        for number in range(5 * RING_EVENTS):
            feed.offer(Topic.QUEUE, queue(number))
            if number % 100 == 0:
                await asyncio.sleep(0)
        after, _ = tracemalloc.get_traced_memory()
        for source in stalled:
            await source.aclose()
        return after - before

    tracemalloc.start()
    try:
        assert asyncio.run(scenario()) < 200_000
    finally:
        tracemalloc.stop()


def test_closing_ends_every_stream_from_any_thread_and_later_ones_at_once() -> None:
    async def scenario() -> None:
        feed = Feed()
        listeners = [Listener(feed) for _ in range(3 * COHORTS)]
        await soon(lambda: feed.listeners == len(listeners))
        await asyncio.to_thread(feed.close)
        await asyncio.wait_for(asyncio.gather(*(listener.task for listener in listeners)), 2)
        late = Listener(feed)
        await asyncio.wait_for(late.task, 2)
        assert (feed.listeners, late.events) == (0, [])
        feed.offer(Topic.QUEUE, queue(1))

    asyncio.run(scenario())


def test_offers_after_the_loop_has_ended_do_no_harm() -> None:
    async def listen_once(feed: Feed, chunks: int) -> list[str]:
        source, parser = feed.stream(), EventParser()
        heard = [event.name for _ in range(chunks) for event in parser.feed(await anext(source))]
        await source.aclose()
        return heard

    feed = Feed()
    assert asyncio.run(listen_once(feed, 1)) == [], "a greeting, and no more"
    feed.offer(Topic.QUEUE, queue(1))
    feed.flush()
    assert asyncio.run(listen_once(feed, 2)) == [Topic.QUEUE], "and another loop may follow"
    feed.close()


def test_a_feed_serves_one_loop_at_a_time() -> None:
    async def scenario() -> None:
        feed = Feed()
        source = feed.stream()
        await anext(source)

        async def elsewhere() -> None:
            await anext(feed.stream())

        with pytest.raises(RuntimeError, match="one event loop"):
            await asyncio.to_thread(asyncio.run, elsewhere())
        await source.aclose()

    asyncio.run(scenario())
