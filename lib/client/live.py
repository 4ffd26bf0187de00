"""`LiveHub`: the latest reading of every topic, held in memory for every session of this process.

One thread listens to the feed. While that is down a second one polls the snapshot instead; it rests while the feed is up.
Neither ever calls the console: pages ask the hub.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Literal, overload

from pydantic import ValidationError

from lib.client.api import Client, PolledSnapshot
from lib.client.errors import Answered, ClientError, TimedOut, Unauthorized, Unexpected, Unreachable
from lib.client.events import Event, EventStream
from lib.contract.events import RESET_EVENT, TOPIC_READINGS, JobsReading, Topic
from lib.contract.index import IndexReading
from lib.contract.model import Reading, utc_now
from lib.contract.queue import QueueReading
from lib.contract.settings import SettingsReading
from lib.contract.shift import ShiftReading
from lib.contract.workers import WorkersReading

__all__ = ["Link", "LinkState", "LiveHub"]

LinkState = Literal["live", "polling", "offline"]

#: The service says at least this often that it is there.
PING_SECONDS = 5.0
#: Silence of this many pings is a lost connection.
SILENT_PINGS = 2.5
POLL_SECONDS = 2.0
#: A page that has lost its service looks for it at least this often.
CAP_SECONDS = 5.0
#: Failed connections in a row after which polling takes over.
FAILURES_BEFORE_POLLING = 3
#: A reading is stale when nothing has confirmed it for this many intervals.
STALE_INTERVALS = 3


@dataclass(frozen=True)
class Link:
    """How readings arrive, since when, and (unless live) why not better."""

    state: LinkState
    since: datetime
    reason: str = ""


class LiveHub:
    """Start it once per process; read it from any thread."""

    def __init__(
        self, client: Client, *, poll_seconds: float = POLL_SECONDS, ping_seconds: float = PING_SECONDS, cap_seconds: float = CAP_SECONDS
    ) -> None:
        """``ping_seconds``: how often the feed gives a sign of life; ``cap_seconds``: the longest wait between two attempts at it."""
        self._client, self._poll_seconds, self._ping_seconds, self._cap_seconds = client, poll_seconds, ping_seconds, cap_seconds
        self._changed = threading.Condition()
        self._version = 0
        self._readings: dict[Topic, Reading] = {}
        self._unconfirmed: set[Topic] = set()  # held from before a reset: a sign of life says nothing of them
        self._contact_at: datetime | None = None
        self._link = Link("offline", utc_now(), "not started")
        self._polling = False
        self._why_polling = ""
        self._etag: str | None = None
        self._stop: threading.Event | None = None
        self._stream: EventStream | None = None
        self.ignored: Counter[str] = Counter()  #: events nobody here understands, by name

    # For pages

    @overload
    def reading(self, topic: Literal[Topic.QUEUE]) -> QueueReading | None: ...
    @overload
    def reading(self, topic: Literal[Topic.WORKERS]) -> WorkersReading | None: ...
    @overload
    def reading(self, topic: Literal[Topic.JOBS]) -> JobsReading | None: ...
    @overload
    def reading(self, topic: Literal[Topic.INDEX]) -> IndexReading | None: ...
    @overload
    def reading(self, topic: Literal[Topic.SETTINGS]) -> SettingsReading | None: ...
    @overload
    def reading(self, topic: Literal[Topic.SHIFT]) -> ShiftReading | None: ...
    @overload
    def reading(self, topic: Topic) -> Reading | None: ...

    def reading(self, topic: Topic) -> Reading | None:
        """The latest reading; None before the first. The same object as long as nothing has changed."""
        with self._changed:
            return self._readings.get(topic)

    def as_of(self, topic: Topic) -> datetime | None:
        """The latest instant at which the reading is known to have been current; None without a reading.

        The feed speaks only of changes: as long as it gives a sign of life, what is held is what is.
        """
        with self._changed:
            reading = self._readings.get(topic)
            if reading is None:
                return None
            taken_at: datetime = getattr(reading, "taken_at")  # noqa: B009  (every topic's reading has one, the base class has not)
            confirmed = self._contact_at if topic not in self._unconfirmed else None
            return max(taken_at, confirmed) if confirmed else taken_at

    def stale(self, topic: Topic, interval: float) -> bool:
        """Whether nothing has confirmed the reading for three intervals (seconds), or three signs of life if those are rarer."""
        as_of = self.as_of(topic)
        rhythm = {"live": self._ping_seconds, "polling": self._poll_seconds}.get(self.connection.state, 0.0)
        return as_of is None or utc_now() - as_of > timedelta(seconds=STALE_INTERVALS * max(interval, rhythm))

    @property
    def connection(self) -> Link:
        """How readings arrive now."""
        with self._changed:
            return self._link

    @property
    def version(self) -> int:
        """Grows with every change of a reading or of the connection."""
        with self._changed:
            return self._version

    def wait_for_change(self, after_version: int, timeout: float) -> int:
        """The version once it is beyond ``after_version``, or as it is after ``timeout`` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._version > after_version, timeout)
            return self._version

    def start(self) -> None:
        """Begin to listen; nothing happens if it does already."""
        with self._changed:
            if self._stop is not None:
                return
            stop = self._stop = threading.Event()
            stream = self._stream = EventStream(
                self._client.transport,
                "/ui/sse",
                read_timeout=SILENT_PINGS * self._ping_seconds,
                on_contact=partial(self._on_contact, stop),
                on_break=partial(self._on_break, stop),
                last_id=self._stream.last_id if self._stream else "",
                cap_seconds=self._cap_seconds,
            )
            self._polling = False
            self._set_link("offline", "connecting")
        threading.Thread(target=self._listen, args=(stream, stop), name="live-feed", daemon=True).start()
        threading.Thread(target=self._poll, args=(stream, stop), name="live-poll", daemon=True).start()

    def stop(self) -> None:
        """Send no request any more; returns at once. What is held stays."""
        with self._changed:
            if self._stop is None or self._stream is None:
                return
            self._stop.set()
            self._stop = None
            self._set_link("offline", "stopped")
            self._changed.notify_all()
            stream = self._stream
        stream.stop()

    # The feed

    def _listen(self, stream: EventStream, stop: threading.Event) -> None:
        for event in stream.events():
            if stop.is_set():
                return
            self._take_event(event)

    def _take_event(self, event: Event) -> None:
        try:
            if event.name != RESET_EVENT:
                topic = Topic(event.name)
                reading = TOPIC_READINGS[topic].model_validate_json(event.data)
        except (ValidationError, ValueError):
            with self._changed:
                self.ignored[event.name] += 1
            return
        with self._changed:
            if event.name == RESET_EVENT:
                self._unconfirmed = set(self._readings)
            else:
                self._take_reading(topic, reading)

    def _on_contact(self, stop: threading.Event, proven: bool) -> None:
        with self._changed:
            if stop.is_set():
                return
            if proven:
                self._contact_at = utc_now()
            if self._polling:
                self._polling = False
                self._changed.notify_all()
            self._set_link("live", "")

    def _on_break(self, stop: threading.Event, error: ClientError, failures: int) -> None:
        with self._changed:
            if stop.is_set():
                return
            if isinstance(error, Unauthorized):
                self._polling = False
                self._set_link("offline", "token refused")
            elif failures >= FAILURES_BEFORE_POLLING or isinstance(error, TimedOut | Answered | Unexpected):
                self._begin_polling(_reason(error))
            elif failures > 1:  # a connection that comes back at the first attempt is no news
                self._set_link("offline", _reason(error))

    # Polling, instead of the feed

    def _begin_polling(self, why: str) -> None:
        self._why_polling = why
        if not self._polling:
            self._polling, self._etag = True, None
            self._set_link("offline", why)
            self._changed.notify_all()

    def _poll(self, stream: EventStream, stop: threading.Event) -> None:
        while not stop.is_set():
            with self._changed:
                self._changed.wait_for(lambda: self._polling or stop.is_set())
                etag = self._etag
            if stop.is_set():
                return
            try:
                answer = self._client.get_telemetry_snapshot(etag)
            except ClientError as error:
                self._on_poll_failed(stop, error)
            else:
                self._on_polled(stop, stream, answer)
            with self._changed:
                self._changed.wait_for(lambda: not self._polling or stop.is_set(), self._poll_seconds)

    def _on_poll_failed(self, stop: threading.Event, error: ClientError) -> None:
        with self._changed:
            if self._polling and not stop.is_set():
                self._set_link("offline", _reason(error))

    def _on_polled(self, stop: threading.Event, stream: EventStream, answer: PolledSnapshot) -> None:
        with self._changed:
            if not self._polling or stop.is_set():  # the feed is back and knows better
                return
            self._contact_at, self._etag = utc_now(), answer.etag
            if answer.snapshot is not None:
                stream.last_id = answer.snapshot.last_event_id  # the feed need not repeat what we know now
                for topic in Topic:
                    self._take_reading(topic, getattr(answer.snapshot, topic.value))
            self._set_link("polling", self._why_polling)

    # What is held; callers hold the lock

    def _take_reading(self, topic: Topic, reading: Reading) -> None:
        self._unconfirmed.discard(topic)
        if self._readings.get(topic) != reading:
            self._readings[topic] = reading
            self._note_change()

    def _set_link(self, state: LinkState, reason: str) -> None:
        if (state, reason) != (self._link.state, self._link.reason):
            since = self._link.since if state == self._link.state else utc_now()
            self._link = Link(state, since, reason)
            self._note_change()

    def _note_change(self) -> None:
        self._version += 1
        self._changed.notify_all()


def _reason(error: ClientError) -> str:
    if isinstance(error, Unreachable):
        return error.why
    if isinstance(error, Unauthorized):
        return "token refused"
    return "no answer in time" if isinstance(error, TimedOut) else str(error)
