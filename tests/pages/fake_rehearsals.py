"""The part of the fake client that tries changes beside production."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from lib.contract.golden import GoldenAnswer, GoldenDifference
from lib.contract.index import SearchHit
from lib.contract.operations import Gate, Reason
from lib.contract.rehearsals import (
    ImportChange,
    ModelChange,
    Promotion,
    Rehearsal,
    RehearsalHead,
    RehearsalPage,
    RehearsedResult,
    RehearsedSide,
    SampleCounts,
)
from lib.contract.states import AnswerChange, EmbedderKind, JobState, Operation, Verdict
from tests.pages.canned import PLAN_ID, ago, job, now

REHEARSAL_ID = "6" * 32
MODEL = ModelChange(embedder=EmbedderKind.OPENAI, url="http://127.0.0.1:11434/v1", model="nomic-embed-text", dimension=768)


def rehearsal(**more: Any) -> Rehearsal:
    """Of an import that makes nothing worse."""
    facts: dict[str, Any] = {
        "rehearsal_id": REHEARSAL_ID,
        "name": "playbook.csv",
        "change": ImportChange(plan_id=PLAN_ID, ticks_revision=0),
        "verdict": Verdict.GOOD,
        "counts": SampleCounts(rows=272, new=120, changed=2, unchanged=150, touched=122, table_rows=152),
        "before": RehearsedSide(embedder="wordllama-256", dimension=256, vectors=152, shared=2, index_bytes=157_312),
        "after": RehearsedSide(embedder="wordllama-256", dimension=256, vectors=272, shared=2, index_bytes=280_576),
        "queries": 100,
        "overlap_ratio": 0.91,
        "overlap_low_ratio": 0.88,
        "overlap_high_ratio": 0.94,
        "questions_asked": 3,
        "embedded": 121,
        "to_embed": 0,
        "seconds": 0.0,
        "made_at": ago(minutes=3),
        "expires_at": now() + timedelta(days=6, hours=23, minutes=57),
        "gate": Gate(allowed=True),
        "taken_at": now(),
    }
    return Rehearsal(**(facts | more))


def worse() -> Rehearsal:
    """A model that no longer finds what people know to be right."""
    before, after = (
        GoldenAnswer(question_id="q", text="Who is on call?", expected_keys=["OPS-7"], k=5, passed=passed, found_keys=[found])
        for passed, found in ((True, "OPS-7"), (False, "ACC-1"))
    )
    return rehearsal(
        name="nomic-embed-text-768",
        change=MODEL,
        verdict=Verdict.WORSE,
        flags=["1 golden question gets a worse answer."],
        counts=SampleCounts(rows=152, unchanged=152, touched=152, table_rows=152),
        after=RehearsedSide(embedder="nomic-embed-text-768", dimension=768, vectors=152, index_bytes=471_936),
        questions=[GoldenDifference(question_id="q", text="Who is on call?", change=AnswerChange.REGRESSED, before=before, after=after)],
        to_embed=12,
        seconds=None,
    )


def promotion(state: JobState = JobState.SUCCEEDED) -> Promotion:
    return Promotion(job_id="c" * 32, promoted_by="Maria", promoted_at=ago(hours=4), state=state)


def promoted() -> Rehearsal:
    done = Gate(allowed=False, reason_code=Reason.ALREADY_SO, reason_text="It has been promoted already.", holder="c" * 32)
    return rehearsal(promotion=promotion(), gate=done)


def head(**more: Any) -> RehearsalHead:
    facts: dict[str, Any] = {
        "rehearsal_id": REHEARSAL_ID,
        "kind": "import",
        "name": "playbook.csv",
        "state": JobState.SUCCEEDED,
        "verdict": Verdict.GOOD,
        "rows": 272,
        "requested_by": "local admin",
        "created_at": ago(minutes=3),
        "expires_at": now() + timedelta(days=6, hours=23, minutes=57),
        "plan_id": PLAN_ID,
    }
    return RehearsalHead(**(facts | more))


def heads() -> list[RehearsalHead]:
    """One that runs, one that went well, one that was promoted, one that is worse, one that was cancelled, one that is gone."""
    return [
        head(rehearsal_id="1" * 32, state=JobState.RUNNING, verdict=None, rows=None, expires_at=None, created_at=ago(seconds=9)),
        head(),
        head(rehearsal_id="2" * 32, promotion=promotion(), created_at=ago(hours=5)),
        head(
            rehearsal_id="3" * 32, kind="reembed", name="nomic-embed-text-768", verdict=Verdict.WORSE, plan_id=None, created_at=ago(days=2)
        ),
        head(rehearsal_id="4" * 32, state=JobState.CANCELLED, verdict=None, rows=None, expires_at=None, created_at=ago(days=3)),
        head(rehearsal_id="5" * 32, expires_at=None, created_at=ago(days=9)),
    ]


class FakeRehearsals:
    """Answers from the canned readings of whoever has them."""

    rehearsal: Rehearsal
    rehearsals: list[RehearsalHead]

    def _note(self, name: str, *arguments: Any) -> None:
        raise NotImplementedError

    def _act(self, name: str, *arguments: Any) -> None:
        raise NotImplementedError

    def start_rehearsal(self, request: Any, idempotency_key: str | None = None) -> str:
        self._act("start_rehearsal", request, idempotency_key)
        return REHEARSAL_ID

    def list_rehearsals(self) -> RehearsalPage:
        self._note("list_rehearsals")
        return RehearsalPage(items=self.rehearsals, taken_at=now())

    def get_rehearsal(self, rehearsal_id: str) -> Rehearsal:
        self._note("get_rehearsal", rehearsal_id)
        return self.rehearsal

    def search_rehearsal(self, rehearsal_id: str, text: str, k: int = 10) -> RehearsedResult:
        self._note("search_rehearsal", rehearsal_id, text, k)
        old, new = (SearchHit(key=key, text="Customer cannot log in.", score=0.8) for key in ("KB-001", "KB-200"))
        return RehearsedResult(rehearsal_id=rehearsal_id, before=[old], after=[new, old], seconds=0.1, taken_at=now())

    def delete_rehearsal(self, rehearsal_id: str) -> None:
        self._act("delete_rehearsal", rehearsal_id)


def rehearsed_job() -> Any:
    return job(Operation.REHEARSE, JobState.SUCCEEDED, job_id=REHEARSAL_ID)
