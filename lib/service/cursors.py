"""Cursors: where a page ended, opaque to clients. They carry positions only, so a forged one reads nothing it should not."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from typing import Any, TypeVar

from lib.contract.errors import ErrorCode
from lib.service.errors import ServiceError

_Row = TypeVar("_Row")
#: No position is as large as this, and no database could compare with one that is.
_BEYOND = 1 << 63


def encode_cursor(*values: float | str) -> str:
    """The position as URL-safe text."""
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


def split_page(read: list[_Row], limit: int, position: Callable[[_Row], tuple[float | str, ...]]) -> tuple[list[_Row], str | None]:
    """(at most ``limit`` of the rows, the cursor of the next page). One row more than the limit must have been asked for."""
    shown = read[:limit]
    return shown, encode_cursor(*position(shown[-1])) if len(read) > limit else None


def decode_cursor(cursor: str, *types: Callable[[Any], Any]) -> tuple[Any, ...]:
    """The position again; 400 when the cursor is not one of this list's."""
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(values, list) or len(values) != len(types):
            raise ValueError(cursor)
        if any(isinstance(value, int | float) and not abs(value) < _BEYOND for value in values):
            raise ValueError(cursor)
        return tuple(convert(value) for convert, value in zip(types, values, strict=True))
    except (ValueError, TypeError, OverflowError, binascii.Error) as error:
        raise ServiceError(ErrorCode.BAD_CURSOR) from error
