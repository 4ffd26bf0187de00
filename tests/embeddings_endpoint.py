"""An embeddings endpoint on this machine that fails as real ones do: by what stands in the text, or by what a test sets."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

DIMENSION = 8
#: Texts longer than this are too long for its model.
MAX_CHARACTERS = 200


def _set_event() -> threading.Event:
    event = threading.Event()
    event.set()
    return event


@dataclass
class Endpoint:
    """What it has been asked, and how it answers. Words in a text that make it fail: ``[429]``, ``[401]``, ``[dimension]``, ``[503]``."""

    url: str = ""
    key: str | None = None
    dimension: int = DIMENSION
    max_batch: int = 2048
    max_characters: int = MAX_CHARACTERS
    heal: set[str] = field(default_factory=set)  #: words that no longer make it fail
    answer: dict[str, Any] | None = None  #: instead of embeddings, once and for all
    asked: list[list[str]] = field(default_factory=list)
    embedded: list[str] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    answers: threading.Event = field(default_factory=_set_event)  #: while it is not set, whoever asks waits
    seconds: float = 0  #: that it thinks about each request

    def respond(self, texts: list[str], key: str | None) -> tuple[int, dict[str, Any], dict[str, str]]:
        """(HTTP code, body, headers) of one request."""
        self.asked.append(texts)
        self.keys.append(key)
        for refuses, code, message in (
            (self.key not in {None, key} or self._says(texts, "[401]"), 401, f"Incorrect API key provided: {key}."),
            (self._says(texts, "[429]"), 429, "Rate limit reached for requests."),
            (self._says(texts, "[503]"), 503, "The model is loading."),
            (len(texts) > self.max_batch, 413, f"batch size {len(texts)} > maximum allowed batch size {self.max_batch}"),
            (max(map(len, texts)) > self.max_characters, 400, f"This model's maximum context length is {self.max_characters} characters."),
            (not all(text.strip("\u200b ") for text in texts), 400, "'input' must not contain an empty string."),
        ):
            if refuses:
                error = {"error": {"message": message, "type": "invalid_request_error"}}
                return code, error, {"Retry-After": "1"} if code == 429 else {}
        if self.answer is not None:
            return 200, self.answer, {}
        self.embedded += texts
        dimension = self.dimension + (1 if self._says(texts, "[dimension]") else 0)
        rows = [{"index": place, "embedding": vector_of(text, dimension)} for place, text in enumerate(texts)]
        return 200, {"data": rows[::-1]}, {}  # in another order: the index says whose each is

    def _says(self, texts: list[str], word: str) -> bool:
        return word not in self.heal and any(word in text for text in texts)


def vector_of(text: str, dimension: int = DIMENSION) -> list[float]:
    """The same text, the same vector; not of unit norm, as with many models."""
    rng = np.random.default_rng(list(text.encode()) or [0])
    return [float(component) for component in rng.normal(size=dimension)]


@contextmanager
def serve_embeddings() -> Iterator[Endpoint]:
    """A running endpoint on a free port."""
    endpoint = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            given = self.headers.get("Authorization", "").removeprefix("Bearer ") or None
            endpoint.answers.wait(120)
            time.sleep(endpoint.seconds)
            code, answer, headers = endpoint.respond(list(body["input"]), given)
            content = json.dumps(answer).encode()
            with suppress(ConnectionError):  # whoever asked may have been killed meanwhile
                self.send_response(code)
                for name, value in {**headers, "Content-Type": "application/json", "Content-Length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    endpoint.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield endpoint
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
