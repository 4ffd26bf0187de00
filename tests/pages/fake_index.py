"""The half of the fake service that looks into the index and judges it."""

from __future__ import annotations

from typing import Any

from lib.client.errors import NotFound
from lib.contract.errors import ErrorCode, Problem
from lib.contract.golden import GoldenAnswer, GoldenComparison, GoldenDifference, GoldenQuestion, GoldenReading, GoldenRequest, GoldenRun
from lib.contract.health import Drift, DriftPage, DriftRow, HealthReading, IndexCheck, Recall, RepairPlan, SheetSide, VectorHealth
from lib.contract.index import SearchHit, SearchResult
from lib.contract.reembedding import ReembedPlan, ReembedRequest
from lib.contract.states import AnswerChange, DriftKind
from tests.pages.canned import JOB_ID, OPEN, PLAN_ID, ago, now


def question(number: int, text: str, *keys: str, **more: Any) -> GoldenQuestion:
    facts: dict[str, Any] = {"k": 10, "created_at": ago(days=3), "created_by": "Maria", "changed_at": ago(days=3)}
    return GoldenQuestion(question_id=str(number) * 32, text=text, expected_keys=list(keys), **(facts | more))


def answer(asked: GoldenQuestion, *found: str) -> GoldenAnswer:
    missing = [key for key in asked.expected_keys if key not in found]
    rank = None if missing else 1 + max(found.index(key) for key in asked.expected_keys)
    return GoldenAnswer(
        question_id=asked.question_id,
        text=asked.text,
        expected_keys=asked.expected_keys,
        k=asked.k,
        passed=not missing,
        rank=rank,
        missing_keys=missing,
        found_keys=list(found),
    )


def run(number: int, generation: int, passed: int) -> GoldenRun:
    return GoldenRun(
        run_id=str(number) * 32,
        generation=generation,
        embedder="wordllama-256",
        job_id=JOB_ID,
        asked_at=ago(minutes=5 - number),
        questions=2,
        passed=passed,
    )


def no_golden() -> GoldenReading:
    return GoldenReading(questions=[], runs=[], taken_at=now())


def golden() -> GoldenReading:
    """Two questions; one of them got worse with generation 3."""
    log_in, mail = question(1, "customer cannot log in", "KB-001"), question(2, "reset mail is missing", "KB-017")
    worse, before, same = answer(log_in, "KB-009", "KB-004"), answer(log_in, "KB-001", "KB-009"), answer(mail, "KB-017")
    runs = [run(2, 3, 1), run(1, 2, 2)]
    newest = GoldenComparison(
        before=runs[1],
        after=runs[0],
        differences=[
            GoldenDifference(question_id=log_in.question_id, text=log_in.text, change=AnswerChange.REGRESSED, before=before, after=worse),
            GoldenDifference(question_id=mail.question_id, text=mail.text, change=AnswerChange.SAME, before=same, after=same),
        ],
    )
    questions = [log_in.model_copy(update={"answer": worse}), mail.model_copy(update={"answer": same})]
    return GoldenReading(questions=questions, runs=runs, newest=newest, taken_at=now())


def check(**counts: int) -> IndexCheck:
    """A check of generation 3 that found nothing but what is given."""
    return IndexCheck(
        check_id="4" * 32,
        generation=3,
        revision=7,
        checked_at=ago(minutes=4),
        checked_by="Maria",
        seconds=0.4,
        drift=Drift(
            entries=150,
            waiting=2,
            vectors=150,
            counts={kind: counts.get(kind, 0) for kind in DriftKind},
            sheet=SheetSide(source_name="playbook.csv", read_at=ago(hours=2), records=151, differences=3, plan_id=PLAN_ID),
        ),
        vectors=VectorHealth(
            vectors=150,
            not_finite=0,
            zero=1,
            off_norm=0,
            duplicate_groups=2,
            duplicate_surplus=3,
            largest_group=3,
            examples={"zero": ["KB-099"]},
            seconds=0.1,
        ),
        recall=Recall(exact=True),
    )


def health(**counts: int) -> HealthReading:
    """What a check found, and the repair of exactly that."""
    found = check(**counts)
    queued = sum(counts.get(kind, 0) for kind in ("missing_vector", "stale", "wrong_model"))
    rebuild = any(counts.get(kind) for kind in ("unindexed", "orphaned", "duplicated"))
    plan = RepairPlan(check_id=found.check_id, to_embed=queued, rebuild=rebuild, seconds=0.2, gate=OPEN)
    return HealthReading(latest=found, looked=found, repair=plan, taken_at=now())


