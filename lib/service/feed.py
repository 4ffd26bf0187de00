"""The live feed: whole readings, published when they change, kept in one ring that every listener reads at its own pace.

A listener owns nothing but a cursor, so its number and its slowness cost the producer nothing: one that falls off the ring
is told `reset` and gets the current readings. Event ids are whole numbers that grow, over restarts too.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

from lib.contract.events import RESET_EVENT, Topic
from lib.contract.model import Reading

__all__ = ["VOLATILE", "Feed", "Standing"]

#: What moves in a reading although nothing happened: no reason to tell anybody.
VOLATILE: dict[Topic, dict[str, Any]] = {
    **{topic: {"taken_at": True} for topic in Topic},
    Topic.WORKERS: {"taken_at": True, "workers": {"__all__": {"heartbeat_at"}}},
}

RING_EVENTS = 600
RING_BYTES = 16 << 20
#: A topic is published at most once in this time.
GAP_SECONDS = 0.5
RETRY_SECONDS = 2.0
#: Listeners wake in so many groups: all at once they would block the loop for a moment.
COHORTS = 8
#: A bad link still makes progress when it gets small pieces; and a stalled listener holds on to no more than this.
PIECE_BYTES = 16 << 10


class _Event(NamedTuple):
    number: int
    topic: Topic
    data: bytes


class Standing(NamedTuple):
    """Every topic's current reading, at least as new as the event ``event_id``: listening on from there misses nothing."""

    event_id: str
    readings: dict[Topic, Reading]


@dataclass
class _Track:
    """One topic: its current reading, what was last published of it, what waits to be."""

    current: Reading
    waiting: bytes | None = None
    published: bytes | None = None
    free_at: float = 0.0
    number: int = 0


