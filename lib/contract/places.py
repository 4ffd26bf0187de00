"""Where one may go: what a few typed letters find, and the page that shows it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from lib.contract.model import Reading

#: Fewer letters find too much to be of use.
MIN_LETTERS = 2


class PlaceKind(StrEnum):
    """What stands at a place."""

    JOB = "job"
    PLAN = "plan"
    SNAPSHOT = "snapshot"
    FAILURE = "failure"  #: a row that could not be embedded
    ENTRY = "entry"


class Place(Reading):
    """One thing somebody may be looking for. ``link`` is an address of the console."""

    kind: PlaceKind
    title: str
    detail: str = ""
    link: str


class PlacePage(Reading):
    """What was found, the likeliest first: what an id or a key names exactly comes before what only contains the letters."""

    items: list[Place]
    seconds: float = Field(description="how long finding took")
    taken_at: datetime
