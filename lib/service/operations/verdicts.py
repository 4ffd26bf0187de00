"""How an inspection and a rehearsal judge alike: how much is looked up, what counts as worse, and how sure a share is."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lib.contract.golden import GoldenAnswer, GoldenDifference
from lib.contract.states import AnswerChange
from lib.service import golden

#: Rows that are searched for, and how many of the nearest of each are looked at.
QUERIES, NEAREST = 100, 10
#: Which rows chance picks is the same whenever it is asked: a step that is repeated judges by the same ones.
SEED = 9
#: What finds less than this of what it should is worse, whatever is served.
RECALL_LIMIT = 0.95
_WORTH_TELLING = frozenset({AnswerChange.REGRESSED, AnswerChange.IMPROVED, AnswerChange.MOVED})

Answers = Mapping[str, GoldenAnswer]


def changed_answers(before: Answers, after: Answers) -> tuple[list[GoldenDifference], int]:
    """(the golden questions whose answer would change, what gets worse first; how many get worse). Answers are named by question."""
    differences = [each for each in golden.compare_answers(before, after) if each.change in _WORTH_TELLING]
    return differences, sum(each.change is AnswerChange.REGRESSED for each in differences)


def describe_worse(questions: int) -> list[str]:
    """The flag of so many golden questions that get a worse answer; none when it is none."""
    return [f"{questions} golden question{'s get' if questions > 1 else ' gets'} a worse answer."] if questions else []


def interval(ratios: list[float]) -> tuple[float | None, float | None, float | None]:
    """(low, mean, high) of a 95 % interval; unknown when nothing was measured."""
    if not ratios:
        return None, None, None
    mean, spread = float(np.mean(ratios)), 1.96 * float(np.std(ratios)) / len(ratios) ** 0.5
    return max(0.0, mean - spread), mean, min(1.0, mean + spread)
