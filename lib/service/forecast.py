"""How long the backlog will take: a range learned from how fast workers were lately; nothing is said on too little evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import exp, log, sqrt
from statistics import fmean, stdev
from typing import Any

import sqlalchemy as sa

from lib.service.storage.paces import Pace
from lib.service.storage.runs import Run
from lib.service.storage.samples import SAMPLE_SECONDS

#: Evidence is what the finest tier of the history holds.
HORIZON_SECONDS = 900.0
#: Over so long nobody took samples: what happened in it nobody knows.
GAP_SECONDS = 4 * SAMPLE_SECONDS
#: Fewer intervals of work than this say nothing, and neither do fewer batches of a size.
LEAST_INTERVALS = 6
LEAST_BATCHES = 3
#: The intervals are taken together into about so many blocks: a worker that settles a batch a minute is not idle in between.
BLOCKS = 8
#: How many standard errors the range is wide to either side, and how wide it is at least.
WIDTH = 2.6
LEAST_WIDTH = 0.16
#: Fewer past imports than this say nothing; so many standard deviations wide is their range, and at most so wide (a factor's logarithm).
LEAST_RUNS, RUNS_WIDTH, RUNS_WIDEST, RUNS_SLACK_SECONDS = 3, 1.8, 1.4, 1.0
#: A sample may be this old, and the last batch ends when it ends.
SLACK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """Rows per second of one worker: the mean, how far blocks of ``block_seconds`` strayed from it, and how many there were."""

    rate: float
    spread: float
    blocks: int
    block_seconds: float


@dataclass(frozen=True, slots=True)
class Range:
    """Seconds: the short end, the likely value, the long end."""

    low: float
    likely: float
    high: float


def find_evidence(samples: Sequence[sa.Row[Any]]) -> Evidence | None:
    """What the history says of one worker's rate, from the intervals in which somebody worked at something."""
    intervals = []
    for before, after in pairwise(samples):
        capacity = min(before.capacity or 0, after.capacity or 0)
        seconds = after.at - before.at
        if capacity and before.pending + before.leased and after.pending + after.leased and seconds < GAP_SECONDS:
            intervals.append((after.embedded_total - before.embedded_total, seconds * capacity, seconds))
    if len(intervals) < LEAST_INTERVALS:
        return None
    return _weigh(intervals)


def _weigh(intervals: list[tuple[int, float, float]]) -> Evidence | None:
    size = max(1, len(intervals) // BLOCKS)
    blocks = [intervals[start : start + size] for start in range(0, len(intervals) - size + 1, size)]
    rates = [sum(rows for rows, _, _ in block) / sum(work for _, work, _ in block) for block in blocks]
    rate = sum(rows for rows, _, _ in intervals) / sum(work for _, work, _ in intervals)
    if rate <= 0 or len(rates) < 3:
        return None
    return Evidence(rate, stdev(rates), len(rates), fmean(sum(seconds for _, _, seconds in block) for block in blocks))


def forecast(evidence: Evidence, backlog: int, workers: int, *, gain: float = 1.0) -> Range | None:
    """When ``workers`` have done ``backlog``. ``gain``: how much faster each is said to be than the evidence."""
    rate = evidence.rate * workers * gain
    if rate <= 0:
        return None
    likely = backlog / rate
    # What is to come strays as the past did, the less the longer it takes; and the past's own mean is not exact.
    strays = (evidence.spread / evidence.rate) * sqrt(1 / evidence.blocks + min(1.0, evidence.block_seconds / max(likely, 0.001)))
    width = max(LEAST_WIDTH, WIDTH * strays)
    return Range(max(0.0, likely / (1 + width) - SLACK_SECONDS), likely, likely * (1 + width) + SLACK_SECONDS)


def forecast_from_runs(runs: Sequence[Run], backlog: int, workers: int) -> Range | None:
    """When nothing was embedded lately: from what past imports took as a whole. None on too few of them, and while nobody works."""
    if len(runs) < LEAST_RUNS or not workers:
        return None
    fixed, per_row = _fit_runs(runs)
    strays = [log(max(run.seconds, 0.1) / (fixed + per_row * run.rows / run.workers)) for run in runs]
    spread = sqrt(sum(stray**2 for stray in strays) / max(1, len(runs) - 2) * (1 + 1 / len(runs)))
    factor = exp(min(RUNS_WIDEST, max(LEAST_WIDTH, RUNS_WIDTH * spread)))
    likely = fixed + per_row * backlog / workers
    return Range(max(0.0, likely / factor - RUNS_SLACK_SECONDS), likely, likely * factor + RUNS_SLACK_SECONDS)


def _fit_runs(runs: Sequence[Run]) -> tuple[float, float]:
    """(seconds whatever the size, seconds a row of one worker): a line through the runs, each as far off as it is in proportion."""
    points = [(run.rows / run.workers, max(run.seconds, 0.1)) for run in runs]
    line = _fit_line(points, weights=[1 / seconds**2 for _, seconds in points])
    most = line.mean_y / line.mean_x
    per_row = most if line.slope is None else min(max(0.0, line.slope), most)
    return line.mean_y - per_row * line.mean_x, per_row


def find_gain(paces: Sequence[Pace], size_now: int, size_then: int) -> float | None:
    """How much faster rows go in batches of another size: a line through what batches of each size took; None when unknown."""
    if size_now == size_then:
        return 1.0
    line = _fit([pace for pace in paces if pace.batches >= LEAST_BATCHES])
    if line is None:
        return None
    fixed, per_row = line
    return (size_then / (fixed + per_row * size_then)) / (size_now / (fixed + per_row * size_now))


def batch_seconds(paces: Sequence[Pace], size: int) -> float | None:
    """How long one batch of this size takes; None when unknown."""
    known = [pace for pace in paces if pace.batches >= LEAST_BATCHES]
    if line := _fit(known):
        return line[0] + line[1] * size
    near = min(known, key=lambda pace: abs(pace.rows - size), default=None)
    return near.seconds * size / near.rows if near and near.rows else None


def _fit(paces: Sequence[Pace]) -> tuple[float, float] | None:
    """(seconds per batch, seconds per row), each batch weighed by its rows; None when two sizes are not known."""
    if len(paces) < 2:
        return None
    line = _fit_line([(pace.rows, pace.seconds) for pace in paces], weights=[pace.batches * pace.rows for pace in paces])
    if line.slope is None:
        return None
    fixed = max(0.0, line.mean_y - line.slope * line.mean_x)
    per_row = (line.mean_y - fixed) / line.mean_x
    return (fixed, per_row) if per_row > 0 else None


@dataclass(frozen=True, slots=True)
class _Line:
    """A line through points: it goes through their mean. Without a slope where all of them have the same x."""

    mean_x: float
    mean_y: float
    slope: float | None


def _fit_line(points: Sequence[tuple[float, float]], *, weights: Sequence[float]) -> _Line:
    """By least squares."""
    weighed = [(weight, x, y) for weight, (x, y) in zip(weights, points, strict=True)]
    total = sum(weights)
    mean_x = sum(weight * x for weight, x, _ in weighed) / total
    mean_y = sum(weight * y for weight, _, y in weighed) / total
    variance = sum(weight * (x - mean_x) ** 2 for weight, x, _ in weighed)
    if variance <= 1e-9 * total * mean_x**2:
        return _Line(mean_x, mean_y, None)
    return _Line(mean_x, mean_y, sum(weight * (x - mean_x) * (y - mean_y) for weight, x, y in weighed) / variance)
