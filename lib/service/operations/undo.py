"""Undo: put back what one import changed, in one transaction, without embedding anything."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from lib.contract.jobs import JobFailure
from lib.contract.model import utc_now
from lib.service.embedders import current_embedder
from lib.service.operations.runner import Fenced, JobContext, OperationFailed
from lib.service.operations.snapshots import take_safety_snapshot
from lib.service.storage import agreements, changes, jobs


def undo_import(context: JobContext) -> dict[str, Any]:
    """Every row ends reversed, or kept because somebody has changed it since."""
    context.step("safety_snapshot", take_safety_snapshot, context, f"before undo {context.job.job_id[:8]}")
    return context.step("undo_import", _undo, context, context.job.arguments["import_job_id"])


def _undo(context: JobContext, import_job_id: str) -> dict[str, Any]:
    with context.database.read() as connection:
        imported = jobs.get_job(connection, import_job_id)
    if imported is None or imported.result is None:
        raise OperationFailed(JobFailure.IMPORT_MISSING, "The import is gone: it was removed by age.", "It can no longer be undone.")
    if imported.result.get("undone_by") == context.job.job_id:  # died between the commit and the checkpoint
        did: dict[str, Any] = imported.result["undone"]
        return did
    fingerprint = current_embedder(context.database, context.config).fingerprint
    with context.hold_workers("while an import is undone"):
        context.tell("putting back", 0, sum(int(imported.result.get(change, 0)) for change in ("new", "changed", "removed")))
        with context.database.write() as connection:
            if not jobs.is_owned(connection, context.job.job_id, attempt=context.attempt):
                raise Fenced
            undone = changes.undo_import(
                connection,
                import_job_id=import_job_id,
                job_id=context.job.job_id,
                fingerprint=fingerprint,
                now=utc_now(),
            )
            if agreed_with := imported.result.get("agreed_with"):
                agreements.take_back_agreed(connection, sheet=agreed_with, import_job_id=import_job_id)
            did = {"import_job_id": import_job_id, **asdict(undone)}
            jobs.amend_result(connection, import_job_id, imported.result | {"undone_by": context.job.job_id, "undone": did})
    context.say(f"put back {undone.reversed:,} rows, kept {undone.kept:,} that were changed since; {undone.to_embed:,} to embed")
    return did
