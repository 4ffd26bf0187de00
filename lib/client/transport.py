"""One HTTP exchange with the service: token, time-outs, retries, and errors as the tree of `lib.client.errors`."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Any, TypeVar

import requests
from pydantic import BaseModel, ValidationError
from requests import Response
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter
from urllib3.exceptions import ReadTimeoutError

from lib.client.connection import Connection
from lib.client.errors import Answered, ClientError, TimedOut, Unauthorized, Unexpected, Unreachable, error_of

Model = TypeVar("Model", bound=BaseModel)
Connect = Callable[[], Connection]

#: Seconds to connect, seconds without a byte.
TIMEOUT = (3.05, 10.0)
TRIES = 3
#: Answers of something between us and the service, or of a service that is just starting.
PASSING = frozenset({502, 503, 504})


@dataclass(frozen=True)
class Call:
    """One request. ``also`` are answers other than success that the caller can read; ``timeout`` as in ``requests``."""

    method: str
    path: str
    params: Mapping[str, Any] | None = None
    body: BaseModel | IO[bytes] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    also: frozenset[int] = frozenset()
    timeout: tuple[float, float] | None = None

    def payload(self) -> tuple[str | IO[bytes] | None, dict[str, str]]:
        """What to send, from its start, and the header that says what it is."""
        if self.body is None:
            return None, {}
        if isinstance(self.body, BaseModel):
            return self.body.model_dump_json(), {"Content-Type": "application/json"}
        self.body.seek(0)
        return self.body, {"Content-Type": "application/octet-stream"}


class Transport:
    """Sends requests over one `requests.Session`; safe to use from several threads."""

    def __init__(
        self,
        connection: Connection,
        session: requests.Session | None = None,
        timeout: tuple[float, float] = TIMEOUT,
        connect: Connect | None = None,
    ) -> None:
        """``connect`` is asked for a fresh connection when the token is refused: a restarted service may have made another."""
        self.connection = connection
        self.timeout = timeout
        self.session = session or _new_session()
        self._connect = connect

    def reconnect(self) -> bool:
        """Read the connection anew; whether anything about it has changed."""
        if self._connect is None:
            return False
        before, self.connection = self.connection, self._connect()
        return self.connection != before

    def url(self, path: str) -> str:
        """The full address of ``path``."""
        return self.connection.base_url + path

    def headers(self) -> dict[str, str]:
        """What lets us in."""
        return {"Authorization": f"Bearer {self.connection.token}"} if self.connection.token else {}

    def get(self, model: type[Model], path: str, params: Mapping[str, Any] | None = None) -> Model:
        """GET ``path`` and read the answer as ``model``."""
        return read(model, self.send(Call("GET", path, params)))

    def post(self, model: type[Model], path: str, body: BaseModel, key: str | None = None) -> Model:
        """POST ``body`` and read the answer as ``model``. Only with an idempotency ``key`` is it ever repeated."""
        headers = {"Idempotency-Key": key} if key else {}
        return read(model, self.send(Call("POST", path, body=body, headers=headers), repeat=key is not None))

    def put(self, model: type[Model], path: str, body: BaseModel) -> Model:
        """PUT ``body`` and read the answer as ``model``."""
        return read(model, self.send(Call("PUT", path, body=body)))

    def send(self, call: Call, *, repeat: bool | None = None) -> Response:
        """The answer, read in full, if it is one the call expects; else the matching ClientError.

        Repeated up to three times on broken connections and 502–504 if ``repeat`` (default: GET and HEAD).
        """

        def once() -> Response:
            with self.stream(call) as response:
                _ = response.content
                return response

        return retrying(once) if (call.method in {"GET", "HEAD"} if repeat is None else repeat) else once()

    @contextmanager
    def stream(self, call: Call) -> Generator[Response, None, None]:
        """The open answer, its body unread. What breaks while it is read is a ClientError too."""
        with self._network_errors(call.timeout or self.timeout):
            try:
                response = self._exchange(call)
            except Unauthorized:
                if not self.reconnect():
                    raise
                response = self._exchange(call)
            with response:
                yield response

    def _exchange(self, call: Call) -> Response:
        data, headers = call.payload()
        response = self.session.request(
            call.method,
            self.url(call.path),
            params=call.params,
            data=data,
            headers={**headers, **call.headers, **self.headers()},
            timeout=call.timeout or self.timeout,
            verify=self.connection.verify,
            stream=True,
            allow_redirects=False,  # this API never sends anyone on: a redirect is a sign-in page or a wrong address
        )
        if 200 <= response.status_code < 300 or response.status_code in call.also:
            return response
        with response:
            raise error_of(response.status_code, response.content, response.headers, bodiless=call.method == "HEAD")

    @contextmanager
    def _network_errors(self, timeout: tuple[float, float]) -> Generator[None, None, None]:
        try:
            yield
        except requests.RequestException as error:
            raise self._network_error(error, timeout) from error

    def _network_error(self, error: requests.RequestException, timeout: tuple[float, float]) -> ClientError:
        base_url = self.connection.base_url
        if isinstance(error, requests.ConnectTimeout):
            return Unreachable(base_url, f"no connection within {timeout[0]:g} seconds")
        if isinstance(error, requests.Timeout) or (error.args and isinstance(error.args[0], ReadTimeoutError)):
            return TimedOut(base_url, timeout[1])
        return Unreachable(base_url, plain_reason(error))


def retrying(call: Callable[[], Any]) -> Any:
    """``call()``, up to three times in about half a second, while the failure may pass by itself."""
    wait = wait_exponential_jitter(multiplier=0.1, max=1.0, jitter=0.1)
    return Retrying(stop=stop_after_attempt(TRIES), wait=wait, retry=retry_if_exception(_may_pass), reraise=True)(call)


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, Unreachable) or (isinstance(error, Answered | Unexpected) and error.status in PASSING)


def read(model: type[Model], response: Response) -> Model:
    """The body of ``response`` as ``model``, or Unexpected naming the first thing that does not fit."""
    try:
        return model.model_validate_json(response.content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = "/".join(map(str, first["loc"])) or "the whole"
        kind = response.headers.get("Content-Type", "no content type")
        raise Unexpected(f"{kind}, not a {model.__name__}: {first['msg']} ({where})", response.status_code) from error


def read_object(response: Response) -> dict[str, Any]:
    """The body of ``response`` as a JSON object, or Unexpected."""
    try:
        body = response.json()
    except requests.JSONDecodeError as error:
        raise Unexpected(f"{response.headers.get('Content-Type', 'no content type')}, not JSON", response.status_code) from error
    if not isinstance(body, dict):
        raise Unexpected(f"JSON, but a {type(body).__name__} instead of an object", response.status_code)
    return body


def plain_reason(error: BaseException) -> str:
    """A broken connection in a few plain words; the library's own text names objects and addresses in memory."""
    text = repr(error).lower()
    for sign, words in _SIGNS:
        if sign in text:
            return words
    return "the connection failed"


_SIGNS = (
    ("refused", "connection refused"),
    ("name or service not known", "no such host"),
    ("failed to resolve", "no such host"),
    ("certificate", "its certificate is not trusted"),
    ("timed out", "no answer in time"),
    ("reset by peer", "the connection was cut"),
    ("incompleteread", "the connection was cut"),
    ("broken", "the connection was cut"),
    ("without response", "the connection was cut"),
    ("unreachable", "the network is unreachable"),
)


def _new_session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # no proxy and no .netrc of the machine may come between the two halves of one program
    session.headers["User-Agent"] = "switchyard-console"
    return session
