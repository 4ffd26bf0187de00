"""Every way a call to the service can fail, as one tree.

ClientError
├── Unreachable          no connection, or it broke: nothing is known about the outcome
├── TimedOut             connected, but no answer in time: nothing is known about the outcome
├── Unexpected           an answer that is not this API's: a proxy's page, another version, a damaged file
└── Answered             the service said no; `problem` holds its own words
    ├── Invalid          400, 413, 422: something in the request has to change; `fields` says where
    ├── Unauthorized     401: no token, or not the right one
    ├── Forbidden        403: known, but the role is too low
    ├── NotFound         404, 410: nothing has this id any more
    │   └── Expired      410: removed by age
    ├── Conflict         409: it is no longer as the request assumed
    │   ├── Refused      the gate refused; `gate` says why and where to look
    │   └── WrongOffset  a slice that does not continue where the upload stands; `offset` says where that is
    └── Failed           5xx: the service itself has a problem
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from pydantic import ValidationError

from lib.contract.errors import ERRORS, ErrorCode, FieldError, Problem
from lib.contract.operations import Gate

__all__ = [
    "Answered",
    "ClientError",
    "Conflict",
    "Expired",
    "Failed",
    "Forbidden",
    "Invalid",
    "NotFound",
    "Refused",
    "TimedOut",
    "Unauthorized",
    "Unexpected",
    "Unreachable",
    "WrongOffset",
    "error_of",
]

#: How much of a strange answer is quoted; the rest is only counted.
QUOTED_CHARACTERS = 120


class ClientError(Exception):
    """A call to the service did not do what was asked; the message is fit to be shown to a person."""


class Unreachable(ClientError):
    """The service cannot be reached, or the connection broke before the answer was complete."""

    def __init__(self, base_url: str, why: str) -> None:
        """``why`` in plain words, e.g. ``connection refused``."""
        super().__init__(f"The service at {base_url} cannot be reached: {why}.")
        self.base_url, self.why = base_url, why


class TimedOut(ClientError):
    """The service took the request but did not answer in time."""

    def __init__(self, base_url: str, seconds: float) -> None:
        """``seconds``: how long we waited."""
        super().__init__(f"The service at {base_url} did not answer within {seconds:g} seconds.")
        self.base_url, self.seconds = base_url, seconds


class Unexpected(ClientError):
    """The answer is not one this API gives; ``received`` names what came instead."""

    def __init__(self, received: str, status: int | None = None) -> None:
        """``status`` is the HTTP status of the answer, if there was one."""
        super().__init__(f"The service gave an answer that makes no sense here: {received}.")
        self.received, self.status = received, status


class Answered(ClientError):
    """The service said no, in its own words."""

    def __init__(self, problem: Problem) -> None:
        """``problem`` is the body of the answer."""
        super().__init__(f"{problem.detail} {problem.action}".strip())
        self.problem = problem

    @property
    def status(self) -> int:
        """The HTTP status of the answer."""
        return self.problem.status

    @property
    def code(self) -> ErrorCode:
        """The stable code of the answer."""
        return self.problem.code


class Invalid(Answered):
    """The request has to change: a field breaks a rule, the cursor is foreign, the file is too large."""

    @property
    def fields(self) -> list[FieldError]:
        """The fields that broke a rule; may be empty."""
        return self.problem.errors


class Unauthorized(Answered):
    """No token, or not the right one."""


class Forbidden(Answered):
    """The token is known but its role is too low, or the request came from elsewhere."""


class NotFound(Answered):
    """Nothing has this id."""


class Expired(NotFound):
    """It was there and has been removed by age."""


class Conflict(Answered):
    """It is no longer as the request assumed."""


class Refused(Conflict):
    """The gate refused; its words are the message."""

    def __init__(self, problem: Problem) -> None:
        """A refusal always carries its gate: ``error_of`` sees to it."""
        if problem.gate is None:
            raise ValueError("a refusal without its gate")
        super().__init__(problem)
        self.gate: Gate = problem.gate


class WrongOffset(Conflict):
    """The slice does not continue where the upload stands; ``offset`` is where it does, null when not told."""

    def __init__(self, problem: Problem, offset: int | None) -> None:
        """``offset`` comes from the header ``Upload-Offset``."""
        super().__init__(problem)
        self.offset = offset


class Failed(Answered):
    """The service itself has a problem: it failed, or its disk is full."""


_BY_STATUS: dict[int, type[Answered]] = {401: Unauthorized, 403: Forbidden, 404: NotFound, 409: Conflict, 410: Expired}


def error_of(status: int, body: bytes, headers: Mapping[str, str], *, bodiless: bool = False) -> ClientError:
    """The error for an answer with this status and body. ``bodiless``: the answer to a HEAD, which may have no body."""
    problem = _bare_problem(status) if bodiless and not body else _read_problem(body)
    if problem is None or problem.status != status:
        return Unexpected(_describe(status, body, headers), status)
    if problem.code is ErrorCode.REFUSED:
        return Refused(problem) if problem.gate else Unexpected("a refusal without its reason", status)
    if problem.code is ErrorCode.WRONG_OFFSET:
        offset = headers.get("Upload-Offset", "")
        return WrongOffset(problem, int(offset) if offset.isdecimal() else None)
    return _BY_STATUS.get(status, Failed if status >= 500 else Invalid)(problem)


def _read_problem(body: bytes) -> Problem | None:
    try:
        return Problem.model_validate_json(body)
    except ValidationError:
        return None


def _bare_problem(status: int) -> Problem | None:
    """What the contract says of a status, for answers that cannot have a body."""
    for code, (its_status, meaning, action) in ERRORS.items():
        if its_status == status and code is not ErrorCode.REFUSED:
            return Problem(title=HTTPStatus(status).phrase, status=status, code=code, detail=meaning, action=action)
    return None


def _describe(status: int, body: bytes, headers: Mapping[str, str]) -> str:
    kind = headers.get("Content-Type", "no content type").split(";")[0]
    if where := headers.get("Location"):
        return f"HTTP {status}, sent on to {where[:QUOTED_CHARACTERS]}"
    start = " ".join(body[: 4 * QUOTED_CHARACTERS].decode("utf-8", "replace").split())[:QUOTED_CHARACTERS]
    return f"HTTP {status}, {kind}, {len(body):,} bytes" + (f" beginning “{start}”" if start else "")
