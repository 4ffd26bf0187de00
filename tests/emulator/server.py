"""The emulator itself: a real HTTP server on loopback that signs people in and serves spreadsheets, or fails as it is told to."""

from __future__ import annotations

import json
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.emulator.keys import ServiceAccount, make_account, verify
from tests.emulator.requests import apply_requests, describe_tab
from tests.emulator.values import Query, serve_values
from tests.emulator.workbook import ApiError, Cell, Workbook

_PATH = re.compile(r"/v4/spreadsheets/([^/:]+)(:batchUpdate)?(?:/values(?:/(.+?))?(:batchGet|:batchUpdate|:append|:clear|:batchClear)?)?")


@dataclass(frozen=True)
class Fault:
    """How one call goes wrong. ``kind``: an HTTP status, ``drop``, ``commit_then_503``, ``commit_then_drop`` or ``slow``."""

    kind: str
    seconds: float = 0.0
    retry_after: int | None = None


@dataclass(frozen=True)
class Call:
    """One call of the API as it arrived; ``number`` counts from 0. Calls for a token are not counted."""

    number: int
    method: str
    path: str
    body: dict[str, Any]

    @property
    def kind(self) -> str:
        """``read`` or ``write``, as Google counts quota."""
        return "read" if self.method == "GET" else "write"


def _api_error(fault: Fault) -> ApiError:
    quota = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "RATE_LIMIT_EXCEEDED", "domain": "googleapis.com"}]
    off = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "SERVICE_DISABLED", "metadata": {"consumer": "projects/1"}}]
    known = {
        "401": (401, "UNAUTHENTICATED", "Request had invalid authentication credentials.", None),
        "403": (403, "PERMISSION_DENIED", "The caller does not have permission", None),
        "403_api_off": (403, "PERMISSION_DENIED", "Google Sheets API has not been used in project 1 before or it is disabled.", off),
        "404": (404, "NOT_FOUND", "Requested entity was not found.", None),
        "429": (429, "RESOURCE_EXHAUSTED", "Quota exceeded for quota metric 'Read requests' of service 'sheets.googleapis.com'.", quota),
        "500": (500, "INTERNAL", "Internal error encountered.", None),
        "503": (503, "UNAVAILABLE", "The service is currently unavailable.", None),
    }
    return ApiError(*known[fault.kind], retry_after=fault.retry_after)


