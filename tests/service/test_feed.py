from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from lib.client.events import EventParser
from lib.contract.events import TOPIC_READINGS, Topic
from lib.contract.model import Reading
from lib.contract.queue import QueueReading
from lib.service.feed import PIECE_BYTES, RING_EVENTS, Feed
from tests.service.feed_samples import Clock, all_after, events_in, index, queue, started_at


@pytest.mark.feature("L1")
def test_a_fresh_listener_gets_what_is_current_without_a_reset() -> None:
    feed = Feed()
    feed.offer(Topic.QUEUE, queue(3))
    cursor, pieces = feed.join(None, tuple(Topic))
    assert [(event.name, event.event_id) for event in events_in(pieces)] == [("queue", feed.snapshot_id())]
    assert (str(cursor), feed.resets) == (feed.snapshot_id(), 0)


@pytest.mark.feature("L1")
def test_a_listener_cut_off_among_the_current_readings_resumes_with_the_rest() -> None:
    feed = Feed()
    for topic, reading in ((Topic.QUEUE, queue(3)), (Topic.INDEX, index(3)), (Topic.JOBS, queue(4))):
        feed.offer(topic, reading)
    pieces = feed.join(None, tuple(Topic))[1]
    for heard in range(1, 4):
        parser = EventParser()
        before = [event.name for piece in pieces[:heard] for event in parser.feed(piece)]
        rest = [event.name for event in events_in(feed.after(int(parser.last_id), tuple(Topic))[1])]
        assert [*before, *rest] == ["queue", "index", "jobs"]
    assert feed.resets == 0


@pytest.mark.feature("L1")
@pytest.mark.parametrize("last_id", ["0", "1", "99999999999999999999999999", "-1", "x", "1.5", "٣", "abc-1", " 1"])
def test_an_unknown_id_brings_a_reset_and_what_is_current(last_id: str) -> None:
    feed = Feed()
    feed.offer(Topic.QUEUE, queue(3))
    feed.offer(Topic.INDEX, index(3))
    assert [event.name for event in events_in(feed.join(last_id, [Topic.QUEUE])[1])] == ["reset", "queue"]
    assert feed.resets == 1


@pytest.mark.feature("L1")
def test_an_id_of_the_future_is_unknown_and_the_newest_is_not() -> None:
    feed = Feed()
    feed.offer(Topic.QUEUE, queue(3))
    newest = started_at(feed)
    assert events_in(feed.join(str(newest + 1), tuple(Topic))[1])[0].name == "reset"
    assert feed.join(str(newest), tuple(Topic)) == (newest, [])


@pytest.mark.feature("L1")
def test_the_ring_tells_all_it_has_and_resets_beyond() -> None:
    feed = Feed(gap_seconds=0)
    start = started_at(feed)
    for number in range(RING_EVENTS + 1):
        feed.offer(Topic.QUEUE, queue(number))
    assert len(all_after(feed, start + 1)) == RING_EVENTS
    assert [event.name for event in all_after(feed, start)] == ["reset", "queue"]


@pytest.mark.feature("L4")
def test_the_ring_is_bounded_in_bytes_too() -> None:
    feed = Feed(gap_seconds=0, ring_bytes=10_000)
    start = started_at(feed)
    for number in range(500):
        feed.offer(Topic.QUEUE, queue(number))
    assert sum(len(event.data) for event in feed._ring) <= 10_000
    assert len(all_after(feed, started_at(feed) - 10)) == 10
    assert all_after(feed, start)[0].name == "reset"


def test_a_listener_hears_only_its_topics_but_moves_on() -> None:
    feed = Feed(gap_seconds=0)
    start = started_at(feed)
    feed.offer(Topic.QUEUE, queue(1))
    feed.offer(Topic.INDEX, index(1))
    cursor, pieces = feed.after(start, [Topic.INDEX])
    assert [event.name for event in events_in(pieces)] == ["index"]
    assert cursor == started_at(feed)


def test_much_to_tell_goes_out_in_small_pieces() -> None:
    feed = Feed(gap_seconds=0)
    cursor = started_at(feed)
    for number in range(500):
        feed.offer(Topic.QUEUE, queue(number))
    sizes, told = list[int](), 0
    while pieces := feed.after(cursor, tuple(Topic))[1]:
        cursor, _ = feed.after(cursor, tuple(Topic))
        sizes.append(sum(map(len, pieces)))
        told += len(pieces)
    assert told == 500
    assert max(sizes) < PIECE_BYTES + 1000


