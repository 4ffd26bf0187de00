"""Golden questions, and how each generation answered them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from lib.contract.golden import GoldenAnswer, GoldenQuestion, GoldenRun
from lib.service.storage.schema import entries, golden_questions, golden_runs

#: Older runs are forgotten: the trend is as long as this.
KEPT_RUNS = 200

_FACTS = [column for column in golden_runs.c if column.name != "answers"]


def _question(row: sa.Row[Any]) -> GoldenQuestion:
    return GoldenQuestion.model_validate(dict(row._mapping))


def list_questions(connection: Connection) -> list[GoldenQuestion]:
    """Oldest first: a list people know their way in."""
    query = sa.select(golden_questions).order_by(golden_questions.c.created_at, golden_questions.c.question_id)
    return [_question(row) for row in connection.execute(query)]


def get_question(connection: Connection, question_id: str) -> GoldenQuestion | None:
    """The question, or None."""
    row = connection.execute(sa.select(golden_questions).where(golden_questions.c.question_id == question_id)).one_or_none()
    return _question(row) if row else None


def put_question(connection: Connection, question_id: str, **values: Any) -> None:
    """Insert it, or change the given columns of the one there is."""
    statement = sa.update(golden_questions).where(golden_questions.c.question_id == question_id).values(**values)
    if not connection.execute(statement).rowcount:
        connection.execute(sa.insert(golden_questions).values(question_id=question_id, **values))


def delete_question(connection: Connection, question_id: str) -> None:
    """Forget it; the runs keep its answers."""
    connection.execute(sa.delete(golden_questions).where(golden_questions.c.question_id == question_id))


def known_keys(connection: Connection, keys: Sequence[str]) -> set[str]:
    """Those of the keys that the table has."""
    return set(connection.execute(sa.select(entries.c.key).where(entries.c.key.in_(list(keys)))).scalars())


def keys_of(connection: Connection, entry_ids: Sequence[int]) -> dict[int, str]:
    """Entry id → key; ids the table lacks are left out."""
    query = sa.select(entries.c.entry_id, entries.c.key).where(entries.c.entry_id.in_(list(entry_ids)))
    return {row.entry_id: row.key for row in connection.execute(query)}


def put_run(connection: Connection, run: GoldenRun, answers: Sequence[GoldenAnswer]) -> None:
    """Keep one run; a repeated step replaces its own. The oldest beyond ``KEPT_RUNS`` go."""
    connection.execute(sa.delete(golden_runs).where(golden_runs.c.job_id == run.job_id, golden_runs.c.generation == run.generation))
    connection.execute(sa.insert(golden_runs).values(**run.model_dump(), answers=[answer.model_dump() for answer in answers]))
    oldest = connection.execute(
        sa.select(golden_runs.c.asked_at).order_by(golden_runs.c.asked_at.desc()).offset(KEPT_RUNS).limit(1)
    ).scalar_one_or_none()
    if oldest is not None:
        connection.execute(sa.delete(golden_runs).where(golden_runs.c.asked_at <= oldest))


def list_runs(connection: Connection, *, limit: int) -> list[GoldenRun]:
    """Newest first."""
    query = sa.select(*_FACTS).order_by(golden_runs.c.asked_at.desc()).limit(limit)
    return [GoldenRun.model_validate(dict(row._mapping)) for row in connection.execute(query)]


def get_run(connection: Connection, run_id: str) -> tuple[GoldenRun, dict[str, GoldenAnswer]] | None:
    """One run with its answers by question; None when there is none."""
    row = connection.execute(sa.select(golden_runs).where(golden_runs.c.run_id == run_id)).one_or_none()
    if row is None:
        return None
    answers = [GoldenAnswer.model_validate(answer) for answer in row.answers]
    return GoldenRun.model_validate(dict(row._mapping)), {answer.question_id: answer for answer in answers}
