"""The two kinds of message: a reading is immutable, a request refuses what it does not know."""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict


class Reading(BaseModel):
    """What the service says about something at one moment."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Request(BaseModel):
    """What a client asks for. An unknown field is an error: a typing mistake must not be lost in silence."""

    # The limit of a text is not the point: with one, half a character (a lone surrogate) is refused here and not by the database.
    model_config = ConfigDict(frozen=True, extra="forbid", str_max_length=100_000)


def utc_now() -> datetime:
    """The present as an aware UTC instant; every ``*_at`` in the contract is one."""
    return datetime.now(UTC)
