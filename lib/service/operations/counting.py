"""Counting where sheet, table and index disagree: by ids and hashes alone, without looking at a vector."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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
from lib.service.index.health import OpenGeneration, Tell
from lib.service.index.manifest import Manifest
from lib.service.index.stored import DamagedIndex
from lib.service.operations.runner import JobContext, OperationFailed
from lib.service.storage import drift as rows
from lib.service.storage import plans
from lib.service.storage.counters import get_counters

#: With so many entries each new generation is counted at once; with more, housekeeping has it counted when nothing else runs.
COUNTED_AT_ONCE = 50_000

Found = dict[DriftKind, list[tuple[int, str]]]

_DETAILS = {
    DriftKind.MISSING_VECTOR: "no vector, and not in the queue",
    DriftKind.STALE: "its vector is of an older text",
    DriftKind.WRONG_MODEL: "its vector is of another model",
    DriftKind.UNINDEXED: "it has a vector that the index does not hold",
    DriftKind.ORPHANED: "the index holds it, the table does not",
}


@dataclass(frozen=True)
class Compared:
    """What was found, of which generation, and the connection that still sees the table as it was then."""

    served: Manifest | None
    opened: OpenGeneration | None
    found: Found
    drift: Drift
    connection: Connection


@contextmanager
def compare(context: JobContext, tell: Tell) -> Iterator[Compared]:
    """Table and served index, as they are at one moment."""
    generations = Generations(context.config.index_dir)
    served = generations.current()
    opened = _open(generations, served, tell)
    with context.database.read() as connection:
        found = _compare_table(connection, model_of(context), tell)
        if served and opened:
            found |= compare_index(connection, served, opened, tell)
        yield Compared(served, opened, found, _drift(connection, found, opened), connection)


def keep_check(
    context: JobContext, compared: Compared, began: float, *, vectors: VectorHealth | None = None, recall: Recall | None = None
) -> dict[str, Any]:
    """The check becomes the newest; what it comes to, as part of a job's result."""
    served = compared.served
    check = IndexCheck(
        check_id=context.job.job_id,
        generation=served.generation if served else None,
        revision=served.revision if served else 0,
        checked_at=utc_now(),
        checked_by=context.job.requested_by,
        drift=compared.drift,
        vectors=vectors,
        recall=recall,
        seconds=round(time.monotonic() - began, 3),
    )
    with context.write() as connection:
        rows.put_check(connection, check, compared.found)
    return {"check_id": check.check_id, "drift": compared.drift.total, "seconds": check.seconds}


def count_drift(context: JobContext) -> dict[str, Any]:
    """Count, and no more."""
    return _count(context, context.tell)


def _count(context: JobContext, tell: Tell) -> dict[str, Any]:
    began = time.monotonic()
    with compare(context, tell) as compared:
        pass
    return keep_check(context, compared, began)


def count_if_quick(context: JobContext) -> dict[str, Any]:
    """Count after a generation was published, where that is a matter of a tenth of a second; it never fails the job."""
    published = Generations(context.config.index_dir).published_by(context.job.job_id)
    with context.database.read() as connection:
        entries = get_counters(connection)["entries"]
    if published is None or entries > COUNTED_AT_ONCE:
        return {}
    try:
        # Silently: a cancel that came by now has come too late, for the generation is out.
        return {"drift": _count(context, lambda *_: None)["drift"]}
    except OperationFailed as failure:
        context.say(f"not compared with the table: {failure}", level="warning")
        return {}


def model_of(context: JobContext) -> str:
    """The model of the served index; before the first, the one that is set."""
    served = Generations(context.config.index_dir).current()
    return served.fingerprint if served else current_embedder(context.database, context.config).fingerprint


def _open(generations: Generations, served: Manifest | None, tell: Tell) -> OpenGeneration | None:
    if served is None:
        return None
    try:
        return OpenGeneration(generations.folder_of(served), served, tell)
    except DamagedIndex as damage:
        raise damaged(damage) from damage


def damaged(damage: DamagedIndex) -> OperationFailed:
    """How a job ends that needs the served file as it was published."""
    return OperationFailed(JobFailure.INDEX_DAMAGED, str(damage), "Rebuild the index: the vectors it was made from are all there.")


def _compare_table(connection: Connection, fingerprint: str, tell: Tell) -> Found:
    entries = get_counters(connection)["entries"]
    found = rows.find_troubled(connection, fingerprint, lambda done: tell("comparing table and vectors", done, entries))
    return {kind: _rows_of(kind, ids) for kind, ids in found.items()}


def compare_index(connection: Connection, served: Manifest, opened: OpenGeneration, tell: Tell) -> Found:
    """The id map against the table as it was when the generation was built; what changed since is no drift."""
    entries = get_counters(connection)["entries"]
    must, may = rows.list_held(
        connection,
        fingerprint=served.fingerprint,
        revision=served.revision,
        on_progress=lambda done: tell("comparing table and index", done, entries),
    )
    held, counts = opened.count_ids()
    twice = held[counts > 1]
    return {
        DriftKind.UNINDEXED: _rows_of(DriftKind.UNINDEXED, must[~np.isin(must, held)]),
        DriftKind.ORPHANED: _rows_of(DriftKind.ORPHANED, held[~np.isin(held, may)]),
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
