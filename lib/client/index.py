"""The served index: its facts, searching it, and judging it."""

from __future__ import annotations

from typing import Literal

from lib.client.operations import LIMIT
from lib.client.paths import path_of
from lib.client.starts import start_job
from lib.client.transport import Call, Transport
from lib.contract.golden import GoldenComparison, GoldenQuestion, GoldenReading, GoldenRequest
from lib.contract.health import DriftPage, HealthReading
from lib.contract.index import IndexReading, ProbeRequest, SearchResult
from lib.contract.operations import EmptyRequest
from lib.contract.states import DriftKind


class IndexClient:
    """The part of the client that looks into the index."""

    transport: Transport

    def get_index(self) -> IndexReading:
        """The served generation."""
        return self.transport.get(IndexReading, "/api/index")

    def search_index(
        self,
        text: str | None,
        k: int = 10,
        *,
        like_key: str | None = None,
        fields: dict[str, str] | None = None,
        generation: Literal["served", "previous"] = "served",
    ) -> SearchResult:
        """The ``k`` entries nearest in meaning to ``text``, or to the row ``like_key``; narrowed by ``fields``."""
        request = ProbeRequest(text=text, like_key=like_key, k=k, fields=fields or {}, generation=generation)
        return self.transport.post(SearchResult, "/api/index/search", request)

    def list_golden_questions(self) -> GoldenReading:
        """Golden questions with their newest answers, and the trend over generations."""
        return self.transport.get(GoldenReading, "/api/golden")

    def create_golden_question(self, request: GoldenRequest) -> GoldenQuestion:
        """Save a question; Refused when its text is one already."""
        return self.transport.post(GoldenQuestion, "/api/golden", request)

    def put_golden_question(self, question_id: str, request: GoldenRequest) -> GoldenQuestion:
        """Change a question."""
        return self.transport.put(GoldenQuestion, path_of("/api/golden", question_id), request)

    def delete_golden_question(self, question_id: str) -> None:
        """Forget a question."""
        self.transport.send(Call("DELETE", path_of("/api/golden", question_id)))

    def compare_golden_runs(self, before: str | None = None, after: str | None = None) -> GoldenComparison:
        """Which answers changed between two runs; the newest two unless named."""
        return self.transport.get(GoldenComparison, "/api/golden/comparison", {"before": before, "after": after})

    def start_check(self, idempotency_key: str | None = None) -> str:
        """Compare table and index, and look at the vectors; the job's id."""
        return start_job(self.transport, "/api/index/check", EmptyRequest(), idempotency_key)

    def get_check(self) -> HealthReading:
        """What the newest check found, and what a repair would do about it."""
        return self.transport.get(HealthReading, "/api/index/check")

    def list_drift(self, kind: DriftKind, limit: int = LIMIT, cursor: str | None = None) -> DriftPage:
        """The rows behind one number of the newest check."""
        return self.transport.get(DriftPage, "/api/index/drift", {"kind": kind, "limit": limit, "cursor": cursor})
