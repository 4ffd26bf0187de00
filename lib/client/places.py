"""Finding where to go."""

from __future__ import annotations

from lib.client.transport import Transport
from lib.contract.places import PlacePage


class PlacesClient:
    """The part of the client that looks things up for people who know a few letters."""

    transport: Transport

    def find_places(self, text: str, limit: int = 10) -> PlacePage:
        """Jobs, plans, snapshots and rows that ``text`` may mean."""
        return self.transport.get(PlacePage, "/api/places", {"text": text, "limit": limit})