@pytest.mark.feature("L1")
def test_a_thousand_cuts_anywhere_lose_and_double_nothing() -> None:
    dice = random.Random(7)
    feed = Feed(gap_seconds=0)
    heard, last_id, published = list[int](), str(started_at(feed)), 0
    for _ in range(1000):
        for _ in range(dice.randrange(3)):
            published += 1
            feed.offer(Topic.QUEUE, queue(published))
        cursor, pieces = feed.join(last_id, tuple(Topic))
        sent = b"".join([b"retry: 2000\n\n", *pieces, *feed.after(cursor, tuple(Topic))[1]])
        parser = EventParser(last_id)
        heard += [QueueReading.model_validate_json(event.data).pending for event in parser.feed(sent[: dice.randrange(len(sent) + 1)])]
        last_id = parser.last_id
    heard += [QueueReading.model_validate_json(event.data).pending for event in all_after(feed, int(last_id))]
    assert heard == list(range(1, published + 1))
    assert feed.resets == 0


class FeedMachine(RuleBasedStateMachine):
    """A console that replaces readings as they come equals the service after every resume, whatever was lost."""

    @initialize(ring=st.integers(1, 12))
    def start(self, ring: int) -> None:
        self.ring, self.clock = ring, Clock()
        self.truth: dict[str, Reading] = {}
        self.view: dict[str, Reading] = {}
        self.last_id = ""
        self.seen = 0
        self.feed = Feed(ring_events=ring, clock=self.clock)

    @rule(topic=st.sampled_from([Topic.QUEUE, Topic.INDEX]), value=st.integers(0, 9), at_once=st.booleans())
    def offer(self, topic: Topic, value: int, at_once: bool) -> None:
        self.truth[topic] = queue(value) if topic is Topic.QUEUE else index(value)
        self.feed.offer(topic, self.truth[topic], at_once=at_once)

    @rule(seconds=st.sampled_from([0.1, 0.3, 0.6]))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule()
    def restart_the_service(self) -> None:
        before = int(self.feed.snapshot_id())
        self.feed = Feed(ring_events=self.ring, clock=self.clock)
        while int(self.feed.snapshot_id()) <= before:  # a process takes longer to start than this test
            self.feed = Feed(ring_events=self.ring, clock=self.clock)
        for topic, reading in self.truth.items():
            self.feed.offer(Topic(topic), reading)

    @rule(lost=st.sampled_from(["nothing", "the id", "the rest"]), cut=st.floats(0, 1))
    def listen(self, lost: str, cut: float) -> None:
        if lost == "the id":
            self.last_id = ""
        parser = EventParser(self.last_id)
        cursor, pieces = self.feed.join(self.last_id, tuple(Topic))
        sent = b"".join([*pieces, *self.feed.after(cursor, tuple(Topic), 1 << 30)[1]])
        self.take(parser, sent[: round(cut * len(sent))] if lost == "the rest" else sent)

    @rule()
    def catch_up(self) -> None:
        self.feed.flush()
        self.listen("nothing", 1.0)
        assert {topic: told(reading) for topic, reading in self.view.items()} == {
            topic: told(reading) for topic, reading in self.truth.items()
        }
        assert self.last_id == self.feed.snapshot_id()

    def take(self, parser: EventParser, sent: bytes) -> None:
        for event in parser.feed(sent):
            if event.name != "reset":
                self.view[event.name] = TOPIC_READINGS[Topic(event.name)].model_validate_json(event.data)
        if parser.last_id and parser.last_id != self.last_id:
            assert int(parser.last_id) >= self.seen, "an id went back"
            self.seen = int(parser.last_id)
        self.last_id = parser.last_id


def told(reading: Reading) -> dict[str, Any]:
    return reading.model_dump(exclude={"taken_at"})


TestAnyHistory = FeedMachine.TestCase
TestAnyHistory.pytestmark = [pytest.mark.feature("L1")]
TestAnyHistory.settings = settings(max_examples=120, stateful_step_count=30, deadline=None)
