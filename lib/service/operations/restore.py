"""Restore: serve what was inspected, as the next generation, and leave the table and its queue as they are.

A generation says up to which revision of the table it is complete, and the next refresh takes up what is newer. Of a restored
one that is made true row by row: whatever the candidate lacks, or has otherwise than the table, is marked as changed just now,
and whatever it has that the table has not is marked as removed just now. So nothing is believed of the candidate that was not
compared, and the refresh that follows brings it up to date, neither more nor less.
"""

from __future__ import annotations

import json
import shutil
import time
from typing import Any

import numpy as np

from lib.contract.faults import BadFile
from lib.contract.jobs import JobFailure
from lib.service.embedders import current_embedder
from lib.service.index.generations import Generations
from lib.service.index.quarantine import Staged, check_set
from lib.service.index.saved import SavedManifest
from lib.service.operations.index import look_at_published
from lib.service.operations.inspections import REPORT_FILE
from lib.service.operations.runner import JobContext, OperationFailed
from lib.service.operations.snapshots import take_quick_snapshot
from lib.service.storage import embeddings
from lib.service.storage.counters import get_counters, next_revision


def restore_index(context: JobContext) -> dict[str, Any]:
    """Safety snapshot, then the swap; the generation before it stays for going back."""
    context.step("safety_snapshot", take_quick_snapshot, context, f"before restore {context.job.job_id[:8]}")
    result: dict[str, Any] = context.step("restore_index", _restore, context)
    return result | look_at_published(context)


def _restore(context: JobContext) -> dict[str, Any]:
    generations = Generations(context.config.index_dir)
    inspection_id = context.job.arguments["inspection_id"]
    if done := generations.published_by(context.job.job_id):  # died between publishing and the checkpoint
        return {"generation": done.generation, "vectors": done.vectors}
    began = time.monotonic()
    context.tell("proving it once more")
    staged, facts, trusted = _open(context, inspection_id)
    with context.hold_workers("while the index is restored"):
        context.tell("restoring")
        revision, differences = _mark_differences(context, staged, trusted)
        manifest = generations.publish_file(
            staged.index_path, facts, revision=revision, job_id=context.job.job_id, build_seconds=time.monotonic() - began
        )
    return {"generation": manifest.generation, "vectors": manifest.vectors, "differences": differences}


def _open(context: JobContext, inspection_id: str) -> tuple[Staged, SavedManifest, int | None]:
    folder = context.config.quarantine_dir / inspection_id
    try:
        report = json.loads((folder / REPORT_FILE).read_bytes())
        staged = check_set(folder)
    except FileNotFoundError as gone:
        shutil.rmtree(folder, ignore_errors=True)
        raise OperationFailed(JobFailure.INSPECTION_MISSING, "What was inspected is gone.", "Inspect it again.") from gone
    except BadFile as bad:
        raise OperationFailed(JobFailure.CANDIDATE_CHANGED, str(bad), "Inspect it again.") from bad
    if staged.sha256 != report["sha256"] or staged.manifest is None:
        raise OperationFailed(JobFailure.CANDIDATE_CHANGED, "It is not the file that was inspected.", "Inspect it again.")
    return staged, staged.manifest, report["trusted_revision"]


def _mark_differences(context: JobContext, staged: Staged, trusted: int | None) -> tuple[int, int]:
    """(the revision up to which the candidate is now complete, how many rows the next refresh will have to bring in line)."""
    candidate, fingerprint = staged.read_ids(), current_embedder(context.database, context.config).fingerprint
    with context.write() as connection:
        before = get_counters(connection)["revision"]
        ids, revisions = embeddings.list_embedded(connection, fingerprint)
        # Of a candidate whose vectors did not prove right, none is believed.
        stale = ids if trusted is None else ids[(revisions > trusted) | ~np.isin(ids, candidate)]
        gone = candidate[~np.isin(candidate, ids)]
        if len(stale) or len(gone):
            revision = next_revision(connection)
            embeddings.mark_changed(connection, stale, revision)
            embeddings.mark_removed(connection, gone, revision)
    return before, len(stale) + len(gone)
