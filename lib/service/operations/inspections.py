"""Inspect: read a strange file safely, and say what would change if it were served. Nothing else is written than its report."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from lib.contract.faiss_file import Structure
from lib.contract.faults import BadFile, Fault
from lib.contract.inspections import InspectedFacts, InspectRequest, Obstacle, SampleRow, SnapshotSource, UploadedSource
from lib.contract.jobs import JobFailure
from lib.contract.states import Verdict
from lib.service.embedders import Embedder, current_embedder
from lib.service.index.durable import write_synced
from lib.service.index.factory import is_ours
from lib.service.index.quarantine import Staged, check_structure, stage_copy, stage_upload
from lib.service.index.sandbox import Examined, examine
from lib.service.operations.inspection_report import Candidate, compare_candidate
from lib.service.operations.runner import JobContext, OperationFailed
from lib.service.storage import entries, plans, snapshots
from lib.service.storage.settings import get_model, get_setting

REPORT_FILE = "report.json"
_MIB = 1 << 20
#: Which setting says how large a file may be that is taken in.
LIMIT_SETTING = "index.max_snapshot_mib"


def inspect_file(context: JobContext) -> dict[str, Any]:
    """The report is kept beside the file; the job's result says what it comes to."""
    return context.step("inspect_file", _inspect, context)


def _inspect(context: JobContext) -> dict[str, Any]:
    folder = context.config.quarantine_dir / context.job.job_id
    name = str(context.job.arguments["name"])
    report: dict[str, Any]
    try:
        staged = _stage(context, folder)
        report = _report(context, staged)
    except BadFile as bad:
        context.say(f"refused: {bad}", level="warning")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        obstacle = Obstacle(fault=bad.fault, detail=bad.detail)
        report = {"verdict": Verdict.REFUSED, "obstacles": [obstacle.model_dump(mode="json")]}
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)  # cancelled or broken off: nothing of it stays
        raise
    report |= {"inspection_id": context.job.job_id, "name": name}
    write_synced(folder / REPORT_FILE, json.dumps(report).encode())
    obstacles = report.get("obstacles", [])
    with context.database.read() as connection:
        model = get_model(connection)
    return {
        "name": name,
        "verdict": report["verdict"],
        "fault": obstacles[0]["fault"] if obstacles else None,
        "detail": obstacles[0]["detail"] if obstacles else None,
        "vectors": (report.get("facts") or {}).get("vectors"),
        "model": model,  # the one it was compared with
    }


def _stage(context: JobContext, folder: Path) -> Staged:
    context.tell("taking it into quarantine")
    source = InspectRequest.model_validate({"source": context.job.arguments["source"]}).source
    return _stage_snapshot(context, source, folder) if isinstance(source, SnapshotSource) else _stage_upload(context, source, folder)


def _stage_snapshot(context: JobContext, source: SnapshotSource, folder: Path) -> Staged:
    _need_snapshot(context, source)
    try:
        return stage_copy(context.config.snapshots_dir / source.snapshot_id, folder)
    except (BadFile, FileNotFoundError):
        _need_snapshot(context, source)  # deleted this moment: that is no fault of its files
        raise


def _need_snapshot(context: JobContext, source: SnapshotSource) -> None:
    with context.database.read() as connection:
        found = snapshots.get_snapshot(connection, source.snapshot_id)
    if found is None:
        raise OperationFailed(JobFailure.SNAPSHOT_MISSING, "The snapshot is gone.", "Choose another.")


def _stage_upload(context: JobContext, source: UploadedSource, folder: Path) -> Staged:
    with context.database.read() as connection:
        upload = plans.get_upload(connection, source.upload_id)
        limit = int(get_setting(connection, LIMIT_SETTING)) * _MIB
    path = context.config.uploads_dir / source.upload_id
    if upload is None or not path.is_file():
        raise OperationFailed(JobFailure.UPLOAD_MISSING, "The uploaded file is gone.", "Upload it again.")
    return stage_upload(path, upload.name, folder, sha256=source.sha256, limit_bytes=limit)


