"""Import: read a source and compare it with the table (the plan), then apply exactly that plan."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lib.contract.imports import HELD_REMOVALS_ABOVE, HELD_REMOVALS_RATIO, ColumnMapping, PlanCounts
from lib.contract.jobs import JobFailure
from lib.contract.model import utc_now
from lib.contract.states import Change, ImportMode, PlanState
from lib.service.embedders import current_embedder
from lib.service.operations.comparison import Comparison
from lib.service.operations.runner import JobContext, OperationFailed
from lib.service.operations.snapshots import take_safety_snapshot
from lib.service.sheets import csv_file
from lib.service.storage import changes, entries, plans
from lib.service.storage.counters import get_counters

#: Plan rows written at once.
BATCH_ROWS = 5000


def preview_import(context: JobContext) -> dict[str, Any]:
    """Make the plan; its counts are the job's result. A source that cannot be read fails plan and job alike."""
    try:
        return context.step("build_plan", _build_plan, context, context.job.arguments["plan_id"])
    except csv_file.UnreadableSheet as error:
        raise OperationFailed(JobFailure.UNREADABLE_SOURCE, error.detail, error.action) from error


def _build_plan(context: JobContext, plan_id: str) -> dict[str, Any]:
    path, mapping, mode = _open_source(context, plan_id)
    dialect = csv_file.detect_dialect(path)
    header = csv_file.read_header(path, dialect)
    _check_mapping(mapping, header)
    with context.write() as connection:
        plans.clear_plan_rows(connection, plan_id)  # of an attempt that died half-way
    context.tell("reading the table")
    with context.database.read() as connection:
        table_revision = get_counters(connection)["table_revision"]
        known = entries.hashes_by_key(connection)
    table_size = len(known)
    comparison = Comparison(header=header, mapping=mapping, known=known)
    _compare(context, plan_id, path, dialect, comparison)
    if not comparison.records:
        raise OperationFailed(
            JobFailure.NO_RECORDS,
            "The sheet has a header and no row below it. That is not read as “remove everything”.",
            "Check the file or the tab.",
        )
    if mode is ImportMode.MIRROR:
        _plan_removals(context, plan_id, comparison)
    return _finish_plan(context, plan_id, path, dialect, comparison, table_revision=table_revision, table_size=table_size)


def _open_source(context: JobContext, plan_id: str) -> tuple[Path, ColumnMapping, ImportMode]:
    with context.database.read() as connection:
        plan = plans.get_plan(connection, plan_id)
    if plan is None:
        raise OperationFailed(JobFailure.PLAN_MISSING, "The plan was removed before it was made.", "Preview the source again.")
    path = context.config.uploads_dir / plan.source["upload_id"]
    if not path.is_file():
        raise OperationFailed(JobFailure.UPLOAD_MISSING, "The uploaded file is gone: it was removed by age.", "Upload the file again.")
    return path, ColumnMapping.model_validate(plan.mapping), ImportMode(plan.mode)


def _check_mapping(mapping: ColumnMapping, header: list[str]) -> None:
    if missing := [name for name in (mapping.key, *mapping.text, *mapping.fields) if name not in header]:
        raise OperationFailed(
            JobFailure.COLUMNS_MISSING,
            f"The sheet has no column called {', '.join(missing)}. It has: {', '.join(header)}.",
            "Map the columns again. If the sheet was restructured, check that it is the right one.",
        )


def _compare(context: JobContext, plan_id: str, path: Path, dialect: csv_file.Dialect, comparison: Comparison) -> None:
    size, batch = path.stat().st_size, []
    for record in csv_file.read_records(path, dialect):
        row = comparison.classify(record)
        if row is not None:
            batch.append(row)
        if len(batch) >= BATCH_ROWS:
            _write_rows(context, plan_id, comparison, batch)
            batch = []
        if comparison.records % 1000 == 0:
            # The number of rows is not known before the end: estimate it from the bytes read so far.
            context.tell("comparing", comparison.records, _estimate_total(comparison, size))
    _write_rows(context, plan_id, comparison, batch)
    context.tell("comparing", comparison.records, comparison.records)


def _estimate_total(comparison: Comparison, size: int) -> int | None:
    read = comparison.characters
    return max(comparison.records, int(comparison.records * size / read)) if read else None


def _write_rows(context: JobContext, plan_id: str, comparison: Comparison, batch: list[Any]) -> None:
    if not batch:
        return
    with context.database.read() as connection:
        comparison.add_differences(connection, batch)
    with context.write() as connection:
        plans.add_plan_rows(connection, [row.as_tuple(plan_id) for row in batch])