class Emulator(ThreadingHTTPServer):
    """``books`` and ``calls`` are for tests to read and change; ``on_call`` decides the fault of each call, if any."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.books: dict[str, Workbook] = {}
        self.accounts: dict[str, ServiceAccount] = {}
        self.tokens: dict[str, dict[str, str]] = {}
        self.calls: list[Call] = []
        self.token_calls = 0
        self.token_answer: tuple[int, dict[str, str]] | None = None
        self.on_call: Callable[[Call], Fault | None] = lambda _: None
        self.quota: tuple[int, float] | None = None  # calls of a kind, in so many seconds
        self._faults: list[Fault] = []
        self._recent: dict[str, list[float]] = {"read": [], "write": []}
        self.lock = threading.RLock()

    def start(self) -> Emulator:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, name="sheets-emulator", daemon=True).start()
        return self

    def stop(self) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error of ours."""

    def add_account(self, email: str = "switchyard@project.iam.gserviceaccount.com") -> dict[str, Any]:
        """A service account this emulator knows; the content of its key file."""
        account = make_account(email)
        self.accounts[email] = account
        return account.key_file

    def add_book(
        self,
        spreadsheet_id: str,
        tabs: Mapping[str, Iterable[Iterable[Cell]]],
        *,
        title: str = "Knowledge base",
        share: dict[str, str] | None = None,
    ) -> Workbook:
        """A spreadsheet that everybody may edit, unless ``share`` says otherwise."""
        book = Workbook(spreadsheet_id, title)
        for name, table in tabs.items():
            book.add_tab(name, table)
        if share is not None:
            book.share = share
        self.books[spreadsheet_id] = book
        return book

    def fail_next(self, *faults: Fault | str) -> None:
        """The next calls go wrong like this, one fault each."""
        self._faults += [Fault(fault) if isinstance(fault, str) else fault for fault in faults]

    def sign_everybody_out(self) -> None:
        """Tokens given so far are worth nothing any more."""
        self.tokens.clear()

    def take_fault(self, call: Call) -> Fault | None:
        return self._faults.pop(0) if self._faults else self.on_call(call)

    def count_quota(self, kind: str) -> None:
        if self.quota is None:
            return
        limit, seconds = self.quota
        now = time.monotonic()
        recent = self._recent[kind] = [at for at in self._recent[kind] if now - at < seconds]
        if len(recent) >= limit:
            raise _api_error(Fault("429"))
        recent.append(now)

    def give_token(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        self.token_calls += 1
        if self.token_answer:
            return self.token_answer
        claims, refused = verify(self.accounts, form)
        if claims is None:
            return 400, refused
        token = f"token-{self.token_calls}"
        self.tokens[token] = {"email": claims["iss"], "scope": claims["scope"]}
        return 200, {"access_token": token, "expires_in": 3599, "token_type": "Bearer"}

    def serve(self, call: Call, query: Query, token: str) -> dict[str, Any]:
        known = self.tokens.get(token)
        if known is None:
            raise _api_error(Fault("401"))
        self.count_quota(call.kind)
        found = _PATH.fullmatch(call.path)
        book = self.books.get(found[1]) if found else None
        if found is None or book is None:
            raise _api_error(Fault("404"))
        self._check_access(book, call, known)
        if found[2]:
            answer = apply_requests(book, call.body)
        elif "/values" in call.path:
            answer = serve_values(book, call.method, found[3], found[4] or "", query, call.body)
        else:
            answer = _pick(_describe(book), query["fields"][0]) if "fields" in query else _describe(book)
        return answer

    def _check_access(self, book: Workbook, call: Call, known: dict[str, str]) -> None:
        may = book.share.get(known["email"], book.share.get("*"))
        if may is None or (call.kind == "write" and may != "write"):
            raise _api_error(Fault("403"))
        if call.kind == "write" and "spreadsheets.readonly" in known["scope"]:
            raise ApiError(403, "PERMISSION_DENIED", "Request had insufficient authentication scopes.")
        if book.office:
            raise ApiError(400, "FAILED_PRECONDITION", "This operation is not supported for this document")


def _describe(book: Workbook) -> dict[str, Any]:
    sheets = [
        {"properties": describe_tab(tab, place)} | ({"developerMetadata": tab.metadata} if tab.metadata else {})
        for place, tab in enumerate(book.tabs)
    ]
    return {"spreadsheetId": book.spreadsheet_id, "properties": {"title": book.title, "locale": "en_GB"}, "sheets": sheets}


def _pick(value: Any, mask: str) -> Any:
    """The part of ``value`` a field mask such as ``sheets(properties.title,developerMetadata)`` asks for."""
    if isinstance(value, list):
        return [_pick(each, mask) for each in value]
    picked: dict[str, Any] = {}
    for name, rest in _parts(mask):
        if name == "*":
            return value
        if name in value:
            found = _pick(value[name], rest) if rest else value[name]
            picked[name] = _merge(picked.get(name), found)
    return picked


def _parts(mask: str) -> Iterable[tuple[str, str]]:
    """``a.b,c(d,e)`` → (a, b), (c, "d,e")."""
    depth, part = 0, ""
    for letter in f"{mask},":
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter != "," or depth:
            part += letter
            continue
        name = re.match(r"[\w*]+", part.strip())
        if name:
            rest = part.strip()[len(name[0]) :]
            yield name[0], rest[1:-1] if rest.startswith("(") else rest.removeprefix(".")
        part = ""


def _merge(one: Any, other: Any) -> Any:
    if isinstance(one, dict) and isinstance(other, dict):
        return one | {name: _merge(one.get(name), value) for name, value in other.items()}
    if isinstance(one, list) and isinstance(other, list):
        return [_merge(left, right) for left, right in zip(one, other, strict=True)]
    return other


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm, wbufsize = True, 1 << 16  # else each answer waits 40 ms for an acknowledgement
    server: Emulator

    def log_message(self, *_: Any) -> None:
        """Quiet."""

    def _handle(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(self.path)
        path, retry_after = unquote(url.path), None
        try:
            if path == "/token":
                with self.server.lock:
                    http, answer = self.server.give_token({name: values[0] for name, values in parse_qs(raw.decode()).items()})
            else:
                http, answer = 200, self._serve(path, parse_qs(url.query), json.loads(raw) if raw else {})
        except ApiError as error:
            http, answer, retry_after = error.http, error.body, error.retry_after
        except _Dropped:
            return self._drop()
        return self._answer(http, answer, retry_after)

    def _serve(self, path: str, query: Query, body: dict[str, Any]) -> dict[str, Any]:
        with self.server.lock:
            call = Call(len(self.server.calls), self.command, path, body)
            self.server.calls.append(call)
            fault = self.server.take_fault(call) or Fault("none")
        if fault.kind == "drop":
            raise _Dropped
        if fault.kind == "slow":
            time.sleep(fault.seconds)
        elif not fault.kind.startswith("commit") and fault.kind != "none":
            raise _api_error(fault)
        with self.server.lock:
            answer = self.server.serve(call, query, (self.headers.get("Authorization") or "").removeprefix("Bearer "))
        if fault.kind == "commit_then_503":
            raise _api_error(Fault("503"))
        if fault.kind == "commit_then_drop":
            raise _Dropped
        return answer

    def _drop(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def _answer(self, http: int, answer: dict[str, Any], retry_after: int | None) -> None:
        body = json.dumps(answer).encode()
        self.send_response(http)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if retry_after is not None:
            self.send_header("Retry-After", str(retry_after))
        self.end_headers()
        self.wfile.write(body)

    def __getattr__(self, name: str) -> Any:
        if name in ("do_GET", "do_POST", "do_PUT"):
            return self._handle
        raise AttributeError(name)


class _Dropped(Exception):
    """The connection breaks without an answer."""
