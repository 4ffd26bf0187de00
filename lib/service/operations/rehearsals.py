"""Rehearse: try an import or another model on sample rows beside production, and say what would be found and what no longer.

Production is only read. What is made lies in the rehearsal's own folder, each attempt in a part of its own:

::

    rehearsals/<job_id>/report.json             written last: without it there is no rehearsal
    rehearsals/<job_id>/1/before.faiss, after.faiss, rows.json, vectors-<fingerprint>.bin
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lib.contract.golden import GoldenAnswer, GoldenQuestion
from lib.contract.jobs import JobFailure
from lib.contract.model import utc_now
from lib.contract.rehearsals import ImportChange, ModelChange, RehearsedSide, RehearseRequest
from lib.contract.states import Verdict
from lib.service import golden
from lib.service.index.durable import write_synced
from lib.service.index.factory import Limits, choose_factory
from lib.service.index.manifest import Ids
from lib.service.index.shadow import Shadow, shadow_factory, write_shadow
from lib.service.operations.index import read_limits
from lib.service.operations.reembedding import Settings, open_chosen, wanted_settings
from lib.service.operations.rehearsed import REPORT_FILE
from lib.service.operations.runner import JobContext, OperationFailed
from lib.service.operations.sampling import Maker, Sample, Side, draw_sample, embed, make_side
from lib.service.operations.verdicts import NEAREST, QUERIES, RECALL_LIMIT, SEED, changed_answers, describe_worse, interval
from lib.service.storage import golden as golden_rows
from lib.service.storage import plans
from lib.service.storage import reembedding as models
from lib.service.storage.settings import get_embedder_settings

ROWS_FILE = "rows.json"
BEFORE_FILE, AFTER_FILE = "before.faiss", "after.faiss"


def rehearse_change(context: JobContext) -> dict[str, Any]:
    """The report is kept beside the shadow indexes; the job's result says what it comes to."""
    return context.step("rehearse_change", _rehearse, context)


def _rehearse(context: JobContext) -> dict[str, Any]:
    folder = context.config.rehearsals_dir / context.job.job_id
    attempt = folder / str(context.attempt)  # one that was taken for dead may still write into its own
    try:
        attempt.mkdir(parents=True, exist_ok=True, mode=0o700)
        report = _try_out(context, attempt)
        write_synced(attempt / REPORT_FILE, json.dumps(report).encode())
        (attempt / REPORT_FILE).rename(folder / REPORT_FILE)
    except Exception:
        shutil.rmtree(folder, ignore_errors=True)  # cancelled or broken off: nothing of it stays
        raise
    return {"name": report["name"], "verdict": report["verdict"], "rows": report["counts"]["rows"], "embedded": report["embedded"]}


@dataclass(frozen=True)
class _Room:
    """What the rehearsal is about: the change, the golden questions, the models before and after, and which kind suits which size."""

    change: ImportChange | ModelChange
    questions: list[GoldenQuestion]
    settings: dict[str, Settings]
    sample: Sample
    limits: Limits


def _try_out(context: JobContext, folder: Path) -> dict[str, Any]:
    """The report. In ``folder`` are the shadow indexes then, and the words of their rows."""
    room = _open_room(context)
    makers = _open_makers(context, room, folder)
    before = make_side(context, room.sample, makers[0], after=False)
    after = make_side(context, room.sample, makers[1], after=True)
    context.tell("building the shadow indexes")
    shown_before = _build(before, folder / BEFORE_FILE, whole=room.sample.counts.table_rows, limits=room.limits)
    shown_after = _build(after, folder / AFTER_FILE, whole=room.sample.rows_after, limits=room.limits)
    write_synced(folder / ROWS_FILE, json.dumps({"before": _rows(before), "after": _rows(after)}).encode())
    context.tell("comparing before and after")
    answers_before = _answer(context, room.questions, before, Shadow(folder / BEFORE_FILE))
    answers_after = _answer(context, room.questions, after, Shadow(folder / AFTER_FILE))
    changed, worse = changed_answers(answers_before, answers_after)
    flags = _flags(shown_before, shown_after, worse)
    return {
        "rehearsal_id": context.job.job_id,
        "name": context.job.arguments["name"],
        "change": room.change.model_dump(mode="json"),
        "verdict": Verdict.WORSE if flags else Verdict.GOOD,
        "flags": flags,
        "counts": room.sample.counts.model_dump(),
        "before": shown_before.model_dump(),
        "after": shown_after.model_dump(),
        **_measure_overlap(before, after, room.sample.fair),
        "questions": [each.model_dump(mode="json") for each in changed],
        "questions_asked": len(room.questions),
        "embedded": sum(len(maker.made) for maker in {*makers}),
        **_cost(context, room, after, makers[1]),
        "made_at": utc_now().isoformat(),
        "settings": room.settings,
        "attempt": context.attempt,
    }


def _open_makers(context: JobContext, room: _Room, folder: Path) -> tuple[Maker, Maker]:
    """Who embeds the rows as they are, and who as they would be: one and the same while the model stays."""
    before = Maker(context, folder, open_chosen(context, room.settings["before"]))
    if not isinstance(room.change, ModelChange):
        return before, before
    return before, Maker(context, folder, open_chosen(context, room.settings["after"]))


