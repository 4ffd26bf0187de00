"""Import: read a source and compare it with the table (the plan), then apply exactly that plan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection

from lib.contract.imports import ColumnMapping, PlanCounts, hold_removals
from lib.contract.jobs import JobFailure
from lib.contract.model import utc_now
from lib.contract.states import Change, ImportMode, PlanState, ShiftKind
from lib.service.embedders import current_embedder
from lib.service.operations.agreement import Agreement
from lib.service.operations.comparison import ComparedRow, Comparison, add_differences
from lib.service.operations.rehearsed import take_rehearsed_vectors
from lib.service.operations.runner import JobContext, OperationFailed
from lib.service.operations.snapshots import take_safety_snapshot
from lib.service.operations.sources import check_unmoved, open_source
from lib.service.sheets.reading import Record, Sheet, UnreadableSheet
from lib.service.sheets.row_marks import RowMarks
from lib.service.storage import agreements, changes, entries, plans, runs, shift
from lib.service.storage.counters import get_counters
from lib.service.storage.mappings import remember_mapping, source_key
from lib.service.storage.workers import count_willing

#: Records compared and plan rows written at once; whichever comes first.
BATCH_ROWS, BATCH_CHARACTERS = 5000, 4_000_000


def preview_import(context: JobContext) -> dict[str, Any]:
    """Make the plan; its counts are the job's result. A source that cannot be read fails plan and job alike."""
    try:
        return context.step("build_plan", _build_plan, context, context.job.arguments["plan_id"])
    except UnreadableSheet as error:
        raise OperationFailed(error.code, error.detail, error.action) from error


def _build_plan(context: JobContext, plan_id: str) -> dict[str, Any]:
    with context.database.read() as connection:
        plan = plans.get_plan(connection, plan_id)
    if plan is None:
        raise OperationFailed(JobFailure.PLAN_MISSING, "The plan was removed before it was made.", "Preview the source again.")
    context.tell("opening the source")
    with open_source(context, plan) as sheet:
        return _read_sheet(context, plan, sheet)


def _read_sheet(context: JobContext, plan: Any, sheet: Sheet) -> dict[str, Any]:
    mapping = ColumnMapping.model_validate(plan.mapping)
    _check_mapping(mapping, sheet.header)
    with context.write() as connection:
        plans.clear_plan_rows(connection, plan.plan_id)  # of an attempt that died half-way
        counters = get_counters(connection)
    comparison = Comparison(header=sheet.header, mapping=mapping)
    marks = RowMarks(sheet.header.index(mapping.key)) if plan.source["kind"] == "google_sheet" else None  # a file never moves by a row
    _compare(context, plan.plan_id, sheet, comparison, marks)
    if not comparison.records:
        raise OperationFailed(
            JobFailure.NO_RECORDS,
            "The sheet has a header and no row below it. That is not read as “remove everything”.",
            "Check the file or the tab.",
        )
    if plan.mode == ImportMode.MIRROR:
        _plan_removals(context, plan.plan_id, comparison)
    if marks:
        with context.write() as connection:
            plans.put_plan_marks(connection, plan.plan_id, marks.pack())
    return _finish_plan(context, plan.plan_id, sheet, comparison, counters=counters)


def _check_mapping(mapping: ColumnMapping, header: list[str]) -> None:
    if missing := [name for name in (mapping.key, *mapping.text, *mapping.fields) if name not in header]:
        raise OperationFailed(
            JobFailure.COLUMNS_MISSING,
            f"The sheet has no column called {', '.join(missing)}. It has: {', '.join(header)}.",
            "Map the columns again. If the sheet was restructured, check that it is the right one.",
        )


def _compare(context: JobContext, plan_id: str, sheet: Sheet, comparison: Comparison, marks: RowMarks | None) -> None:
    for batch in _batches(marks.watch(sheet.records()) if marks else sheet.records()):
        with context.database.read() as connection:
            rows = comparison.compare(connection, batch)
        _write_rows(context, plan_id, rows)
        context.tell("comparing", comparison.records, _estimate_total(comparison.records, sheet.read_ratio()))
    context.tell("comparing", comparison.records, comparison.records)


def _batches(records: Iterable[Record]) -> Iterator[list[Record]]:
    """Many short records at once, or few long ones: a batch is bounded by both."""
    batch: list[Record] = []
    characters = 0
    for record in records:
        batch.append(record)
        characters += sum(map(len, record.cells))
        if len(batch) >= BATCH_ROWS or characters >= BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def _estimate_total(records: int, ratio: float | None) -> int | None:
    """The number of rows is seldom known before the end: estimated from how much of the source they have used up."""
    return max(records, int(records / ratio)) if ratio else None


def _write_rows(context: JobContext, plan_id: str, rows: list[ComparedRow]) -> None:
    if rows:
        with context.write() as connection:
            plans.add_plan_rows(connection, [row.as_tuple(plan_id) for row in rows])


def _plan_removals(context: JobContext, plan_id: str, comparison: Comparison) -> None:
    """Entries that no record named. A page at a time: a table of any size fits."""
    after, looked_at = 0, 0
    while True:
        with context.database.read() as connection:
            page = entries.list_keys(connection, after=after, limit=BATCH_ROWS)
            rows = comparison.removals(page)
            add_differences(connection, rows)
        if not page:
            return
        _write_rows(context, plan_id, rows)
        after, looked_at = page[-1].entry_id, looked_at + len(page)
        context.tell("looking for removals", looked_at)