def _report(context: JobContext, staged: Staged) -> dict[str, Any]:
    context.tell("walking its structure")
    structure, embedder = check_structure(staged), current_embedder(context.database, context.config)
    obstacles = find_obstacles(staged, structure, embedder)
    comparable = structure.has_ids and structure.dimension == embedder.dimension
    candidate = Candidate(context, embedder, staged.manifest) if comparable else None
    examined = _examine(context, candidate, staged.index_path)
    if staged.manifest and examined.facts["ids_sha256"] != staged.manifest.ids_sha256:
        raise BadFile(Fault.BAD_IDS, "The ids in the index are not the ones the manifest announces.")
    if examined.facts["off_norm"]:
        detail = f"{examined.facts['off_norm']:,} vectors are longer or shorter than 1 by more than 5 %."
        obstacles.append(Obstacle(fault=Fault.WRONG_NORMS, detail=detail))
    context.tell("comparing it with what is served")
    report: dict[str, Any] = compare_candidate(candidate, examined) if candidate else {"verdict": Verdict.STRANGE}
    facts = _facts(context, staged, structure, examined)
    if obstacles:
        report["verdict"] = Verdict.STRANGE
    return report | {
        "facts": facts.model_dump(mode="json"),
        "obstacles": [each.model_dump(mode="json") for each in obstacles],
        "sha256": staged.sha256,
    }


def _examine(context: JobContext, candidate: Candidate | None, path: Path) -> Examined:
    def tell() -> None:
        context.tell("reading it in a process of its own")

    tell()
    return candidate.examine(path, tell) if candidate else examine(path, while_waiting=tell)


def find_obstacles(staged: Staged, structure: Structure, embedder: Embedder) -> list[Obstacle]:
    """Why this file, harmless as it is, cannot be served."""
    found = []
    if staged.manifest is None:
        found.append((Fault.NO_MANIFEST, "Only a complete set, as it was downloaded, can be restored."))
    elif staged.manifest.fingerprint != embedder.fingerprint:
        found.append((Fault.WRONG_MODEL, f"Made by {staged.manifest.embedder}; the model in use is {embedder.name}."))
    if structure.dimension != embedder.dimension:
        found.append((Fault.WRONG_DIMENSION, f"Its vectors have {structure.dimension} components, the model's {embedder.dimension}."))
    if structure.metric != "inner_product":
        found.append((Fault.WRONG_METRIC, f"It compares by {structure.metric}, the service by inner_product."))
    if not is_ours(structure.kind):
        found.append((Fault.WRONG_KIND, f"It is {structure.kind}, a kind the service does not write."))
    return [Obstacle(fault=fault, detail=detail) for fault, detail in found]


def _facts(context: JobContext, staged: Staged, structure: Structure, examined: Examined) -> InspectedFacts:
    found, said = examined.facts, staged.manifest
    low, mean, high = found["norms"] or (None, None, None)
    return InspectedFacts(
        kind=structure.kind,
        dimension=structure.dimension,
        vectors=structure.vectors,
        metric=structure.metric,
        size_bytes=staged.index_path.stat().st_size,
        sha256=staged.sha256,
        has_ids=structure.has_ids,
        first_id=found["first_id"],
        last_id=found["last_id"],
        duplicate_vectors=found["duplicate_vectors"],
        zero_vectors=found["zero_vectors"],
        off_norm=found["off_norm"],
        norm_min=low,
        norm_mean=mean,
        norm_max=high,
        self_hits=found["self_hits"],
        self_tried=found["self_tried"],
        embedder=said.embedder if said else None,
        generation=said.generation if said else None,
        revision=said.revision if said else None,
        built_at=said.built_at if said else None,
        faiss_version=said.faiss_version if said else None,
        sample=_sample(context, found.get("some_ids", [])),
    )


def _sample(context: JobContext, ids: list[int]) -> list[SampleRow]:
    with context.database.read() as connection:
        known = entries.get_entries(connection, ids)
    return [
        SampleRow(entry_id=each, key=known[each].key, text=known[each].text[:200]) if each in known else SampleRow(entry_id=each)
        for each in ids
    ]