def _open_room(context: JobContext) -> _Room:
    asked = {name: context.job.arguments[name] for name in RehearseRequest.model_fields}
    request = RehearseRequest.model_validate(asked)
    change = request.change
    context.tell("drawing the sample")
    with context.database.read() as connection:
        if isinstance(change, ImportChange) and plans.get_plan(connection, change.plan_id) is None:
            raise OperationFailed(JobFailure.PLAN_MISSING, "The plan is gone: it was removed by age.", "Preview the source again.")
        stands = get_embedder_settings(connection)
        wanted = wanted_settings(connection, change.request) if isinstance(change, ModelChange) else stands
        questions = golden_rows.list_questions(connection)
        sample = draw_sample(connection, change.request if isinstance(change, ImportChange) else None, request.rows, questions)
        limits = read_limits(connection)
    return _Room(change, questions, {"before": stands, "after": wanted}, sample, limits)


def _rows(side: Side) -> dict[str, list[str]]:
    return {str(ident): [side.keys[ident], side.texts[ident]] for ident in side.ids.tolist()}


def _build(side: Side, path: Path, *, whole: int, limits: Limits) -> RehearsedSide:
    """Write the side's index and describe it. ``whole``: rows of the whole table on this side."""
    whole_factory = choose_factory(whole, limits)
    factory = shadow_factory(whole_factory, len(side.ids))
    size_bytes = write_shadow(path, side.ids, side.vectors, dimension=side.embedder.dimension, factory=factory)
    return RehearsedSide(
        embedder=side.embedder.name,
        dimension=side.embedder.dimension,
        vectors=len(side.ids),
        refused=side.refused,
        shared=side.shared(),
        factory=factory,
        whole_factory=whole_factory,
        index_bytes=round(size_bytes / len(side.ids) * whole) if len(side.ids) else None,
    )


def _measure_overlap(before: Side, after: Side, fair: Ids) -> dict[str, Any]:
    """How much of what is found near a row is found again, as part of the report."""
    overlaps = _overlaps(before, after, fair)
    low, mean, high = interval(overlaps)
    return {"queries": len(overlaps), "overlap_ratio": mean, "overlap_low_ratio": low, "overlap_high_ratio": high}


def _overlaps(before: Side, after: Side, fair: Ids) -> list[float]:
    """For rows that are there on both sides: of the nearest before, how many are among the nearest after.

    Looked at are only the ``fair`` rows: the sample has more of those that change than the table, and they would push the others out.
    """
    both = np.intersect1d(np.intersect1d(before.ids, after.ids), fair)
    picked = np.sort(np.random.default_rng(SEED).choice(both, min(QUERIES, len(both)), replace=False))
    pairs = zip(_nearest(before, fair, picked), _nearest(after, fair, picked), strict=True)
    return [len(one & other) / len(one) for one, other in pairs if one]


def _nearest(side: Side, fair: Ids, picked: Ids) -> list[set[int]]:
    """The nearest of each picked row, but for itself, by comparing with every one."""
    among = np.isin(side.ids, fair)
    ids, vectors = side.ids[among], side.vectors[among]
    scores = side.vectors[np.searchsorted(side.ids, picked)] @ vectors.T
    scores[ids[None, :] == picked[:, None]] = -np.inf
    near = np.argsort(-scores, axis=1, kind="stable")[:, : min(NEAREST, max(0, len(ids) - 1))]
    return [set(row) for row in ids[near].tolist()]


def _answer(context: JobContext, questions: list[GoldenQuestion], side: Side, shadow: Shadow) -> dict[str, GoldenAnswer]:
    if not len(side.ids):
        return {}
    vectors = dict(embed(context, side.embedder, {question.question_id.encode(): question.text for question in questions}))
    known, answers = set(side.keys.values()), {}
    for question in questions:
        if vector := vectors.get(question.question_id.encode()):
            found = [side.keys[ident] for ident, _ in shadow.search(np.frombuffer(vector, "<f4"), question.k)]
            answers[question.question_id] = golden.judge(question, found, known)
    return answers


def _flags(before: RehearsedSide, after: RehearsedSide, worse: int) -> list[str]:
    flags = describe_worse(worse)
    if (refused := after.refused - before.refused) > 0:
        flags.append(f"{refused:,} more row{'s get' if refused > 1 else ' gets'} no vector, because the model refuses the text.")
    was, would_be = (side.shared / max(1, side.vectors) for side in (before, after))
    if would_be - was > 1 - RECALL_LIMIT:
        shared = f"{after.shared:,} of the {after.vectors:,} rows tried get the same vector as another row, now {before.shared:,}"
        flags.append(f"{shared}: a search cannot tell them apart.")
    return flags


def _cost(context: JobContext, room: _Room, after: Side, maker: Maker) -> dict[str, Any]:
    """What is left to embed when the change is promoted, and how long that takes at the rate of the sample."""
    with context.database.read() as connection:
        if isinstance(room.change, ImportChange):
            plan = plans.get_plan(connection, room.change.plan_id)
            to_embed = plan.to_embed if plan else None
        else:
            to_embed = models.count_without(connection, maker.embedder.fingerprint)
    left = None if to_embed is None else max(0, to_embed - after.spared)
    seconds = 0.0 if left == 0 else left / maker.rate if left is not None and maker.rate else None
    return {"to_embed": left, "seconds": None if seconds is None else round(seconds, 1)}
