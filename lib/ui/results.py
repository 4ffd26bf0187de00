"""What an ended job says it did, in words. A result that lacks a figure shows a dash, not a guess."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from lib.contract.jobs import Job
from lib.contract.states import JobState, Operation
from lib.ui.format import UNKNOWN, format_count, format_duration

#: What an import counts, in the order of the plan page.
IMPORT_COUNTS = ("new", "changed", "unchanged", "removed", "invalid")
#: What an export to a sheet counts, in cells, and what each is called.
SHEET_COUNTS = {
    "add": "Added",
    "change": "Changed",
    "clear": "Cleared",
    "conflicts_ours": "Conflicts: overwritten",
    "conflicts_theirs": "Conflicts: left theirs",
    "keep": "Stay theirs",
}


def count_of(job: Job | None, name: str) -> int | None:
    """The figure called ``name`` of a job's result; None when the result has none."""
    result: dict[str, Any] = (job.result if job else None) or {}
    value = result.get(name, (result.get("counts") or {}).get(name))
    return value if isinstance(value, int) else None


def text_of(job: Job | None, name: str) -> str | None:
    """The words called ``name`` of a job's result, else of its arguments."""
    for source in ((job.result or {}), job.arguments) if job else ():
        if isinstance(value := source.get(name), str) and value:
            return value
    return None


def duration_of(job: Job, at: datetime) -> str:
    """How long the job has worked, or worked in all."""
    return format_duration(((job.finished_at or at) - job.started_at).total_seconds()) if job.started_at else UNKNOWN


def summarize(job: Job) -> str:
    """One line about what came of the job."""
    if job.is_active:
        return job.progress.phase if job.progress else "waiting to start"
    if job.error is not None:
        return job.error.detail
    if job.state is JobState.CANCELLED:
        return _summarize_cancelled(job)
    if job.state is JobState.INTERRUPTED:
        return "Its worker went away; nothing was half-applied."
    return _summarize_success(job)


def _summarize_cancelled(job: Job) -> str:
    """Where it stopped, what became of that, and that nothing is left of it. One that never began has nothing to say of rows."""
    phase, done, total = text_of(job, "phase"), count_of(job, "done"), count_of(job, "total")
    if job.operation is Operation.EXPORT and job.arguments.get("plan_id") and job.attempt > 1:
        return "Stopped on request after a worker of it had died: comparing again says whether the sheet was written."
    if phase is None:
        return "Stopped on request before it began; everything is as it was before."
    if job.operation in (Operation.REQUEUE, Operation.RENEW):
        return f"Stopped on request while {phase}: {done or 0:,} rows done, the others left alone."
    if not done:
        return f"Stopped on request while {phase}; everything is as it was before."
    of = f" of {total:,}" if total else ""
    return f"Stopped on request while {phase}: {done:,}{of} done, all of it taken back; everything is as it was before."


def _summarize_success(job: Job) -> str:  # noqa: PLR0911 - one for each operation
    match job.operation:
        case Operation.PREVIEW | Operation.IMPORT:
            counts = [f"{count:,} {name}" for name in IMPORT_COUNTS if (count := count_of(job, name))]
            if text_of(job, "undone_by"):
                counts.append("undone since")
            return ", ".join(counts) or ("nothing to do" if job.operation is Operation.IMPORT else "plan made")
        case Operation.UNDO | Operation.CHECK | Operation.REPAIR:
            return _summarize_mending(job)
        case Operation.SNAPSHOT | Operation.INSPECT | Operation.RESTORE | Operation.REHEARSE:
            return _summarize_file(job)
        case Operation.REQUEUE:
            return _summarize_requeue(job)
        case Operation.RENEW:
            return _summarize_renewal(job)
        case Operation.MAP:
            return f"{format_count(count_of(job, 'points'))} points, {format_count(count_of(job, 'kept'))} where they stood"
        case Operation.EXPORT | Operation.COMPARE:
            return _summarize_export(job)
        case Operation.REFRESH | Operation.REBUILD | Operation.REEMBED:
            generation = count_of(job, "generation")
            vectors = count_of(job, "vectors")
            return f"generation {format_count(generation)}" + (f", {vectors:,} vectors" if vectors is not None else "")
    return ""


def _summarize_export(job: Job) -> str:
    if job.operation is Operation.EXPORT and not job.arguments.get("plan_id"):
        return f"{format_count(count_of(job, 'rows'))} rows written"
    words = {"add": "to add", "change": "to change", "clear": "to clear", "conflict": "in conflict"}
    if job.operation is Operation.EXPORT:
        words = {"add": "added", "change": "changed", "clear": "cleared"}
        words |= {"conflicts_ours": "in conflict overwritten", "conflicts_theirs": "in conflict left theirs"}
    counts = [f"{count:,} {label}" for name, label in words.items() if (count := count_of(job, name))]
    where = " · ".join(filter(None, (text_of(job, "spreadsheet"), text_of(job, "tab"))))
    cells = f"{', '.join(counts)} (cells)" if counts else "sheet and table are alike"
    return f"{where}: {cells}" if where else cells


def _summarize_file(job: Job) -> str:
    name, generation = text_of(job, "name") or UNKNOWN, format_count(count_of(job, "generation"))
    if job.operation is Operation.INSPECT:
        return f"“{name}”: {text_of(job, 'verdict') or UNKNOWN}. {text_of(job, 'detail') or ''}".rstrip()
    if job.operation is Operation.REHEARSE:
        return f"“{name}”: {text_of(job, 'verdict') or UNKNOWN}, {format_count(count_of(job, 'rows'))} rows tried"
    return f"“{name}” is served as generation {generation}" if job.operation is Operation.RESTORE else f"“{name}”, generation {generation}"


def _summarize_mending(job: Job) -> str:
    if job.operation is Operation.UNDO:
        return f"{format_count(count_of(job, 'reversed'))} rows reversed, {format_count(count_of(job, 'kept'))} kept"
    drift, queued = count_of(job, "drift"), count_of(job, "to_embed")
    left = "table and index agree" if drift == 0 else f"{format_count(drift)} rows disagree"
    return left if job.operation is Operation.CHECK else f"{format_count(queued)} rows queued again, {left}"


def _summarize_requeue(job: Job) -> str:
    words = {"retry": "back in the queue", "discard": "discarded", "put_first": "put first", "put_back": "put back in line"}
    skipped = count_of(job, "skipped")
    what = words.get(text_of(job, "action") or "", "done")
    return f"{format_count(count_of(job, 'done'))} rows {what}" + (f", {skipped:,} skipped" if skipped else "")


def _summarize_renewal(job: Job) -> str:
    words = {"gone": "no longer in the table", "in_queue": "in the queue already", "failed_before": "failed", "discarded": "discarded"}
    why = [f"{count:,} {what}" for name, what in words.items() if (count := count_of(job, name))]
    skipped = count_of(job, "skipped")
    said = f"{format_count(count_of(job, 'done'))} rows in the queue to be embedded again"
    return f"{said}, {skipped:,} skipped ({', '.join(why)})" if skipped else said
