"""A server-sent event stream that reconnects, resumes after the last complete event, and stops from any thread."""

from __future__ import annotations

import codecs
import contextlib
import random
import threading
from collections.abc import Callable, Iterator
from typing import NamedTuple

from requests import Response

from lib.client.errors import Answered, ClientError, Unexpected, Unreachable
from lib.client.transport import Call, Transport

__all__ = ["Event", "EventParser", "EventStream"]

#: A single event larger than this is no reading of ours.
MAX_EVENT_CHARACTERS = 16 << 20


class Event(NamedTuple):
    """One event of the stream; ``event_id`` is the last id seen up to it, empty before any."""

    event_id: str
    name: str
    data: str


class EventParser:
    """The WHATWG event-stream format, incrementally and in linear time."""

    def __init__(self, last_id: str = "") -> None:
        """``last_id`` continues an earlier stream."""
        self.last_id = last_id  #: of the last complete block: where a new connection may resume
        self.retry_seconds: float | None = None
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self._tail: list[str] = []
        self._size = 0
        self._after_cr = False
        self._begin_block()

    def _begin_block(self) -> None:
        # An id counts once its block is complete: resuming after a half event would lose it.
        self._id, self._name, self._data = self.last_id, "", list[str]()

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """The events that ``chunk`` completes. ValueError when one grows beyond all measure."""
        for line in self._lines(self._decoder.decode(chunk)):
            if line:
                self._read_field(line)
                continue
            self.last_id = self._id
            if self._data:
                yield Event(self.last_id, self._name or "message", "\n".join(self._data))
            self._size = 0
            self._begin_block()

    def _lines(self, text: str) -> list[str]:
        if self._after_cr and text:
            self._after_cr, text = False, text.removeprefix("\n")
        self._after_cr = self._after_cr or text.endswith("\r")
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        self._size += len(text)
        if self._size > MAX_EVENT_CHARACTERS and "\n\n" not in text:
            raise ValueError("an event without end")
        *lines, rest = text.split("\n")
        if lines:
            lines[0] = "".join(self._tail) + lines[0]
            self._tail.clear()
        if rest:
            self._tail.append(rest)
        return lines

    def _read_field(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._name = value
        elif name == "id" and "\0" not in value:
            self._id = value
        elif name == "retry" and value.isascii() and value.isdigit():
            self.retry_seconds = int(value) / 1000


class EventStream:
    """``events()`` yields until ``stop()``; a lost server never ends it.

    ``on_contact(proven)`` is called for every piece received; ``proven`` once the connection has brought more than its
    greeting. ``on_break(error, failures)`` is called when a connection fails or ends; ``failures`` counts those in a row.
    """

    def __init__(
        self,
        transport: Transport,
        path: str,
        *,
        read_timeout: float,
        on_contact: Callable[[bool], None] = lambda _: None,
        on_break: Callable[[ClientError, int], None] = lambda _, __: None,
        last_id: str = "",
        cap_seconds: float = 5.0,
    ) -> None:
        """``read_timeout``: seconds of silence that count as lost. ``cap_seconds``: the longest wait between two attempts."""
        self.last_id = last_id
        self._transport, self._path, self._read_timeout, self._cap = transport, path, read_timeout, cap_seconds
        self._on_contact, self._on_break = on_contact, on_break
        self._retry_seconds = 1.0
        self._failures = 0
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._response: Response | None = None

    def stop(self) -> None:
        """End ``events()`` at once, from any thread, also in the middle of a read or a wait."""
        self._stopped.set()
        with self._lock:
            if self._response is not None:
                # ValueError, RuntimeError: the connection has just ended by itself.
                with contextlib.suppress(OSError, ValueError, RuntimeError):
                    self._response.raw.shutdown()

    def events(self) -> Iterator[Event]:
        """Every event of every connection, each once, in order."""
        while not self._stopped.is_set():
            try:
                yield from self._one_connection()
                error: ClientError = Unreachable(self._transport.connection.base_url, "it closed the feed")
            except ClientError as failure:
                error = failure
            except (OSError, ValueError, AttributeError) as failure:  # urllib3 when its socket is shut down under a read
                error = Unexpected(f"a broken event stream ({failure})")
            if self._stopped.is_set():
                return
            self._failures += 1
            self._on_break(error, self._failures)
            self._stopped.wait(self._pause(error))

    def _one_connection(self) -> Iterator[Event]:
        with self._transport.stream(self._call()) as response:
            if not self._hold(response):
                return
            try:
                yield from self._read(response)
            finally:
                self._hold(None)

    def _read(self, response: Response) -> Iterator[Event]:
        parser = EventParser(self.last_id)
        for number, chunk in enumerate(response.iter_content(65536)):
            if self._stopped.is_set():
                return
            if number:
                self._failures = 0
            self._on_contact(number > 0)
            for event in parser.feed(chunk):
                self.last_id = event.event_id
                yield event
            self.last_id = parser.last_id
            self._retry_seconds = parser.retry_seconds or self._retry_seconds

    def _call(self) -> Call:
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-cache", "Accept-Encoding": "identity"}
        if self.last_id:
            headers["Last-Event-ID"] = self.last_id
        return Call("GET", self._path, headers=headers, timeout=(self._transport.timeout[0], self._read_timeout))

    def _hold(self, response: Response | None) -> bool:
        """Keep ``response`` where ``stop`` finds it; whether it is worth reading."""
        with self._lock:
            self._response = response
        if response is None or self._stopped.is_set():
            return False
        kind = response.headers.get("Content-Type", "no content type").split(";")[0].strip().lower()
        if kind != "text/event-stream":
            raise Unexpected(f"HTTP {response.status_code}, {kind}, not an event stream", response.status_code)
        return True

    def _pause(self, error: ClientError) -> float:
        if isinstance(error, Answered | Unexpected):
            return self._cap  # it will hardly change its mind within a second
        return min(self._cap, self._retry_seconds * 2.0 ** min(self._failures - 1, 6)) * random.uniform(0.5, 1.0)  # noqa: S311
