"""Trying an import or another model beside production, and what came of it."""

from __future__ import annotations

from lib.client.paths import path_of
from lib.client.starts import start_job
from lib.client.transport import Call, Transport
from lib.contract.index import SearchRequest
from lib.contract.rehearsals import Rehearsal, RehearsalPage, RehearsedResult, RehearseRequest


class RehearsalsClient:
    """The part of the client that is about changes that are tried first. Promoting one is ``start_import`` or ``start_reembedding``."""

    transport: Transport

    def start_rehearsal(self, request: RehearseRequest, idempotency_key: str | None = None) -> str:
        """Try a change on sample rows; the id of the job and of its report."""
        return start_job(self.transport, "/api/operations/rehearse", request, idempotency_key)

    def list_rehearsals(self) -> RehearsalPage:
        """The newest first."""
        return self.transport.get(RehearsalPage, "/api/rehearsals")

    def get_rehearsal(self, rehearsal_id: str) -> Rehearsal:
        """Before and after, side by side."""
        return self.transport.get(Rehearsal, path_of("/api/rehearsals", rehearsal_id))

    def search_rehearsal(self, rehearsal_id: str, text: str, k: int = 10) -> RehearsedResult:
        """Search the sample as it is and as it would be."""
        return self.transport.post(RehearsedResult, path_of("/api/rehearsals", rehearsal_id, "search"), SearchRequest(text=text, k=k))

    def delete_rehearsal(self, rehearsal_id: str) -> None:
        """Throw it away before its time."""
        self.transport.send(Call("DELETE", path_of("/api/rehearsals", rehearsal_id)))
