"""Refresh and rebuild: two ways to the next generation of the index."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from lib.contract.jobs import JobFailure
from lib.contract.states import AnswerChange
from lib.service import golden
from lib.service.embedders import Embedder, EmbedderUnusable, EmbeddingFailed, current_embedder
from lib.service.index.build import new_index
from lib.service.index.factory import Limits, choose_factory, lists_of, still_suits
from lib.service.index.generations import Generations, Superseded
from lib.service.index.lists import LEARNT_FROM
from lib.service.index.manifest import Manifest
from lib.service.index.publication import PublishStep
from lib.service.index.reader import IndexReader, IndexUnreadable
from lib.service.index.stored import Content, DamagedIndex
from lib.service.index.update import updated_index
from lib.service.operations.counting import count_if_quick
from lib.service.operations.runner import JobContext, OperationFailed
from lib.service.operations.snapshots import take_quick_snapshot
from lib.service.storage import embeddings
from lib.service.storage import golden as golden_rows
from lib.service.storage.counters import get_counters
from lib.service.storage.settings import get_setting

#: Above this share of changed vectors a full build is no slower than an update, and leaves no doubt.
REBUILD_ABOVE_RATIO = 0.3
#: An update holds what changed in memory, a full build only a batch.
REBUILD_ABOVE_BYTES = 64 << 20
#: So many vectors at the most are held to learn lists from.
LEARN_FROM_BYTES = 128 << 20


def refresh_index(context: JobContext) -> dict[str, Any]:
    """Publish a generation that has every vector there is, starting from the served one where that is quicker."""
    return context.step("refresh_index", _refresh, context) | look_at_published(context)


def rebuild_index(context: JobContext) -> dict[str, Any]:
    """Publish a generation built from nothing but the vectors."""
    context.step("safety_snapshot", take_quick_snapshot, context, f"before rebuild {context.job.job_id[:8]}")
    return context.step("rebuild_index", build_anew, context) | look_at_published(context)


def look_at_published(context: JobContext) -> dict[str, Any]:
    """What every new generation goes through once it is out: the golden questions, and a count of what disagrees."""
    asked: dict[str, Any] = context.step("ask_golden_questions", ask_golden_questions, context)
    return asked | context.step("count_drift", count_if_quick, context)


def ask_golden_questions(context: JobContext) -> dict[str, Any]:
    """Ask every golden question of the served generation, and say in the job's log which answers got worse.

    Nothing when there is none, or when this job has published no generation. It never fails the job, nor can it be
    cancelled: the generation is out already.
    """
    generations = Generations(context.config.index_dir)
    published = generations.published_by(context.job.job_id)
    with context.database.read() as connection:
        questions = golden_rows.list_questions(connection)
    if not questions or published is None:
        return {}
    reader = IndexReader(context.config.index_dir)
    try:
        embedder = current_embedder(context.database, context.config)
        answers = golden.ask_questions(context.database, questions, embedder=embedder, find=lambda vector, k: reader.search(vector, k)[1])
    except (EmbedderUnusable, EmbeddingFailed, IndexUnreadable, ValueError) as error:
        context.say(f"the golden questions were not asked: {error}", level="warning")
        return {}
    run = golden.keep_run(context.database, published, context.job.job_id, answers)
    worse = _say_regressions(context, run.run_id)
    return {"golden_questions": run.questions, "golden_passed": run.passed, "golden_regressed": worse}


def _say_regressions(context: JobContext, run_id: str) -> int:
    comparison = golden.compare_golden_runs(context.database, before=None, after=run_id)
    worse = [difference for difference in comparison.differences if difference.change is AnswerChange.REGRESSED]
    for difference in worse:
        missing = ", ".join(difference.after.missing_keys) if difference.after else ""
        context.say(f"golden question “{difference.text}” no longer finds {missing}", level="warning")
    return len(worse)


def _refresh(context: JobContext) -> dict[str, Any]:
    generations, embedder = _generations(context), current_embedder(context.database, context.config)
    served = generations.current()
    if served is None or served.fingerprint != embedder.fingerprint:
        return build_anew(context)
    with context.database.read() as connection:
        upto = get_counters(connection)["revision"]
        changes = embeddings.count_changes(connection, after=served.revision)
        if not changes:
            return {"generation": served.generation, "vectors": served.vectors, "changes": 0}
        if _needs_another(connection, served, changes):
            return build_anew(context)
        content = updated_index(
            embeddings.stream_changes(connection, fingerprint=embedder.fingerprint, after=served.revision, upto=upto),
            removals=embeddings.list_removals(connection, after=served.revision, upto=upto),
            on_progress=lambda done: context.tell("updating", done, changes),
        )
        try:
            return _publish(context, generations, content, embedder, upto, based_on=served.generation, sealed=False) | {"changes": changes}
        except DamagedIndex as damage:
            context.say(f"the served generation cannot be updated, so it is built anew: {damage}", level="warning")
    return build_anew(context)


def read_limits(connection: Connection) -> Limits:
    """Up to how many vectors an index is of which kind, as it stands in Settings."""
    return Limits(exact=int(get_setting(connection, "index.exact_upto")), each=int(get_setting(connection, "index.lists_above")))


def _spread(context: JobContext, connection: Connection, embedder: Embedder, total: int) -> NDArray[np.float32]:
    """Vectors from all over the table, as many as a kind with lists learns from and memory allows."""
    context.tell("choosing what to learn the lists from")
    ids, _ = embeddings.list_embedded(connection, embedder.fingerprint)
    lists = lists_of(choose_factory(total, read_limits(connection)))
    most = min(len(ids), LEARNT_FROM * lists, LEARN_FROM_BYTES // (4 * embedder.dimension))
    chosen, parts = np.sort(np.random.default_rng(0).choice(ids, most, replace=False)), []
    for start in range(0, most, embeddings.BATCH_ROWS):
        context.tell("choosing what to learn the lists from", start, most)
        found, vectors = embeddings.vectors_of(connection, embedder.fingerprint, chosen[start : start + embeddings.BATCH_ROWS])
        parts += [vectors] if len(found) else []
    return np.concatenate(parts)


def _needs_another(connection: Connection, served: Manifest, changes: int) -> bool:
    """Whether to build anew: it is no slower, or another kind suits by now. The table is counted only where that decides."""
    much, limits = _changed_much(changes, served), read_limits(connection)
    fewest, most = served.vectors - changes, min(served.vectors + changes, get_counters(connection)["entries"])
    if not much and still_suits(served.factory, fewest, limits) and still_suits(served.factory, most, limits):
        return False
    total = embeddings.count_embeddings(connection, served.fingerprint)
    # A table emptied of its last entry is an update too: there is nothing to build from, and the old vectors must go.
    return total > 0 and (much or not still_suits(served.factory, total, limits))


def _changed_much(changes: int, served: Manifest) -> bool:
    return changes > REBUILD_ABOVE_RATIO * served.vectors or changes * served.dimension * 4 > REBUILD_ABOVE_BYTES


def build_anew(context: JobContext) -> dict[str, Any]:
    """Build a generation from nothing but the vectors, and publish it. Safe to repeat: a job publishes one."""
    generations, embedder = _generations(context), current_embedder(context.database, context.config)
    if done := generations.published_by(context.job.job_id):  # died between publishing and the checkpoint
        return _result(done)
    with context.database.read() as connection:
        upto = get_counters(connection)["revision"]
        total = embeddings.count_embeddings(connection, embedder.fingerprint)
        if not total:
            raise OperationFailed(JobFailure.NOTHING_TO_INDEX, "No entry has a vector yet.", "Import a sheet, and let the queue drain.")
        content = new_index(
            embeddings.stream_embeddings(connection, fingerprint=embedder.fingerprint, upto=upto),
            factory=choose_factory(total, read_limits(connection)),
            dimension=embedder.dimension,
            expected=total,
            learn_from=lambda: _spread(context, connection, embedder, total),
            on_progress=lambda done: context.tell("building", done, total),
            on_learning=lambda done, rounds: context.tell("learning the lists", done, rounds),
        )
        return _publish(context, generations, content, embedder, upto)


def _generations(context: JobContext) -> Generations:
    """They tell the job when the new file is written: the last moment at which a cancel is heard."""
    return Generations(context.config.index_dir, on_step=lambda step: context.tell("publishing") if step is PublishStep.WRITTEN else None)


def _publish(
    context: JobContext,
    generations: Generations,
    content: Content,
    embedder: Embedder,
    upto: int,
    *,
    based_on: int | None = None,
    sealed: bool = True,
) -> dict[str, Any]:
    try:
        manifest = generations.publish(
            content,
            embedder=embedder.name,
            fingerprint=embedder.fingerprint,
            revision=upto,
            job_id=context.job.job_id,
            based_on=based_on,
            sealed=sealed,
        )
    except Superseded as superseded:
        raise OperationFailed(JobFailure.SUPERSEDED, str(superseded), "Nothing is lost: the next refresh takes it up.") from superseded
    return _result(manifest)


def _result(manifest: Manifest) -> dict[str, Any]:
    seconds = manifest.build_seconds
    return {"generation": manifest.generation, "vectors": manifest.vectors, "build_seconds": seconds, "revision": manifest.revision}
