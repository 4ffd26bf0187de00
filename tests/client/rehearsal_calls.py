"""The calls of the rehearsal room, with a sample of each answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lib.client.api import Client
from lib.contract.model import Reading, utc_now
from lib.contract.operations import Gate
from lib.contract.rehearsals import (
    ImportChange,
    Rehearsal,
    RehearsalHead,
    RehearsalPage,
    RehearsedResult,
    RehearsedSide,
    RehearseRequest,
    SampleCounts,
)
from lib.contract.states import JobState, Verdict

NOW = utc_now()
SIDE = RehearsedSide(embedder="wordllama-256", dimension=256, vectors=3)
REHEARSE = RehearseRequest(change=ImportChange(plan_id="p"))
REHEARSAL = Rehearsal(
    rehearsal_id="r/1",
    name="packages.csv",
    change=REHEARSE.change,
    verdict=Verdict.GOOD,
    counts=SampleCounts(rows=3),
    before=SIDE,
    after=SIDE,
    made_at=NOW,
    expires_at=NOW,
    gate=Gate(allowed=True),
    taken_at=NOW,
)
HEAD = RehearsalHead(
    rehearsal_id="r/1", kind="import", name="packages.csv", state=JobState.SUCCEEDED, requested_by="ada", created_at=NOW, expires_at=NOW
)

#: name → (call, method, path, query, answer)
REHEARSAL_CALLS: dict[str, tuple[Callable[[Client], Any], str, str, dict[str, str], Reading]] = {
    "list_rehearsals": (lambda c: c.list_rehearsals(), "GET", "/api/rehearsals", {}, RehearsalPage(items=[HEAD], taken_at=NOW)),
    "get_rehearsal": (lambda c: c.get_rehearsal("r/1"), "GET", "/api/rehearsals/r%2F1", {}, REHEARSAL),
    "search_rehearsal": (
        lambda c: c.search_rehearsal("r/1", "arrays", 3),
        "POST",
        "/api/rehearsals/r%2F1/search",
        {},
        RehearsedResult(rehearsal_id="r/1", before=[], after=[], seconds=0.1, taken_at=NOW),
    ),
}
