from __future__ import annotations

import json

import pytest

from lib.client import errors
from lib.client.errors import ClientError, error_of
from lib.contract.errors import ERRORS, ErrorCode

PROBLEM = {"content-type": "application/problem+json"}
GATE = {"allowed": False, "reason_code": "operation_running", "reason_text": "An import is running.", "holder": "abc"}


def body_of(code: ErrorCode, **more: object) -> bytes:
    problem = {"title": "No", "status": ERRORS[code][0], "code": code, "detail": "It did not work.", "action": "Do it again.", **more}
    return json.dumps(problem).encode()


@pytest.mark.parametrize("code", [code for code in ErrorCode if code is not ErrorCode.REFUSED])
def test_every_code_of_the_contract_has_its_place_in_the_tree(code: ErrorCode) -> None:
    status = ERRORS[code][0]
    error = error_of(status, body_of(code), PROBLEM)
    assert isinstance(error, errors.Answered)
    assert (error.status, error.code) == (status, code)
    assert str(error) == "It did not work. Do it again."


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (ErrorCode.INVALID, errors.Invalid),
        (ErrorCode.BAD_CURSOR, errors.Invalid),
        (ErrorCode.TOO_LARGE, errors.Invalid),
        (ErrorCode.BAD_TOKEN, errors.Unauthorized),
        (ErrorCode.FORBIDDEN, errors.Forbidden),
        (ErrorCode.NOT_FOUND, errors.NotFound),
        (ErrorCode.EXPIRED, errors.Expired),
        (ErrorCode.CHANGED_MEANWHILE, errors.Conflict),
        (ErrorCode.NO_SPACE, errors.Failed),
        (ErrorCode.INTERNAL, errors.Failed),
    ],
)
def test_a_code_becomes_the_class_one_would_catch(code: ErrorCode, kind: type[ClientError]) -> None:
    assert type(error_of(ERRORS[code][0], body_of(code), PROBLEM)) is kind


def test_a_refusal_carries_the_gate() -> None:
    error = error_of(409, body_of(ErrorCode.REFUSED, gate=GATE), PROBLEM)
    assert isinstance(error, errors.Refused)
    assert isinstance(error, errors.Conflict)
    assert error.gate.holder == "abc"


def test_a_refusal_without_its_gate_is_unexpected() -> None:
    assert isinstance(error_of(409, body_of(ErrorCode.REFUSED), PROBLEM), errors.Unexpected)


def test_an_invalid_request_names_its_fields() -> None:
    error = error_of(422, body_of(ErrorCode.INVALID, errors=[{"pointer": "/body/k", "detail": "too large"}]), PROBLEM)
    assert isinstance(error, errors.Invalid)
    assert error.fields[0].pointer == "/body/k"


@pytest.mark.parametrize(("header", "offset"), [("512", 512), ("", None), ("-3", None), ("x", None)])
def test_a_wrong_offset_says_where_the_upload_stands(header: str, offset: int | None) -> None:
    error = error_of(409, body_of(ErrorCode.WRONG_OFFSET), {**PROBLEM, "Upload-Offset": header})
    assert isinstance(error, errors.WrongOffset)
    assert error.offset == offset


@pytest.mark.parametrize(
    ("status", "body", "headers", "named"),
    [
        (502, b"<html><body>Bad   gateway</body></html>", {"Content-Type": "text/html; charset=x"}, "text/html"),
        (500, b"", {}, "no content type"),
        (302, b"", {"Location": "/sign-in"}, "/sign-in"),
        (404, b'{"detail":"Not Found"}', {"Content-Type": "application/json"}, "application/json"),
        (500, b"\xff\xfe\x00", {"Content-Type": "application/octet-stream"}, "3 bytes"),
        (404, body_of(ErrorCode.INVALID), PROBLEM, "HTTP 404"),
        (409, b'{"title":"t","status":409,"code":"from_the_future","detail":"d"}', PROBLEM, "from_the_future"),
    ],
)
def test_anything_else_is_unexpected_and_named(status: int, body: bytes, headers: dict[str, str], named: str) -> None:
    error = error_of(status, body, headers)
    assert isinstance(error, errors.Unexpected)
    assert error.status == status
    assert named in error.received


def test_a_long_strange_answer_is_not_repeated_in_full() -> None:
    assert len(str(error_of(500, b"x" * 1_000_000, {}))) < 400


def test_the_answer_to_a_head_needs_no_body() -> None:
    assert isinstance(error_of(404, b"", {}, bodiless=True), errors.NotFound)
    assert isinstance(error_of(401, b"", {}, bodiless=True), errors.Unauthorized)
    assert isinstance(error_of(418, b"", {}, bodiless=True), errors.Unexpected)


def test_the_tree_of_the_docstring_is_the_tree_of_the_classes() -> None:
    assert errors.__doc__ is not None
    for name in errors.__all__:
        kind = getattr(errors, name)
        if isinstance(kind, type):
            assert issubclass(kind, ClientError)
            assert name in errors.__doc__