def no_health() -> HealthReading:
    return HealthReading(taken_at=now())


class FakeIndex:
    """Answers from the canned readings."""

    golden: GoldenReading
    health: HealthReading
    alone = False  #: whether no generation stands before the served one

    def _note(self, name: str, *arguments: Any) -> None:
        raise NotImplementedError

    def _act(self, name: str, *arguments: Any) -> None:
        raise NotImplementedError

    def search_index(
        self, text: str | None, k: int = 10, *, like_key: str | None = None, fields: Any = None, generation: str = "served"
    ) -> SearchResult:
        self._note(
            "search_index",
            text,
            k,
            *(each for each in (like_key, fields or None) if each),
            *([generation] if generation != "served" else []),
        )
        hits = [
            SearchHit(
                key="KB-001",
                text="Customer cannot log in. Ask which address they use, then send a fresh sign-in link.",
                score=0.812,
                fields={"category": "Access", "owner": "Maria"},
            ),
            SearchHit(
                key="KB-017",
                text="Password reset mail does not arrive. Look at the bounce list first.",
                score=0.664,
                fields={"category": "Access", "owner": "Jonas"},
            ),
        ]
        if generation == "previous" and self.alone:
            words = "There is no generation before the served one."
            raise NotFound(Problem(title="Not Found", status=404, code=ErrorCode.NOT_FOUND, detail=words))
        if generation == "previous":
            return SearchResult(generation=2, hits=hits[::-1][:1], seconds=0.004, taken_at=now())
        found = [
            hit for hit in hits if hit.key != like_key and all(hit.fields.get(name) == value for name, value in (fields or {}).items())
        ]
        return SearchResult(generation=3, hits=found[:k], seconds=0.004, searched=2, taken_at=now())

    def list_golden_questions(self) -> GoldenReading:
        self._note("list_golden_questions")
        return self.golden

    def create_golden_question(self, request: GoldenRequest) -> GoldenQuestion:
        self._act("create_golden_question", request)
        saved = question(7, request.text, *request.expected_keys, k=request.k)
        return saved.model_copy(update={"answer": answer(saved, *request.expected_keys)})

    def put_golden_question(self, question_id: str, request: GoldenRequest) -> GoldenQuestion:
        self._act("put_golden_question", question_id, request)
        return question(7, request.text, *request.expected_keys, k=request.k)

    def delete_golden_question(self, question_id: str) -> None:
        self._act("delete_golden_question", question_id)

    def compare_golden_runs(self, before: str | None = None, after: str | None = None) -> GoldenComparison:
        self._note("compare_golden_runs", before, after)
        assert self.golden.newest is not None
        return self.golden.newest

    def start_check(self, idempotency_key: str | None = None) -> str:
        self._act("start_check", idempotency_key)
        return JOB_ID

    def start_repair(self, check_id: str, idempotency_key: str | None = None) -> str:
        self._act("start_repair", check_id, idempotency_key)
        return JOB_ID

    def get_check(self) -> HealthReading:
        self._note("get_check")
        return self.health

    def list_drift(self, kind: DriftKind, limit: int = 50, cursor: str | None = None) -> DriftPage:
        self._note("list_drift", kind, limit, cursor)
        rows = [DriftRow(entry_id=number, key=f"KB-{number:03}", detail="its vector is of an older text") for number in range(1, 61)]
        start = int(cursor or 0)
        more = str(start + limit) if len(rows) > start + limit else None
        return DriftPage(
            check_id="4" * 32, kind=kind, items=rows[start : start + limit], total=60, listed=60, next_cursor=more, taken_at=now()
        )

    def get_reembedding(self, request: ReembedRequest) -> ReembedPlan:
        self._note("get_reembedding", request)
        return ReembedPlan(embedder="nomic-embed-text-768", served="wordllama-256", rows=150, cached=20, to_embed=130, gate=OPEN)

    def start_reembedding(self, request: ReembedRequest, idempotency_key: str | None = None) -> str:
        self._act("start_reembedding", request, idempotency_key)
        return JOB_ID
