"""How every state looks: icon + word + tone, the same on all pages. Pure HTML pieces, everything escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from html import escape

from lib.contract.states import Actual, Change, Confidence, Desired, JobState, Operation, PlanState, ShiftKind, UndoOutcome
from lib.contract.workers import Worker
from lib.ui.format import UNKNOWN, format_age, format_moment


class Tone(StrEnum):
    """The five colours a state may have; never the only sign of it."""

    DONE = "done"  #: green: healthy, finished
    BUSY = "busy"  #: blue: running
    HELD = "held"  #: amber: paused, waiting for a person
    BAD = "bad"  #: red: failed, destructive
    IDLE = "idle"  #: grey: nothing to do, unknown


@dataclass(frozen=True)
class Mark:
    """One state as people see it. ``icon`` is a Material Symbols name (the font ships with Streamlit)."""

    tone: Tone
    icon: str
    word: str


CONFIDENCE_MARKS: Mapping[Confidence, Mark] = {
    Confidence.REMEMBERED: Mark(Tone.DONE, "history", "as last time"),
    Confidence.SURE: Mark(Tone.DONE, "check_circle", "sure"),
    Confidence.LIKELY: Mark(Tone.BUSY, "thumb_up", "likely"),
    Confidence.GUESS: Mark(Tone.HELD, "help", "a guess: look twice"),
}
JOB_MARKS: Mapping[JobState, Mark] = {
    JobState.QUEUED: Mark(Tone.IDLE, "schedule", "queued"),
    JobState.RUNNING: Mark(Tone.BUSY, "play_circle", "running"),
    JobState.SUCCEEDED: Mark(Tone.DONE, "check_circle", "succeeded"),
    JobState.FAILED: Mark(Tone.BAD, "error", "failed"),
    JobState.CANCELLED: Mark(Tone.IDLE, "block", "cancelled"),
    JobState.INTERRUPTED: Mark(Tone.HELD, "power_off", "interrupted"),
}
PLAN_MARKS: Mapping[PlanState, Mark] = {
    PlanState.BUILDING: Mark(Tone.BUSY, "play_circle", "building"),
    PlanState.READY: Mark(Tone.DONE, "check_circle", "ready"),
    PlanState.FAILED: Mark(Tone.BAD, "error", "failed"),
    PlanState.STALE: Mark(Tone.HELD, "history", "stale"),
    PlanState.APPLIED: Mark(Tone.DONE, "done_all", "applied"),
}
CHANGE_MARKS: Mapping[Change, Mark] = {
    Change.NEW: Mark(Tone.DONE, "add_circle", "new"),
    Change.CHANGED: Mark(Tone.BUSY, "change_circle", "changed"),
    Change.UNCHANGED: Mark(Tone.IDLE, "equal", "unchanged"),
    Change.REMOVED: Mark(Tone.BAD, "do_not_disturb_on", "removed"),
    Change.INVALID: Mark(Tone.HELD, "warning", "invalid"),
}
UNDO_MARKS: Mapping[UndoOutcome, Mark] = {
    UndoOutcome.REVERSED: Mark(Tone.DONE, "undo", "reversed"),
    UndoOutcome.KEPT: Mark(Tone.HELD, "push_pin", "kept"),
    UndoOutcome.FAILED: Mark(Tone.BAD, "error", "failed"),
}
ACTUAL_MARKS: Mapping[Actual, Mark] = {
    Actual.STARTING: Mark(Tone.IDLE, "hourglass_top", "starting"),
    Actual.IDLE: Mark(Tone.DONE, "check_circle", "idle"),
    Actual.BUSY: Mark(Tone.BUSY, "play_circle", "busy"),
    Actual.PAUSED: Mark(Tone.HELD, "pause_circle", "paused"),
    Actual.DRAINING: Mark(Tone.HELD, "downloading", "draining"),
    Actual.DRAINED: Mark(Tone.HELD, "stop_circle", "drained"),
    Actual.STOPPED: Mark(Tone.IDLE, "power_settings_new", "stopped"),
}
DESIRED_MARKS: Mapping[Desired, Mark] = {
    Desired.RUNNING: Mark(Tone.DONE, "play_arrow", "running"),
    Desired.PAUSED: Mark(Tone.HELD, "pause", "paused"),
    Desired.DRAINING: Mark(Tone.HELD, "downloading", "draining"),
}
SHIFT_MARKS: Mapping[ShiftKind, Mark] = {
    ShiftKind.NOTE: Mark(Tone.IDLE, "sticky_note_2", "note"),
    ShiftKind.PAUSE: Mark(Tone.HELD, "pause_circle", "pause"),
    ShiftKind.DRAIN: Mark(Tone.HELD, "downloading", "drain"),
    ShiftKind.RESUME: Mark(Tone.DONE, "play_circle", "resume"),
    ShiftKind.SCALE: Mark(Tone.IDLE, "group", "workers"),
    ShiftKind.IMPORT: Mark(Tone.DONE, "download", "import"),
}
#: A job that is asked to stop and has not ended yet.
CANCELLING = Mark(Tone.HELD, "cancel", "cancelling…")
#: A worker that a job makes stand still; a person's pause outranks it and looks different.
HELD_FOR_JOB = Mark(Tone.HELD, "front_hand", "held by a job")
STALE = Mark(Tone.BAD, "heart_broken", "stale")
UNKNOWN_MARK = Mark(Tone.IDLE, "help", "unknown")

OPERATION_WORDS: Mapping[Operation, str] = {
    Operation.PREVIEW: "Preview",
    Operation.IMPORT: "Import",
    Operation.UNDO: "Undo of an import",
    Operation.COMPARE: "Export preview",
    Operation.EXPORT: "Export",
    Operation.REFRESH: "Index refresh",
    Operation.REBUILD: "Index rebuild",
    Operation.SNAPSHOT: "Snapshot",
    Operation.INSPECT: "Inspection",
    Operation.RESTORE: "Restore",
    Operation.CHECK: "Index check",
    Operation.REPAIR: "Index repair",
    Operation.REQUEUE: "Change of the queue",
    Operation.RENEW: "Embedding again",
    Operation.REEMBED: "Change of the model",
    Operation.REHEARSE: "Rehearsal",
    Operation.MAP: "Map of the index",
}

#: What a worker may say it does while it follows each wish; anything else is shown as a difference.
_FOLLOWING: Mapping[Desired, frozenset[Actual]] = {
    Desired.RUNNING: frozenset({Actual.STARTING, Actual.IDLE, Actual.BUSY}),
    Desired.PAUSED: frozenset({Actual.PAUSED}),
    Desired.DRAINING: frozenset({Actual.DRAINING, Actual.DRAINED}),
}


def operation_word(name: str) -> str:
    """The word of an operation by its bare name, also of one this console does not know."""
    return OPERATION_WORDS[Operation(name)] if name in set(Operation) else name.capitalize()


def is_held(worker: Worker) -> bool:
    """Whether a job alone makes the worker stand still: people want it to run."""
    return worker.held_by is not None and worker.desired is Desired.RUNNING and not worker.stale


def differs(worker: Worker) -> bool:
    """Whether what people want of the worker and what it says it does are two things right now."""
    if is_held(worker) and worker.actual is Actual.PAUSED:
        return False
    return worker.actual not in _FOLLOWING[worker.desired]


def mark_worker(worker: Worker) -> Mark:
    """The one mark of a worker: stale outranks what it last said, a wish not yet followed is said as one."""
    if worker.stale and worker.actual is not Actual.STOPPED:
        return STALE
    if worker.desired is Desired.PAUSED and worker.actual is Actual.BUSY:
        return Mark(Tone.HELD, "pause_circle", "pausing")
    if is_held(worker) and worker.actual is Actual.PAUSED:
        return HELD_FOR_JOB
    return ACTUAL_MARKS[worker.actual]


def icon(name: str) -> str:
    """A decorative icon: drawn by CSS, so that neither screen readers nor copied text meet its name."""
    return f'<span class="sy-icon" data-icon="{escape(name)}" aria-hidden="true"></span>'


def badge(mark: Mark, *, title: str = "") -> str:
    """Icon + word on a soft ground of the tone."""
    hint = f' title="{escape(title)}"' if title else ""
    return f'<span class="sy-badge sy-{mark.tone}"{hint}>{icon(mark.icon)}{escape(mark.word)}</span>'


def moment(at: datetime | None, *, now: datetime, zone: tzinfo = UTC) -> str:
    """Relative for the eye, absolute with zone on hover and for machines."""
    if at is None:
        return UNKNOWN
    return f'<time datetime="{at.isoformat()}" title="{format_moment(at, zone)}">{format_age(at, now)}</time>'


def code(text: str | None, *, short: int | None = None) -> str:
    """An id or a hash in the fixed-width face; ``short`` shows the first characters and keeps the whole on hover."""
    if not text:
        return UNKNOWN
    if short is None or len(text) <= short:
        return f'<span class="sy-code">{escape(text)}</span>'
    return f'<span class="sy-code" title="{escape(text)}">{escape(text[:short])}…</span>'


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of a table; numbers align to the right, ``wide`` takes what is left."""

    title: str
    number: bool = False
    wide: bool = False


