"""Check: compare table and index row by row, and look at the vectors. Repair: make them agree again."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

import numpy as np
from sqlalchemy import Connection

from lib.contract.health import ListHealth, Recall, VectorHealth
from lib.contract.model import utc_now
from lib.service.index.generations import Generations
from lib.service.index.health import OpenGeneration
from lib.service.index.stored import DamagedIndex, prove
from lib.service.operations.counting import compare, compare_index, count_drift, damaged, keep_check, model_of
from lib.service.operations.index import build_anew
from lib.service.operations.runner import JobContext
from lib.service.storage import drift as rows
from lib.service.storage import embeddings

#: Vectors asked for their neighbours when an approximate index is measured; more would narrow the interval and take longer.
SAMPLE = 100
NEIGHBOURS = 10


def check_index(context: JobContext) -> dict[str, Any]:
    """Count every disagreement, look at every vector, and measure recall where the index is not exact; or only count."""
    return context.step("check_index", _check if context.job.arguments.get("deep", True) else count_drift, context)


def repair_index(context: JobContext) -> dict[str, Any]:
    """Queue the entries whose vector is missing or wrong, rebuild the index if it is wrong itself, and count again."""
    queued = context.step("queue_entries", _queue_entries, context)
    rebuilt = context.step("rebuild_index", _rebuild_if_wrong, context)
    checked = context.step("check_again", count_drift, context)
    return {"to_embed": queued, "rebuilt": rebuilt} | checked


def _queue_entries(context: JobContext) -> int:
    with context.write() as connection:
        return rows.enqueue_troubled(connection, fingerprint=model_of(context), now=utc_now())


def _rebuild_if_wrong(context: JobContext) -> bool:
    generations = Generations(context.config.index_dir)
    if generations.published_by(context.job.job_id):
        return True
    served = generations.current()
    if served is None:
        return False
    with context.database.read() as connection:
        try:
            opened = OpenGeneration(generations.folder_of(served), served, context.tell)
            wrong = any(compare_index(connection, served, opened, context.tell).values())
        except DamagedIndex:
            wrong = True
        if not wrong or not embeddings.count_embeddings(connection, served.fingerprint):
            return False
    build_anew(context)
    return True


def _check(context: JobContext) -> dict[str, Any]:
    began = time.monotonic()
    vectors = recall = None
    _prove_served(context)
    with compare(context, context.tell) as compared:
        if compared.opened:
            # The vectors first: looking at them reads the file, and no search is measured that waits for the disk.
            vectors = _look_at_vectors(context, compared.opened)
            recall = _measure_recall(context, compared.connection, compared.opened)
    return keep_check(context, compared, began, vectors=vectors, recall=recall)


def _prove_served(context: JobContext) -> None:
    """A bit that has changed in a vector makes no row missing and no length odd; only the file's hash tells."""
    generations = Generations(context.config.index_dir)
    served = generations.current()
    if served is None:
        return
    context.tell("proving the file")
    try:
        prove(generations.folder_of(served))
    except DamagedIndex as damage:
        raise damaged(damage) from damage


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
        lists=ListHealth.model_validate(asdict(lists)) if (lists := opened.look_at_lists()) else None,
        examples={name: known for name, ids in odd.examples.items() if (known := [keys[ident] for ident in ids if ident in keys])},
        seconds=round(time.monotonic() - began, 3),
    )


def _measure_recall(context: JobContext, connection: Connection, opened: OpenGeneration) -> Recall:
    if opened.exact:
        return Recall(exact=True, k=NEIGHBOURS)
    served, (ids, _) = opened.manifest, opened.count_ids()
    chosen = np.sort(np.random.default_rng(served.generation).choice(ids, min(SAMPLE, len(ids)), replace=False))
    sample = embeddings.vectors_of(connection, served.fingerprint, chosen)
    everything = embeddings.stream_embeddings(connection, fingerprint=served.fingerprint, upto=served.revision)
    measured = opened.measure_recall(sample, everything, k=NEIGHBOURS, tell=context.tell)
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
