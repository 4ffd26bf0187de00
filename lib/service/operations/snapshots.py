"""Snapshots: a saved copy of the served generation, made aside and renamed."""

from __future__ import annotations

from typing import Any

from lib.contract.jobs import JobFailure
from lib.contract.model import utc_now
from lib.contract.names import is_seen
from lib.service.index.bundle import Bundle
from lib.service.index.generations import Generations
from lib.service.index.saved import save_copy
from lib.service.index.stored import DamagedIndex
from lib.service.operations.runner import JobContext, OperationFailed
from lib.service.storage import snapshots
from lib.service.storage.entries import hash_table

#: The note of a safety snapshot; what it was taken before stands in its name.
BY_ITSELF = "taken by itself: what was served before that"


def take_snapshot(context: JobContext) -> dict[str, Any]:
    """Save a copy because somebody asked for it."""
    arguments = context.job.arguments
    wanted = arguments.get("name", "").strip()
    name = wanted if is_seen(wanted) else f"snapshot {utc_now():%Y-%m-%d %H:%M}"
    snapshot = context.step("take_snapshot", _take, context, name, arguments.get("note", ""), False)
    if snapshot is None:
        raise OperationFailed(JobFailure.NO_INDEX, "There is no index to save yet.", "Import a sheet, and let the queue drain.")
    return snapshot


def take_safety_snapshot(context: JobContext, name: str) -> dict[str, Any] | None:
    """Save a copy before something destructive; None when there is no index to save."""
    return _take(context, name, BY_ITSELF, True)


def take_quick_snapshot(context: JobContext, name: str) -> dict[str, Any] | None:
    """The same in a moment, before something that leaves the served file alone: nobody stands still, and nothing is copied.

    None also when the served file is damaged: what comes next is its cure.
    """
    with context.database.read() as connection:
        table_sha256 = hash_table(connection)
    try:
        return _save(context, name, BY_ITSELF, automatic=True, table_sha256=table_sha256, quickly=True)
    except (DamagedIndex, RuntimeError) as damage:  # RuntimeError is what FAISS raises for a file it cannot read
        context.say(f"no safety snapshot, because the served file is damaged: {damage}"[:500], level="warning")
        return None


def _take(context: JobContext, name: str, note: str, automatic: bool) -> dict[str, Any] | None:
    context.tell("saving a snapshot")
    with context.hold_workers("while a snapshot is taken"):
        with context.database.read() as connection:
            table_sha256 = hash_table(connection)
        try:
            return _save(context, name, note, automatic=automatic, table_sha256=table_sha256)
        except DamagedIndex as damage:
            action = "Rebuild the index, for which nothing is missing; then start it again."
            raise OperationFailed(JobFailure.INDEX_DAMAGED, str(damage), action) from damage


def _save(context: JobContext, name: str, note: str, *, automatic: bool, table_sha256: str, quickly: bool = False) -> dict[str, Any] | None:
    generations = Generations(context.config.index_dir)
    snapshot_id = context.job.job_id  # one per job: a repeated step makes the same one
    folder = context.config.snapshots_dir / snapshot_id
    served = generations.current()
    if served is None:
        return None
    served = generations.seal(served)
    facts = save_copy(generations.folder_of(served), served, folder, table_sha256=table_sha256, quickly=quickly)
    # Automatic ones are seldom downloaded: their digest is made when one is.
    bundle = None if automatic else Bundle(folder).facts()
    with context.database.write() as connection:
        snapshots.put_snapshot(
            connection,
            snapshot_id=snapshot_id,
            name=name,
            note=note,
            generation=served.generation,
            vectors=served.vectors,
            dimension=served.dimension,
            embedder=served.embedder,
            size_bytes=facts.size_bytes,
            sha256=served.index_file.sha256,
            taken_at=utc_now(),
            taken_by=context.job.requested_by,
            job_id=context.job.job_id,
            automatic=automatic,
            bundle_sha256=bundle.sha256 if bundle else None,
            bundle_bytes=bundle.size_bytes if bundle else None,
        )
    return {"snapshot_id": snapshot_id, "name": name, "generation": served.generation, "vectors": served.vectors}
