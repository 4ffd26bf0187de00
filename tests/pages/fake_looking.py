"""The part of the fake service for people who look: places, visits, moments."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from lib.contract.events import Topic
from lib.contract.moments import Moment
from lib.contract.places import Place, PlacePage
from lib.contract.visits import Visit
from tests.pages.canned import ago, now
from tests.pages.scenes import busy_readings

MOMENT_ID = "20250301T130000Z-abc123"


def moment() -> Moment:
    """A day ago, in the middle of much work."""
    then = busy_readings()
    kept = {topic.value: then[topic] for topic in (Topic.QUEUE, Topic.WORKERS, Topic.JOBS, Topic.INDEX)}
    return Moment(moment_id=MOMENT_ID, taken_at=ago(days=1), taken_by="Maria", expires_at=now() + timedelta(days=29), **kept)


class FakeLooking:
    """``places`` is what is found, ``visit`` what is new."""

    places: list[Place]
    visit: Visit

    def _note(self, name: str, *arguments: Any) -> None:
        raise NotImplementedError

    def _missing(self) -> Exception:
        raise NotImplementedError

    def find_places(self, text: str, limit: int) -> PlacePage:
        self._note("find_places", text, limit)
        return PlacePage(items=self.places, seconds=0.01, taken_at=now())

    def record_visit(self) -> Visit:
        self._note("record_visit")
        return self.visit

    def create_moment(self) -> Moment:
        self._note("create_moment")
        return moment()

    def get_moment(self, moment_id: str) -> Moment:
        self._note("get_moment", moment_id)
        if moment_id != MOMENT_ID:
            raise self._missing()
        return moment()