class Feed:
    """Readings in from any thread, event streams out on one event loop."""

    def __init__(
        self,
        *,
        ring_events: int = RING_EVENTS,
        ring_bytes: int = RING_BYTES,
        gap_seconds: float = GAP_SECONDS,
        retry_seconds: float = RETRY_SECONDS,
        volatile: Mapping[Topic, Mapping[str, Any]] = VOLATILE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``ring_events`` and ``ring_bytes`` bound what a returning listener can still be told."""
        self._ring_events, self._ring_bytes, self._gap, self._clock = ring_events, ring_bytes, gap_seconds, clock
        self._volatile = volatile
        self._greeting = f"retry: {round(retry_seconds * 1000)}\n\n".encode()
        self._lock = threading.Lock()
        self._ring: deque[_Event] = deque()
        self._held_bytes = 0
        self._newest = time.time_ns() // 1000  # a restart cannot have published as many events as microseconds have passed
        self._tracks: dict[Topic, _Track] = {}
        self._closed = False
        self.listeners = 0  #: open streams now
        self.resets = 0  #: listeners that had to start over, ever
        self._joined = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._wakes = [asyncio.Event() for _ in range(COHORTS)]

    # In, from any thread

    def offer(self, topic: Topic, reading: Reading, *, at_once: bool = False) -> None:
        """The topic's newest reading: published if something in it changed, soon, or ``at_once`` where nobody may wait."""
        seen = reading.model_dump_json(exclude=dict(self._volatile.get(topic, {}))).encode()
        with self._lock:
            track = self._tracks.setdefault(topic, _Track(reading))
            track.current = reading
            track.waiting = seen if seen != track.published else None
            if at_once and track.waiting is not None:
                track.free_at = 0.0
            published = self._publish_due()
        self._tell_loop(wake=published)

    def flush(self) -> None:
        """Publish what waits for its turn, now."""
        with self._lock:
            for track in self._tracks.values():
                track.free_at = 0.0
            published = self._publish_due()
        self._tell_loop(wake=published)

    def close(self) -> None:
        """End every stream, and every later one at once."""
        self._closed = True
        self._tell_loop(wake=True)

    def snapshot_id(self) -> str:
        """The id of the newest event: an ETag for what polling gives."""
        with self._lock:
            return str(self._newest)

    def standing(self) -> Standing:
        """The current readings and where the feed stands, taken together."""
        with self._lock:
            return Standing(str(self._newest), {topic: track.current for topic, track in self._tracks.items()})

    def _publish_due(self) -> bool:
        now, before = self._clock(), self._newest
        for topic, track in self._tracks.items():
            if track.waiting is not None and now >= track.free_at:
                track.published, track.waiting, track.free_at = track.waiting, None, now + self._gap
                self._newest += 1
                track.number = self._newest
                self._append(_Event(self._newest, topic, _encode(self._newest, topic, track.current)))
        return self._newest > before

    def _append(self, event: _Event) -> None:
        self._ring.append(event)
        self._held_bytes += len(event.data)
        while len(self._ring) > self._ring_events or (self._held_bytes > self._ring_bytes and len(self._ring) > 1):
            self._held_bytes -= len(self._ring.popleft().data)

    # Out: where a listener stands, and what comes next

    def join(self, last_event_id: str | None, topics: Collection[Topic]) -> tuple[int, list[bytes]]:
        """Where a listener starts, and what it has to be told first: nothing if it can go on after ``last_event_id``."""
        with self._lock:
            if not last_event_id:
                return self._newest, self._current(topics)
            cursor = int(last_event_id) if last_event_id.isascii() and last_event_id.isdigit() and len(last_event_id) < 20 else -1
            return (cursor, []) if self._is_held(cursor) else self._reset(topics)

    def after(self, cursor: int, topics: Collection[Topic], max_bytes: int = PIECE_BYTES) -> tuple[int, list[bytes]]:
        """The next events beyond ``cursor`` (about ``max_bytes`` of them) and the new cursor; a reset if they are gone."""
        with self._lock:
            if not self._is_held(cursor):
                return self._reset(topics)
            pieces, size = list[bytes](), 0
            for event in islice(self._ring, len(self._ring) - (self._newest - cursor), None):
                cursor = event.number
                if event.topic in topics:
                    pieces.append(event.data)
                    size += len(event.data)
                    if size >= max_bytes:
                        break
            return cursor, pieces

    def _is_held(self, cursor: int) -> bool:
        """Whether every event beyond ``cursor`` is still in the ring."""
        return self._newest - len(self._ring) <= cursor <= self._newest

    def _reset(self, topics: Collection[Topic]) -> tuple[int, list[bytes]]:
        self.resets += 1
        return self._newest, [f"event: {RESET_EVENT}\ndata: {{}}\n\n".encode(), *self._current(topics)]

    def _current(self, topics: Collection[Topic]) -> list[bytes]:
        """The current readings, oldest first, each with the id it was last published under: a listener cut off between
        them resumes with the rest. The newest id stands at the very end, so that a quiet topic's old one does not count.
        """
        tracks = sorted((track.number, topic, track) for topic, track in self._tracks.items() if topic in topics)
        readings = [_encode(number, topic, track.current) for number, topic, track in tracks]
        return [*readings, f"id: {self._newest}\n\n".encode()]

    async def stream(self, last_event_id: str | None = None, topics: Collection[Topic] = tuple(Topic)) -> AsyncGenerator[bytes, None]:
        """Ready-to-send bytes until ``close``, beginning after ``last_event_id``."""
        self._bind(asyncio.get_running_loop())
        self.listeners += 1
        self._joined += 1
        cohort = self._joined % COHORTS
        try:
            cursor, pieces = self.join(last_event_id, topics)
            yield self._greeting
            while not self._closed:
                for piece in pieces:
                    yield piece
                wake = self._wakes[cohort]  # taken before looking: what is published after the look will set it
                before = cursor
                cursor, pieces = self.after(cursor, topics)
                if cursor == before:
                    await wake.wait()
        finally:
            self.listeners -= 1

    # Between the threads and the loop

    def _bind(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._loop is loop:
            return
        if self.listeners:
            raise RuntimeError("the feed serves one event loop")
        self._loop, self._timer = loop, None
        self._wakes = [asyncio.Event() for _ in range(COHORTS)]
        self._set_timer()

    def _tell_loop(self, *, wake: bool) -> None:
        if (loop := self._loop) is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended, and every stream with it
                loop.call_soon_threadsafe(self._on_told, wake)

    def _on_told(self, wake: bool) -> None:
        if wake:
            self._wake_all()
        self._set_timer()

    def _set_timer(self) -> None:
        """Come back when the next waiting topic may be published, in case no offer does before."""
        with self._lock:
            due = min((track.free_at for track in self._tracks.values() if track.waiting is not None), default=None)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._loop is not None and due is not None and not self._closed:
            self._timer = self._loop.call_later(max(0.0, due - self._clock()), self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        with self._lock:
            published = self._publish_due()
        self._on_told(published)

    def _wake_all(self) -> None:
        spread = 0.4 * self._gap / COHORTS if self.listeners > COHORTS and not self._closed else 0.0
        for cohort in range(COHORTS):
            if spread and self._loop is not None:
                self._loop.call_later(cohort * spread, self._wake, cohort)
            else:
                self._wake(cohort)

    def _wake(self, cohort: int) -> None:
        waiting, self._wakes[cohort] = self._wakes[cohort], asyncio.Event()
        waiting.set()


def _encode(number: int, topic: Topic, reading: Reading) -> bytes:
    return f"id: {number}\nevent: {topic}\ndata: {reading.model_dump_json()}\n\n".encode()
