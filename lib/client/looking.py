"""For people who look: finding a place by a few letters, what is new since the last visit, moments for links."""

from __future__ import annotations

from lib.client.paths import path_of
from lib.client.transport import Transport
from lib.contract.moments import Moment
from lib.contract.operations import EmptyRequest
from lib.contract.places import PlacePage
from lib.contract.visits import Visit


class LookingClient:
    """The part of the client that changes nothing but what is remembered of looking."""

    transport: Transport

    def find_places(self, text: str, limit: int = 10) -> PlacePage:
        """Jobs, plans, snapshots and rows that ``text`` may mean."""
        return self.transport.get(PlacePage, "/api/places", {"text": text, "limit": limit})

    def record_visit(self) -> Visit:
        """Say that one looks now; what has happened since the visit before."""
        return self.transport.post(Visit, "/api/visits", EmptyRequest())

    def create_moment(self) -> Moment:
        """Keep the present readings, for a link to them."""
        return self.transport.post(Moment, "/api/moments", EmptyRequest())

    def get_moment(self, moment_id: str) -> Moment:
        """What was known then."""
        return self.transport.get(Moment, path_of("/api/moments", moment_id))
