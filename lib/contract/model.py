"""The two kinds of message: a reading is immutable, a request refuses what it does not know."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator


class Reading(BaseModel):
    """What the service says about something at one moment."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Request(BaseModel):
    """What a client asks for. An unknown field is an error: a typing mistake must not be lost in silence."""

    # The limit of a text is not the point: with one, half a character (a lone surrogate) is refused here and not by the database.
    model_config = ConfigDict(frozen=True, extra="forbid", str_max_length=100_000)

    @field_validator("*")
    @classmethod
    def _refuse_nul(cls, value: Any) -> Any:
        """PostgreSQL keeps no text with a NUL character; neither database is to be asked."""
        if holds_nul(value):
            raise ValueError("no text may hold a NUL character")
        return value


def holds_nul(value: Any) -> bool:
    """Whether a NUL character stands anywhere in this JSON value."""
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(holds_nul(part) for pair in value.items() for part in pair)
    return isinstance(value, list | tuple) and any(map(holds_nul, value))


def utc_now() -> datetime:
    """The present as an aware UTC instant; every ``*_at`` in the contract is one."""
    return datetime.now(UTC)
