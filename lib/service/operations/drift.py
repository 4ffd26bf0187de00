"""Check: compare table and index row by row, and look at the vectors. Repair: make them agree again."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from lib.contract.health import Drift, IndexCheck, Recall, SheetSide, VectorHealth
from lib.contract.jobs import JobFailure
from lib.contract.model import utc_now
from lib.contract.states import DriftKind, PlanState
from lib.service.embedders import current_embedder
from lib.service.index.generations import Generations
from lib.service.index.health import OpenGeneration
from lib.service.index.manifest import Manifest
from lib.service.index.stored import DamagedIndex
from lib.service.operations.index import build_anew
from lib.service.operations.runner import JobContext, OperationFailed
from lib.service.storage import drift as rows
from lib.service.storage import embeddings, plans
from lib.service.storage.counters import get_counters

#: Vectors asked for their neighbours when an approximate index is measured; more would narrow the interval and take longer.
SAMPLE = 100
NEIGHBOURS = 10

Found = dict[DriftKind, list[tuple[int, str]]]

_DETAILS = {
    DriftKind.MISSING_VECTOR: "no vector, and not in the queue",
    DriftKind.STALE: "its vector is of an older text",
    DriftKind.WRONG_MODEL: "its vector is of another model",
    DriftKind.UNINDEXED: "it has a vector that the index does not hold",
    DriftKind.ORPHANED: "the index holds it, the table does not",
}


def check_index(context: JobContext) -> dict[str, Any]:
    """Count every disagreement, look at every vector, and measure recall where the index is not exact."""
    return context.step("check_index", _check, context, True)


def repair_index(context: JobContext) -> dict[str, Any]:
    """Queue the entries whose vector is missing or wrong, rebuild the index if it is wrong itself, and count again."""
    queued = context.step("queue_entries", _queue_entries, context)
    rebuilt = context.step("rebuild_index", _rebuild_if_wrong, context)
    checked = context.step("check_again", _check, context, False)
    return {"to_embed": queued, "rebuilt": rebuilt} | checked


def _queue_entries(context: JobContext) -> int:
    with context.write() as connection:
        return rows.enqueue_troubled(connection, fingerprint=_fingerprint(context), now=utc_now())


def _rebuild_if_wrong(context: JobContext) -> bool:
    generations = Generations(context.config.index_dir)
    if generations.published_by(context.job.job_id):
        return True
    served = generations.current()
    if served is None:
        return False
    with context.database.read() as connection:
        try:
            wrong = any(_compare_index(connection, served, OpenGeneration(generations.folder_of(served), served)).values())
        except DamagedIndex:
            wrong = True
        if not wrong or not embeddings.count_embeddings(connection, served.fingerprint):
            return False
    build_anew(context)
    return True


def _fingerprint(context: JobContext) -> str:
    served = Generations(context.config.index_dir).current()
    return served.fingerprint if served else current_embedder(context.database, context.config).fingerprint


def _check(context: JobContext, deep: bool) -> dict[str, Any]:
    began = time.monotonic()
    generations = Generations(context.config.index_dir)
    served = generations.current()
    context.tell("comparing table and index")
    opened = _open(generations, served)
    with context.database.read() as connection:
        found = _compare_table(connection, _fingerprint(context))
        if served and opened:
            found |= _compare_index(connection, served, opened)
        drift = _drift(connection, found, opened)
        recall = _measure_recall(context, connection, opened) if deep and opened else None
    check = IndexCheck(
        check_id=context.job.job_id,
        generation=served.generation if served else None,
        revision=served.revision if served else 0,
        checked_at=utc_now(),
        checked_by=context.job.requested_by,
        drift=drift,
        vectors=_look_at_vectors(context, opened) if deep and opened else None,
        recall=recall,
        seconds=round(time.monotonic() - began, 3),
    )
    with context.write() as connection:
        rows.put_check(connection, check, found)
    return {"check_id": check.check_id, "drift": drift.total, "seconds": check.seconds}


def _open(generations: Generations, served: Manifest | None) -> OpenGeneration | None:
    if served is None:
        return None
    try:
        return OpenGeneration(generations.folder_of(served), served)
    except DamagedIndex as damage:
        action = "Rebuild the index: the vectors it was made from are all there."
        raise OperationFailed(JobFailure.NO_INDEX, str(damage), action) from damage


def _compare_table(connection: Connection, fingerprint: str) -> Found:
    return {kind: _rows_of(kind, ids) for kind, ids in rows.find_troubled(connection, fingerprint).items()}


def _compare_index(connection: Connection, served: Manifest, opened: OpenGeneration) -> Found:
    """The id map against the table as it was when the generation was built; what changed since is no drift."""
    held, counts = np.unique(opened.ids, return_counts=True)
    expected = rows.list_expected(connection, fingerprint=served.fingerprint, revision=served.revision)
    accounted = rows.list_accounted(connection, revision=served.revision)
    twice = held[counts > 1]
    return {
        DriftKind.UNINDEXED: _rows_of(DriftKind.UNINDEXED, np.setdiff1d(expected, held)),
        DriftKind.ORPHANED: _rows_of(DriftKind.ORPHANED, np.setdiff1d(held, accounted)),
        DriftKind.DUPLICATED: [
            (int(ident), f"the index holds {count} vectors under its id") for ident, count in zip(twice, counts[counts > 1], strict=True)
        ],
    }


def _rows_of(kind: DriftKind, ids: NDArray[np.int64]) -> list[tuple[int, str]]:
    return [(int(ident), _DETAILS[kind]) for ident in ids]


def _drift(connection: Connection, found: Found, opened: OpenGeneration | None) -> Drift:
    counters = get_counters(connection)
    return Drift(
        entries=counters["entries"],
        waiting=counters["pending"] + counters["leased"],
        failed=counters["failed"] + counters["discarded"],
        vectors=len(opened.ids) if opened else None,
        counts={kind: len(found[kind]) if kind in found else None for kind in DriftKind},
        sheet=_sheet_side(connection),
    )


def _sheet_side(connection: Connection) -> SheetSide | None:
    plan = plans.newest_read_plan(connection)
    if plan is None:
        return None
    counts = plan.counts
    applied = plan.state == PlanState.APPLIED
    return SheetSide(
        source_name=plan.source_name,
        read_at=plan.created_at,
        records=sum(counts.get(name, 0) for name in ("new", "changed", "unchanged", "invalid")),
        differences=0 if applied else sum(counts.get(name, 0) for name in ("new", "changed", "removed")),
        plan_id=plan.plan_id,
    )


def _look_at_vectors(context: JobContext, opened: OpenGeneration) -> VectorHealth:
    began = time.monotonic()
    odd = opened.find_odd(lambda done: context.tell("looking at the vectors", done, len(opened.ids)))
    ids = sorted({ident for examples in odd.examples.values() for ident in examples})
    with context.database.read() as connection:
        keys = rows.keys_of(connection, ids)
    return VectorHealth(
        vectors=odd.vectors,
        not_finite=odd.not_finite,
        zero=odd.zero,
        off_norm=odd.off_norm,
        duplicate_groups=odd.duplicate_groups,
        duplicate_surplus=odd.duplicate_surplus,
        largest_group=odd.largest_group,
        examples={name: known for name, ids in odd.examples.items() if (known := [keys[ident] for ident in ids if ident in keys])},
        seconds=round(time.monotonic() - began, 3),
    )


def _measure_recall(context: JobContext, connection: Connection, opened: OpenGeneration) -> Recall:
    if opened.exact:
        return Recall(exact=True, k=NEIGHBOURS)
    served, total = opened.manifest, len(opened.ids)
    chosen = np.sort(np.random.default_rng(served.generation).choice(np.unique(opened.ids), min(SAMPLE, len(np.unique(opened.ids))), False))
    sample = embeddings.vectors_of(connection, served.fingerprint, chosen)
    everything = embeddings.stream_embeddings(connection, fingerprint=served.fingerprint, after=0, upto=served.revision)
    measured = opened.measure_recall(
        sample, everything, k=NEIGHBOURS, on_progress=lambda done: context.tell("measuring recall", done, total)
    )
    ratios = measured.ratios
    if not len(ratios):
        return Recall(exact=False, k=NEIGHBOURS)
    mean, spread = float(ratios.mean()), 1.96 * float(ratios.std(ddof=1) if len(ratios) > 1 else 0.0) / len(ratios) ** 0.5
    return Recall(
        exact=False,
        k=NEIGHBOURS,
        sampled=len(ratios),
        recall_ratio=round(mean, 4),
        low_ratio=round(max(0.0, mean - spread), 4),
        high_ratio=round(min(1.0, mean + spread), 4),
        search_seconds=measured.search_seconds,
        exact_seconds=measured.exact_seconds,
    )
