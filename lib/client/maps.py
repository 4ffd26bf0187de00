"""The map of the index: what was laid out, its points, laying it out again, and embedding a part of it again."""

from __future__ import annotations

from lib.client.paths import path_of
from lib.client.starts import start_job
from lib.client.transport import Call, Transport
from lib.contract.maps import MapReading, MapRequest, RenewRequest


class MapsClient:
    """The part of the client that asks for the map."""

    transport: Transport

    def get_map(self) -> MapReading:
        """The newest map, and what is served by now."""
        return self.transport.get(MapReading, "/api/index/map")

    def get_map_points(self, map_id: str) -> bytes:
        """Every point of a map, as an Arrow stream; NotFound when newer maps have taken its place."""
        content: bytes = self.transport.send(Call("GET", path_of("/api/index/map", map_id, "points"))).content
        return content

    def start_map(self, request: MapRequest, idempotency_key: str | None = None) -> str:
        """Lay the served generation out; the job's id."""
        return start_job(self.transport, "/api/operations/map", request, idempotency_key)

    def start_renewal(self, request: RenewRequest, idempotency_key: str | None = None) -> str:
        """Have a part of a map embedded again; the job's id."""
        return start_job(self.transport, "/api/operations/renew", request, idempotency_key)