def _plan_removals(context: JobContext, plan_id: str, comparison: Comparison) -> None:
    removed = comparison.removals()
    for start in range(0, len(removed), BATCH_ROWS):
        _write_rows(context, plan_id, comparison, removed[start : start + BATCH_ROWS])
        context.tell("listing removals", start, len(removed))


def _finish_plan(
    context: JobContext,
    plan_id: str,
    path: Path,
    dialect: csv_file.Dialect,
    comparison: Comparison,
    *,
    table_revision: int,
    table_size: int,
) -> dict[str, Any]:
    counts = PlanCounts(**comparison.counts)
    held = counts.removed if counts.removed > HELD_REMOVALS_ABOVE and counts.removed > HELD_REMOVALS_RATIO * table_size else 0
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    fingerprint = current_embedder(context.database, context.config).fingerprint
    with context.write() as connection:
        to_embed = plans.count_to_embed(connection, plan_id, fingerprint)
        plans.update_plan(
            connection,
            plan_id,
            state=PlanState.READY,
            counts=counts.model_dump(),
            to_embed=to_embed,
            held_removals=held,
            table_revision=table_revision,
            source_sha256=sha256,
            encoding=dialect.encoding,
            delimiter=dialect.delimiter,
        )
    return {"plan_id": plan_id, **counts.model_dump(), "to_embed": to_embed}


def apply_import(context: JobContext) -> dict[str, Any]:
    """Write the plan into table and queue: all of it in one transaction, or none of it."""
    plan_id = context.job.arguments["plan_id"]
    if _removes_entries(context, plan_id):
        context.step("safety_snapshot", take_safety_snapshot, context, f"before import {context.job.job_id[:8]}")
    return context.step("apply_plan", _apply_plan, context, plan_id)


def _removes_entries(context: JobContext, plan_id: str) -> bool:
    with context.database.read() as connection:
        plan = plans.get_plan(connection, plan_id)
    return plan is not None and plan.counts.get(Change.REMOVED, 0) > 0


def _apply_plan(context: JobContext, plan_id: str) -> dict[str, Any]:
    with context.database.read() as connection:
        plan = plans.get_plan(connection, plan_id)
    if plan is None:
        raise OperationFailed(JobFailure.PLAN_MISSING, "The plan is gone: it was removed by age.", "Preview the source again.")
    if plan.applied_by_job == context.job.job_id:  # died between the commit and the checkpoint
        return _result(plan, plan.applied)
    _check_source(context, plan)
    with context.hold_workers("while an import is applied"):
        applied = _commit(context, plan, current_embedder(context.database, context.config).fingerprint)
    context.say(
        f"applied: {applied['new']:,} new, {applied['changed']:,} changed, {applied['removed']:,} removed; "
        f"{applied['to_embed']:,} to embed, {applied['from_cache']:,} vectors known already"
    )
    return _result(plan, applied)


def _commit(context: JobContext, plan: Any, fingerprint: str) -> dict[str, Any]:
    context.tell("applying", 0, sum(plan.counts.get(change, 0) for change in (Change.NEW, Change.CHANGED, Change.REMOVED)))
    with context.write() as connection:
        if get_counters(connection)["table_revision"] != plan.table_revision:
            raise OperationFailed(JobFailure.PLAN_STALE, "The table has changed since this plan was made.", "Preview the source again.")
        approved = context.job.arguments.get("approve_removals")
        applied = changes.apply_plan(
            connection,
            plan_id=plan.plan_id,
            job_id=context.job.job_id,
            with_removals=not plan.held_removals or approved is not None,
            fingerprint=fingerprint,
            now=utc_now(),
        )
        did = asdict(applied)
        plans.update_plan(connection, plan.plan_id, state=PlanState.APPLIED, applied_by_job=context.job.job_id, applied=did)
    return did


def _result(plan: Any, applied: dict[str, Any]) -> dict[str, Any]:
    left_alone = {change: plan.counts.get(change, 0) for change in ("unchanged", "invalid")}
    return {"plan_id": plan.plan_id, "source_name": plan.source_name, **left_alone, **applied}


def _check_source(context: JobContext, plan: Any) -> None:
    path = context.config.uploads_dir / plan.source["upload_id"]
    if path.is_file():  # removed by age is harmless: the plan's rows are what is applied
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != plan.source_sha256:
                raise OperationFailed(JobFailure.PLAN_STALE, "The uploaded file has changed since this plan was made.", "Preview it again.")
