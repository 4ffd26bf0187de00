"""The calls of people who look, with a sample of each answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lib.client.api import Client
from lib.contract.events import JobsReading
from lib.contract.index import IndexReading
from lib.contract.model import Reading, utc_now
from lib.contract.moments import Moment
from lib.contract.places import Place, PlaceKind, PlacePage
from lib.contract.queue import QueueReading
from lib.contract.visits import Visit
from lib.contract.workers import WorkersReading

NOW = utc_now()
MOMENT = Moment(
    moment_id="m/1",
    taken_at=NOW,
    taken_by="ada",
    expires_at=NOW,
    queue=QueueReading(entries=1, pending=1, leased=0, failed=0, embedded=0, taken_at=NOW),
    workers=WorkersReading(workers=[], taken_at=NOW),
    jobs=JobsReading(active=[], recent=[], operations=[], taken_at=NOW),
    index=IndexReading(taken_at=NOW),
)

#: name → (call, method, path, query, answer)
LOOKING_CALLS: dict[str, tuple[Callable[[Client], Any], str, str, dict[str, str], Reading]] = {
    "find_places": (
        lambda c: c.find_places("ü & co", 5),
        "GET",
        "/api/places",
        {"text": "ü & co", "limit": "5"},
        PlacePage(items=[Place(kind=PlaceKind.ENTRY, title="ü", link="/Queue?row=x")], seconds=0.01, taken_at=NOW),
    ),
    "record_visit": (lambda c: c.record_visit(), "POST", "/api/visits", {}, Visit(since=NOW, rows_new=3, taken_at=NOW)),
    "create_moment": (lambda c: c.create_moment(), "POST", "/api/moments", {}, MOMENT),
    "get_moment": (lambda c: c.get_moment("m/1"), "GET", "/api/moments/m%2F1", {}, MOMENT),
}
