"""Looking into files that were brought in, serving one of them, and going back."""

from __future__ import annotations

from lib.client.paths import path_of
from lib.client.starts import start_job
from lib.client.transport import Transport
from lib.contract.index import SearchRequest
from lib.contract.inspections import GoBackReading, GoBackRequest, InspectedResult, Inspection, InspectRequest, RestoreRequest


class InspectionsClient:
    """The part of the client that is about strange files and earlier generations."""

    transport: Transport

    def start_inspection(self, request: InspectRequest, idempotency_key: str | None = None) -> str:
        """Read a snapshot or an uploaded file safely, and compare it; the id of the job and of its report."""
        return start_job(self.transport, "/api/operations/inspect", request, idempotency_key)

    def get_inspection(self, inspection_id: str) -> Inspection:
        """What is inside, and what would change if it were served."""
        return self.transport.get(Inspection, path_of("/api/inspections", inspection_id))

    def search_inspection(self, inspection_id: str, text: str, k: int = 10) -> InspectedResult:
        """Search the inspected file instead of the served generation."""
        return self.transport.post(InspectedResult, path_of("/api/inspections", inspection_id, "search"), SearchRequest(text=text, k=k))

    def start_restore(self, request: RestoreRequest, idempotency_key: str | None = None) -> str:
        """Serve what was inspected; the job's id. Refused unless its name was typed."""
        return start_job(self.transport, "/api/operations/restore", request, idempotency_key)

    def get_go_back(self) -> GoBackReading:
        """Whether one can go back, and to which generation."""
        return self.transport.get(GoBackReading, "/api/index/go-back")

    def go_back(self, request: GoBackRequest) -> GoBackReading:
        """Serve the generation before again, or another that is still on disk; Refused when something is in the way."""
        return self.transport.post(GoBackReading, "/api/index/go-back", request)
