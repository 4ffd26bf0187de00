from __future__ import annotations

import time

import pytest

from lib.contract.events import Topic
from lib.contract.model import utc_now
from lib.contract.queue import QueueReading
from lib.contract.settings import SettingsReading
from lib.contract.states import Actual
from lib.contract.workers import WorkersReading
from lib.service.feed import Feed
from tests.service.feed_samples import Clock, all_after, events_in, index, queue, started_at, workers


@pytest.mark.feature("L2")
def test_only_a_change_is_published() -> None:
    feed = Feed(clock=Clock())
    start = started_at(feed)
    for _ in range(5):
        feed.offer(Topic.QUEUE, queue(1))
    assert [event.name for event in all_after(feed, start)] == ["queue"]


@pytest.mark.feature("L2")
def test_a_heartbeat_is_no_change_but_a_new_state_is() -> None:
    clock = Clock()
    feed = Feed(clock=clock)
    start = started_at(feed)
    feed.offer(Topic.WORKERS, workers())
    clock.now += 1
    feed.offer(Topic.WORKERS, workers())
    assert len(all_after(feed, start)) == 1
    feed.offer(Topic.WORKERS, workers(actual=Actual.BUSY))
    assert len(all_after(feed, start)) == 2


def test_who_comes_later_gets_the_newest_heartbeat_all_the_same() -> None:
    feed = Feed()
    feed.offer(Topic.WORKERS, workers())
    newest = workers()
    feed.offer(Topic.WORKERS, newest)
    (event,) = events_in(feed.join(None, tuple(Topic))[1])
    assert WorkersReading.model_validate_json(event.data) == newest
    assert feed.standing() == (feed.snapshot_id(), {Topic.WORKERS: newest})


@pytest.mark.feature("L2")
def test_a_topic_is_published_at_most_once_in_half_a_second_and_then_with_its_newest_reading() -> None:
    clock = Clock()
    feed = Feed(clock=clock)
    start = started_at(feed)
    for number in range(100):
        feed.offer(Topic.QUEUE, queue(number))
        feed.offer(Topic.INDEX, index(number))
        clock.now += 0.02
    published = all_after(feed, start)
    for topic in (Topic.QUEUE, Topic.INDEX):
        assert 4 <= sum(event.name == topic for event in published) <= 5
    clock.now += 0.5
    feed.offer(Topic.SETTINGS, SettingsReading(settings=[], taken_at=utc_now()))
    assert QueueReading.model_validate_json([e for e in all_after(feed, start) if e.name == "queue"][-1].data).pending == 99


@pytest.mark.feature("L2")
def test_the_end_of_a_job_does_not_wait_its_turn() -> None:
    feed = Feed(clock=Clock())
    start = started_at(feed)
    feed.offer(Topic.QUEUE, queue(1))
    feed.offer(Topic.QUEUE, queue(2))
    assert len(all_after(feed, start)) == 1
    feed.offer(Topic.QUEUE, queue(3), at_once=True)
    assert len(all_after(feed, start)) == 2
    feed.offer(Topic.QUEUE, queue(3), at_once=True)
    feed.offer(Topic.QUEUE, queue(4))
    assert len(all_after(feed, start)) == 2


def test_a_change_that_is_taken_back_in_time_is_none() -> None:
    clock = Clock()
    feed = Feed(clock=clock)
    start = started_at(feed)
    for pending in (1, 2, 1):
        feed.offer(Topic.QUEUE, queue(pending))
    clock.now += 1
    feed.flush()
    assert len(all_after(feed, start)) == 1


@pytest.mark.feature("L1")
def test_ids_are_whole_numbers_that_grow_by_one_and_over_a_restart() -> None:
    feed = Feed(gap_seconds=0)
    start = started_at(feed)
    for number in range(50):
        feed.offer(Topic.QUEUE, queue(number))
    ids = [int(event.event_id) for event in all_after(feed, start)]
    assert ids == list(range(start + 1, start + 51))
    time.sleep(0.001)
    assert started_at(Feed()) > ids[-1]