def table(columns: Sequence[Column], rows: Iterable[Sequence[str]], *, caption: str) -> str:
    """A dense table of ready HTML cells. ``caption`` is read to those who do not see the page."""
    kinds = [" ".join(name for name, on in (("sy-num", column.number), ("sy-wide", column.wide)) if on) for column in columns]
    head = "".join(f'<th scope="col" class="{kind}">{escape(column.title)}</th>' for column, kind in zip(columns, kinds, strict=True))
    body = "".join(
        "<tr>" + "".join(f'<td class="{kind}">{cell}</td>' for cell, kind in zip(row, kinds, strict=True)) + "</tr>" for row in rows
    )
    # The scrolling box takes the focus, so that a keyboard can reach the columns a narrow window hides.
    return (
        f'<div class="sy-scroll" tabindex="0" role="region" aria-label="{escape(caption)}"><table class="sy-table">'
        f'<caption class="sy-hidden">{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One number with its name. ``note`` is small print under it; ``tone`` colours the number only when it matters."""

    label: str
    value: str
    note: str = ""
    tone: Tone | None = None
    help: str = ""


def box(tone: Tone, what: str, *more: str, role: str = "status") -> str:
    """A block in a tone: a bold first line, then paragraphs; all of them ready HTML, empty ones left out."""
    paragraphs = "".join(f"<p>{each}</p>" for each in more if each)
    return f'<div class="sy-box sy-box-{tone}" role="{role}"><p class="sy-what">{what}</p>{paragraphs}</div>'


def fold(html: str, summary: str = "Details") -> str:
    """Details for those who want them; empty when there are none."""
    return f"<details><summary>{summary}</summary>{html}</details>" if html else ""


def tiles(items: Iterable[Tile]) -> str:
    """A row of numbers of equal width, read as a list of name and value."""
    cells = "".join(
        f'<div class="sy-tile"{f" title={chr(34)}{escape(tile.help)}{chr(34)}" if tile.help else ""}><dt>{escape(tile.label)}</dt>'
        f'<dd class="{f"sy-ink-{tile.tone}" if tile.tone else ""}">{escape(tile.value)}</dd>'
        f'<dd class="sy-note">{tile.note}</dd></div>'
        for tile in items
    )
    return f'<dl class="sy-tiles">{cells}</dl>'


def facts(items: Iterable[tuple[str, str, str]]) -> str:
    """Name, ready HTML value, one sentence that explains it."""
    rows = "".join(
        f'<div class="sy-fact"><dt>{escape(name)}</dt><dd>{value}</dd><dd class="sy-note">{escape(sentence)}</dd></div>'
        for name, value, sentence in items
    )
    return f'<dl class="sy-facts">{rows}</dl>'
