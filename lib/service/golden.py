"""Golden questions: kept for people, asked of an open index, compared between two generations.

``ask_questions`` needs nothing but a way to search, so a candidate that is not served yet can be asked as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from lib.contract.errors import ErrorCode, FieldError
from lib.contract.golden import (
    MAX_QUESTIONS,
    GoldenAnswer,
    GoldenComparison,
    GoldenDifference,
    GoldenQuestion,
    GoldenReading,
    GoldenRequest,
    GoldenRun,
)
from lib.contract.model import utc_now
from lib.contract.operations import Gate, Reason
from lib.contract.states import AnswerChange
from lib.service import gate, index_gate
from lib.service.embedders import Embedder
from lib.service.errors import GateRefused, ServiceError
from lib.service.index.manifest import Manifest
from lib.service.index.mapped import Hits
from lib.service.storage import golden as rows
from lib.service.storage.audit import outcome_of, record_action
from lib.service.storage.database import Database

#: (vector, k) → the k nearest
Find = Callable[[NDArray[np.float32], int], Hits]
#: question → what the served generation answers; None while there is none, or it cannot be embedded
Ask = Callable[[GoldenQuestion], tuple[Manifest, GoldenAnswer] | None]

#: Runs the page draws; all that are kept can be compared.
SHOWN_RUNS = 60
#: Hits looked at beyond k: some may have been removed from the table since the index was built.
SPARE_HITS = 20

_WORST_FIRST = [AnswerChange.REGRESSED, AnswerChange.IMPROVED, AnswerChange.MOVED, AnswerChange.FIRST, AnswerChange.SAME]


def ask_questions(database: Database, questions: Sequence[GoldenQuestion], *, embedder: Embedder, find: Find) -> list[GoldenAnswer]:
    """The answer to every question, in their order. EmbeddingFailed when a question cannot be embedded."""
    if not questions:
        return []
    vectors = embedder.embed([question.text for question in questions])
    found = [find(vector, question.k + SPARE_HITS) for question, vector in zip(questions, vectors, strict=True)]
    with database.read() as connection:
        known = rows.known_keys(connection, sorted({key for question in questions for key in question.expected_keys}))
        keys = [rows.keys_of(connection, [entry_id for entry_id, _ in hits]) for hits in found]
    return [
        judge(question, [names[entry_id] for entry_id, _ in hits if entry_id in names], known)
        for question, hits, names in zip(questions, found, keys, strict=True)
    ]


def judge(question: GoldenQuestion, found: Sequence[str], known: set[str]) -> GoldenAnswer:
    """Whether these hits, best first, hold every expected row among the first k. ``known``: keys the table has."""
    first = list(found[: question.k])
    missing = [key for key in question.expected_keys if key not in first]
    return GoldenAnswer(
        question_id=question.question_id,
        text=question.text,
        expected_keys=question.expected_keys,
        k=question.k,
        passed=not missing,
        rank=None if missing else 1 + max(first.index(key) for key in question.expected_keys),
        missing_keys=missing,
        gone_keys=[key for key in missing if key not in known],
        found_keys=first,
    )


def keep_run(database: Database, manifest: Manifest, job_id: str, answers: Sequence[GoldenAnswer]) -> GoldenRun:
    """Write down how a generation answered."""
    run = _count(_new_run(manifest, job_id), answers)
    with database.write() as connection:
        rows.put_run(connection, run, answers)
    return run


def _new_run(manifest: Manifest, job_id: str) -> GoldenRun:
    facts = {"generation": manifest.generation, "embedder": manifest.embedder, "job_id": job_id}
    return GoldenRun(run_id=uuid4().hex, **facts, asked_at=utc_now(), questions=0, passed=0)


def _count(run: GoldenRun, answers: Sequence[GoldenAnswer]) -> GoldenRun:
    return run.model_copy(update={"questions": len(answers), "passed": sum(answer.passed for answer in answers)})


def _keep_answer(connection: Connection, manifest: Manifest, answer: GoldenAnswer) -> None:
    """Count what the served generation answers to a question just saved among its answers: by them it is known what gets worse later.

    Not when the last answers are another generation's, as after going back: they would be hidden behind this one.
    """
    newest = next(iter(rows.list_runs(connection, limit=1)), None)
    if newest is not None and newest.generation == manifest.generation:
        run, known = _find_run(connection, newest.run_id)
    elif newest is None or len(rows.list_questions(connection)) == 1:
        run, known = _new_run(manifest, manifest.job_id), {}
    else:
        return
    # A question that was deleted and brought back has another id and the same text.
    others = [each for each in known.values() if each.question_id != answer.question_id and each.text != answer.text]
    rows.put_run(connection, _count(run, [*others, answer]), [*others, answer])


def compare_answers(before: Mapping[str, GoldenAnswer], after: Mapping[str, GoldenAnswer]) -> list[GoldenDifference]:
    """What became of each question that was asked the second time, what got worse first."""
    differences = [
        GoldenDifference(
            question_id=ident, text=answer.text, change=_change(before.get(ident), answer), before=before.get(ident), after=answer
        )
        for ident, answer in after.items()
    ]
    return sorted(differences, key=lambda difference: _WORST_FIRST.index(difference.change))


def _change(before: GoldenAnswer | None, after: GoldenAnswer) -> AnswerChange:
    if before is None or not _same_question(before, after):
        return AnswerChange.FIRST
    if before.passed != after.passed:
        return AnswerChange.IMPROVED if after.passed else AnswerChange.REGRESSED
    return AnswerChange.SAME if before.found_keys == after.found_keys else AnswerChange.MOVED


def _same_question(one: GoldenAnswer | GoldenQuestion, other: GoldenAnswer) -> bool:
    """Whether the same was asked: a question keeps its id when people change it."""
    return (one.text, one.expected_keys, one.k) == (other.text, other.expected_keys, other.k)


def list_golden_questions(database: Database) -> GoldenReading:
    """Every question with its newest answer, the newest runs, and what the newest changed."""
    with database.read() as connection:
        questions, runs = rows.list_questions(connection), rows.list_runs(connection, limit=SHOWN_RUNS)
        newest = _compare(connection, runs[1].run_id if len(runs) > 1 else None, runs[0].run_id) if runs else None
    answers = {difference.question_id: difference.after for difference in newest.differences} if newest else {}
    return GoldenReading(
        questions=[question.model_copy(update={"answer": _still_of(question, answers)}) for question in questions],
        runs=runs,
        newest=newest,
        taken_at=utc_now(),
    )


def _still_of(question: GoldenQuestion, answers: Mapping[str, GoldenAnswer | None]) -> GoldenAnswer | None:
    """The answer, unless the question was changed after it was asked."""
    answer = answers.get(question.question_id)
    return answer if answer is not None and _same_question(question, answer) else None


def compare_golden_runs(database: Database, *, before: str | None, after: str | None) -> GoldenComparison:
    """Two runs; the newest two when they are not named. 404 when there is no such run."""
    with database.read() as connection:
        newest_first = [run.run_id for run in rows.list_runs(connection, limit=rows.KEPT_RUNS)]
        if not newest_first:
            raise ServiceError(ErrorCode.NOT_FOUND, "No generation was asked yet.", action="Save a question; the next refresh asks it.")
        after = after or newest_first[0]
        if before is None and after in newest_first:
            before = next(iter(newest_first[newest_first.index(after) + 1 :]), None)
        return _compare(connection, before, after)


def _compare(connection: Connection, before: str | None, after: str) -> GoldenComparison:
    earlier, answers_before = _find_run(connection, before) if before else (None, {})
    later, answers_after = _find_run(connection, after)
    return GoldenComparison(before=earlier, after=later, differences=compare_answers(answers_before, answers_after))


def _find_run(connection: Connection, run_id: str) -> tuple[GoldenRun, dict[str, GoldenAnswer]]:
    run = rows.get_run(connection, run_id)
    if run is None:
        raise ServiceError(ErrorCode.NOT_FOUND, f"There is no run {run_id}.", action="It may have been forgotten by age.")
    return run


def create_golden_question(database: Database, request: GoldenRequest, ask: Ask, *, actor: str, request_id: str) -> GoldenQuestion:
    """Save a question with its answer. 409 when the text is one already, 422 when a key is not in the table or there are too many."""
    now = utc_now()
    question = GoldenQuestion(question_id=uuid4().hex, **request.model_dump(), created_at=now, created_by=actor, changed_at=now)
    answered = ask(question)  # before the transaction: nobody waits for an embedder
    with database.write() as connection:
        questions = rows.list_questions(connection)
        decision = _decide(questions, request.text)
        if decision.allowed:
            _check(connection, request, others=len(questions))
            _save(connection, question, answered)
        _record(connection, "create_golden_question", decision, question.question_id, actor, request_id, after=request)
    if not decision.allowed:
        raise GateRefused(decision)
    return question.model_copy(update={"answer": answered[1] if answered else None})


def _save(connection: Connection, question: GoldenQuestion, answered: tuple[Manifest, GoldenAnswer] | None) -> None:
    rows.put_question(connection, **question.model_dump(exclude={"answer"}))
    if answered:
        _keep_answer(connection, *answered)


def put_golden_question(
    database: Database, question_id: str, request: GoldenRequest, ask: Ask, *, actor: str, request_id: str
) -> GoldenQuestion:
    """Change a question, and ask it anew. 404 when there is none, 409 when another has that text, 422 when a key is not in the table."""
    with database.read() as connection:
        question = _existing(connection, question_id).model_copy(update=request.model_dump() | {"changed_at": utc_now()})
    answered = ask(question)
    with database.write() as connection:
        was = _existing(connection, question_id)
        others = [question for question in rows.list_questions(connection) if question.question_id != question_id]
        decision = _decide(others, request.text)
        if decision.allowed:
            _check(connection, request, others=len(others), unchecked=was.expected_keys)
            _save(connection, question, answered)
        _record(connection, "put_golden_question", decision, question_id, actor, request_id, before=was, after=request)
    if not decision.allowed:
        raise GateRefused(decision)
    return question.model_copy(update={"answer": answered[1] if answered else None})


def delete_golden_question(database: Database, question_id: str, *, actor: str, request_id: str) -> None:
    """Forget a question; 404 when there is none."""
    with database.write() as connection:
        was = _existing(connection, question_id)
        rows.delete_question(connection, question_id)
        _record(connection, "delete_golden_question", gate.OPEN, question_id, actor, request_id, before=was)


def _decide(others: Sequence[GoldenQuestion], text: str) -> Gate:
    """May a golden question have this text, beside the ``others``?"""
    same = next((other for other in others if " ".join(other.text.lower().split()) == " ".join(text.lower().split())), None)
    if same is None:
        return gate.OPEN
    words = f"This is a golden question already, saved by {same.created_by}. Add the row to that one, or change it."
    return gate.refuse(Reason.ALREADY_SO, words, holder=same.question_id, since=same.created_at, link=f"/Index?tab={index_gate.GOLDEN_TAB}")


def _existing(connection: Connection, question_id: str) -> GoldenQuestion:
    question = rows.get_question(connection, question_id)
    if question is None:
        raise ServiceError(ErrorCode.NOT_FOUND, f"There is no golden question {question_id}.", action="Somebody may have deleted it.")
    return question


def _check(connection: Connection, request: GoldenRequest, *, others: int, unchecked: Sequence[str] = ()) -> None:
    if others >= MAX_QUESTIONS:
        detail = f"There are {others} questions; each generation is asked {MAX_QUESTIONS} at most. Delete one first."
        raise ServiceError(ErrorCode.INVALID, detail, errors=[FieldError(pointer="/body/text", detail=detail)])
    known = rows.known_keys(connection, request.expected_keys) | set(unchecked)
    unknown = {position: key for position, key in enumerate(request.expected_keys) if key not in known}
    if unknown:
        named = " and ".join(f"“{key}”" for key in unknown.values())
        fields = {f"/body/expected_keys/{position}": f"No row has the key “{key}”." for position, key in unknown.items()}
        errors = [FieldError(pointer=pointer, detail=detail) for pointer, detail in fields.items()]
        action = "Write one key a line, as it stands in the key column; a search on the Overview shows the keys of rows."
        raise ServiceError(ErrorCode.INVALID, f"No row has the key{'s' if len(unknown) > 1 else ''} {named}.", errors=errors, action=action)


def _record(
    connection: Connection,
    action: str,
    decision: Gate,
    question_id: str,
    actor: str,
    request_id: str,
    *,
    before: GoldenQuestion | None = None,
    after: GoldenRequest | None = None,
) -> None:
    record_action(
        connection,
        actor=actor,
        action=action,
        object_id=question_id if decision.allowed else decision.holder,
        before=before.model_dump(mode="json", include={"text", "expected_keys", "k", "note"}) if before else None,
        after=after.model_dump() if after else None,
        outcome=outcome_of(decision),
        request_id=request_id,
    )
