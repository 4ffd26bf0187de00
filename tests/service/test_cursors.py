"""Cursors: they come back as they were given, and a forged one is refused, never an error of ours."""

from __future__ import annotations

import base64
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from lib.contract.errors import ErrorCode
from lib.service.cursors import decode_cursor, encode_cursor
from lib.service.errors import ServiceError

LISTS = ("/api/jobs", "/api/audit", "/api/entries", "/api/queue/failures", f"/api/plans/{'0' * 32}")


@given(st.integers(-(2**63) + 1, 2**63 - 1), st.floats(0, 1e12), st.text(max_size=10))
def test_a_position_comes_back_as_it_was(number: int, moment: float, word: str) -> None:
    assert decode_cursor(encode_cursor(number, moment, word), int, float, str) == (number, moment, word)


@given(st.text(max_size=40))
def test_any_text_is_a_position_or_a_bad_cursor(text: str) -> None:
    try:
        (value,) = decode_cursor(text, int)
        assert isinstance(value, int)
    except ServiceError as error:
        refused = error.code
        assert refused is ErrorCode.BAD_CURSOR


def forged(values: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


FORGED = [
    forged(values)
    for values in (
        [10**30],
        [-(10**30)],
        [1e300, 1],
        [float("nan"), 1],
        [float("inf")],
        ["x"],
        [None],
        [[]],
        {},
        "1",
        [],
        [1, 2, 3],
        [{"a": 1}],
    )
]


def test_every_list_refuses_a_forged_cursor(api: TestClient) -> None:
    for cursor in (*FORGED, "%%%", "é", "A", "=" * 8, forged([1])[:-1]):
        for path in LISTS:
            answer = api.get(path, params={"cursor": cursor})
            assert (answer.status_code, answer.json()["code"]) == (400, "bad_cursor"), f"{path} {cursor}"


def test_a_cursor_that_is_too_long_or_holds_a_nul_is_invalid(api: TestClient) -> None:
    for cursor in ("A" * 201, forged([1])[:-1] + "\x00"):
        assert api.get("/api/jobs", params={"cursor": cursor}).status_code == 422
