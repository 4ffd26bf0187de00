"""The half of the fake service that looks into the index and judges it."""

from __future__ import annotations

from typing import Any

from lib.contract.golden import GoldenAnswer, GoldenComparison, GoldenDifference, GoldenQuestion, GoldenReading, GoldenRequest, GoldenRun
from lib.contract.index import SearchHit, SearchResult
from lib.contract.states import AnswerChange
from tests.pages.canned import JOB_ID, ago, now


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


class FakeIndex:
    """Answers from the canned readings."""

    golden: GoldenReading

    def _note(self, name: str, *arguments: Any) -> None:
        raise NotImplementedError

    def _act(self, name: str, *arguments: Any) -> None:
        raise NotImplementedError

    def search_index(self, text: str, k: int = 10) -> SearchResult:
        self._note("search_index", text, k)
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
        return SearchResult(generation=3, hits=hits[:k], seconds=0.004, taken_at=now())

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
