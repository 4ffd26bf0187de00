"""Golden questions: what people expect a search to find, asked again of every generation."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from lib.contract.model import Reading, Request
from lib.contract.states import AnswerChange

#: So many are asked of each generation; more would make every refresh slower for everybody.
MAX_QUESTIONS = 200
#: Rows that can be expected of one.
MAX_KEYS = 20

Key = Annotated[str, Field(min_length=1, max_length=500)]


class GoldenRequest(Request):
    """A question, the keys of the rows that answer it, and among how many hits each of them must be."""

    text: str = Field(min_length=1, max_length=2_000)
    expected_keys: list[Key] = Field(min_length=1, max_length=MAX_KEYS)
    k: int = Field(10, ge=1, le=50)
    note: str = Field("", max_length=500)


class GoldenAnswer(Reading):
    """How one generation answered one question. It passes when every expected row is among the first ``k`` hits."""

    question_id: str
    text: str
    expected_keys: list[str]
    k: int
    passed: bool
    rank: int | None = Field(None, description="place of the last of the expected rows, 1 is the first; null when one is not among them")
    missing_keys: list[str] = Field([], description="expected rows that are not among the first k")
    gone_keys: list[str] = Field([], description="those of them that the table no longer has")
    found_keys: list[str] = Field([], description="the rows that were found, best first")


class GoldenQuestion(Reading):
    """One saved question, with the newest answer to it."""

    question_id: str
    text: str
    expected_keys: list[str]
    k: int
    note: str = ""
    created_at: datetime
    created_by: str
    changed_at: datetime
    answer: GoldenAnswer | None = Field(None, description="null until it was asked of a generation")


class GoldenRun(Reading):
    """All questions asked of one generation: one point of the trend."""

    run_id: str
    generation: int
    embedder: str
    job_id: str
    asked_at: datetime
    questions: int
    passed: int

    @property
    def pass_ratio(self) -> float | None:
        """Passed of asked; None when there was nothing to ask."""
        return self.passed / self.questions if self.questions else None


class GoldenDifference(Reading):
    """One question in two runs. ``change`` compares the verdicts, then the rows found."""

    question_id: str
    text: str
    change: AnswerChange
    before: GoldenAnswer | None = None
    after: GoldenAnswer | None = None


class GoldenComparison(Reading):
    """Two runs side by side, what got worse first."""

    before: GoldenRun | None
    after: GoldenRun
    differences: list[GoldenDifference]

    def count(self, change: AnswerChange) -> int:
        """How many questions changed like this."""
        return sum(difference.change is change for difference in self.differences)


class GoldenReading(Reading):
    """Every question with its newest answer, the runs newest first, and what the newest changed."""

    questions: list[GoldenQuestion]
    runs: list[GoldenRun]
    newest: GoldenComparison | None = None
    taken_at: datetime
