"""Snapshots: a saved copy of the served generation, made aside and renamed."""

from __future__ import annotations

from typing import Any

from lib.contract.jobs import JobFailure
from lib.contract.model import utc_now
from lib.service.index.generations import Generations
from lib.service.index.saved import save_copy
from lib.service.operations.runner import JobContext, OperationFailed
from lib.service.storage import snapshots
from lib.service.storage.entries import hash_table


def take_snapshot(context: JobContext) -> dict[str, Any]:
    """Save a copy because somebody asked for it."""
    arguments = context.job.arguments
    name = arguments.get("name", "").strip() or f"snapshot {utc_now():%Y-%m-%d %H:%M}"
    snapshot = context.step("take_snapshot", _take, context, name, arguments.get("note", ""), False)
    if snapshot is None:
        raise OperationFailed(JobFailure.NO_INDEX, "There is no index to save yet.", "Import a sheet, and let the queue drain.")
    return snapshot


def take_safety_snapshot(context: JobContext, name: str) -> dict[str, Any] | None:
    """Save a copy before something destructive; None when there is no index to save."""
    return _take(context, name, f"taken by itself before job {context.job.job_id}", True)


def _take(context: JobContext, name: str, note: str, automatic: bool) -> dict[str, Any] | None:
    generations = Generations(context.config.index_dir)
    snapshot_id = context.job.job_id  # one per job: a repeated step makes the same one
    context.tell("saving a snapshot")
    with context.hold_workers("while a snapshot is taken"):
        with context.database.read() as connection:
            table_sha256 = hash_table(connection)
        served = generations.current()
        if served is None:
            return None
        facts = save_copy(generations.folder_of(served), served, context.config.snapshots_dir / snapshot_id, table_sha256=table_sha256)
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
        )
    return {"snapshot_id": snapshot_id, "name": name, "generation": served.generation, "vectors": served.vectors}