def _finish_plan(context: JobContext, plan_id: str, sheet: Sheet, comparison: Comparison, *, counters: Mapping[str, int]) -> dict[str, Any]:
    counts = PlanCounts(**comparison.counts)
    context.tell("checking what was read")
    source_sha256, fingerprint = sheet.fingerprint(), current_embedder(context.database, context.config).fingerprint
    with context.write() as connection:
        to_embed = plans.count_to_embed(connection, plan_id, fingerprint)
        plans.update_plan(
            connection,
            plan_id,
            state=PlanState.READY,
            counts=counts.model_dump(),
            to_embed=to_embed,
            fingerprint=fingerprint,
            rules=dict(comparison.rules),
            held_removals=hold_removals(counts.removed, counters["entries"]),
            table_revision=counters["table_revision"],
            source_sha256=source_sha256,
            read_as=sheet.read_as.model_dump(mode="json"),
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
    return plan is not None and _count_ticked(plan, Change.REMOVED) > 0


def _count_ticked(plan: Any, *changes: Change) -> int:
    """How many rows of these kinds are to be written: all that nobody has unticked."""
    unticked = plan.unticked or {}
    return sum(plan.counts.get(change, 0) - unticked.get(change, 0) for change in changes)


def _apply_plan(context: JobContext, plan_id: str) -> dict[str, Any]:
    with context.database.read() as connection:
        plan = plans.get_plan(connection, plan_id)
    if plan is None:
        raise OperationFailed(JobFailure.PLAN_MISSING, "The plan is gone: it was removed by age.", "Preview the source again.")
    if plan.applied_by_job == context.job.job_id:  # died between the commit and the checkpoint
        return _result(plan, plan.applied)
    agreement = Agreement(context, plan)
    check_unmoved(context, plan, agreement.listen_to)
    agreement.flush()
    embedder = current_embedder(context.database, context.config)
    take_rehearsed_vectors(context, embedder)
    with context.hold_workers("while an import is applied"):
        applied = _commit(context, plan, embedder.fingerprint, agreement.sheet)
    context.say(
        f"applied: {applied['new']:,} new, {applied['changed']:,} changed, {applied['removed']:,} removed; "
        f"{applied['to_embed']:,} to embed, {applied['from_cache']:,} vectors known already"
    )
    return _result(plan, applied)


def _commit(context: JobContext, plan: Any, fingerprint: str, agreed_with: str | None) -> dict[str, Any]:
    """What was done. ``agreed_with`` is the Google sheet the plan was made from."""
    context.tell("applying", 0, _count_ticked(plan, Change.NEW, Change.CHANGED, Change.REMOVED))
    with context.write() as connection:
        if get_counters(connection)["table_revision"] != plan.table_revision:
            raise OperationFailed(JobFailure.PLAN_STALE, "The table has changed since this plan was made.", "Preview the source again.")
        applied = changes.apply_plan(
            connection,
            plan_id=plan.plan_id,
            job_id=context.job.job_id,
            with_removals=not plan.held_removals or context.job.arguments.get("approve_removals") is not None,
            fingerprint=fingerprint,
            now=utc_now(),
        )
        did = asdict(applied)
        _begin_run(connection, context, fingerprint)
        if agreed_with:
            agreements.adopt_staged(connection, sheet=agreed_with, job_id=context.job.job_id, plan_id=plan.plan_id)
            did["agreed_with"] = agreed_with
        _pin_to_shift_log(connection, context, plan.source_name, did)
        plans.update_plan(connection, plan.plan_id, state=PlanState.APPLIED, applied_by_job=context.job.job_id, applied=did)
        remember_mapping(
            connection,
            source_key(plan.source, plan.source_name),
            mapping=plan.mapping,
            source=plan.source,
            actor=context.job.requested_by,
            now=utc_now(),
        )
    return did


def _begin_run(connection: Connection, context: JobContext, fingerprint: str) -> None:
    """How long it takes until nothing waits is what the next import's time left is learned from."""
    counts, now = get_counters(connection), utc_now().timestamp()
    runs.begin_run(
        connection,
        job_id=context.job.job_id,
        fingerprint=fingerprint,
        rows=counts["pending"] + counts["leased"],
        workers=count_willing(connection, now),
        now=now,
    )


def _pin_to_shift_log(connection: Connection, context: JobContext, source_name: str, did: dict[str, Any]) -> None:
    text = f"Imported {source_name}: {did['new']:,} new, {did['changed']:,} changed, {did['removed']:,} removed"
    about: dict[str, Any] = {"actor": context.job.requested_by, "at": utc_now(), "job_id": context.job.job_id}
    shift.add_entry(connection, kind=ShiftKind.IMPORT, text=text, **about)


def _result(plan: Any, applied: dict[str, Any]) -> dict[str, Any]:
    left_alone = {change: plan.counts.get(change, 0) for change in ("unchanged", "invalid")} | {
        "unticked": sum((plan.unticked or {}).values())
    }
    return {"plan_id": plan.plan_id, "source_name": plan.source_name, **left_alone, **applied}
