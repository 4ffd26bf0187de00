"""A plan as people read it: counts, rows with before → after, errors. Pure HTML."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from lib.contract.imports import ENCODINGS, FieldDifference, Plan, PlanCounts, PlanRow, ReadAs
from lib.contract.states import Change, ImportMode, SheetFormat
from lib.ui.format import UNKNOWN, format_count, format_delimiter, shorten
from lib.ui.marks import CHANGE_MARKS, Column, Mark, Tile, Tone, badge, table, tiles

MODE_WORDS: dict[ImportMode, tuple[str, str]] = {
    ImportMode.MERGE: ("Merge", "adds and updates by key; keeps entries that the sheet lacks"),
    ImportMode.MIRROR: ("Mirror", "also removes entries that the sheet lacks; many removals are held until you approve their number"),
}
FORMAT_WORDS: dict[SheetFormat, str] = {
    SheetFormat.CSV: "CSV",
    SheetFormat.XLSX: "Excel workbook",
    SheetFormat.PARQUET: "Parquet",
    SheetFormat.GOOGLE_SHEET: "Google Sheet",
}
LEFT_OUT = Mark(Tone.IDLE, "remove_done", "left out")
LISTED = (Change.NEW, Change.CHANGED, Change.REMOVED, Change.INVALID)


def describe_reading(read: ReadAs) -> str:
    """How a source was read, in one line."""
    parts = [f"tab {read.tab}"] if read.tab else []
    if read.format is SheetFormat.CSV:
        parts.append(f"{ENCODINGS.get(read.encoding or '', read.encoding or UNKNOWN)}, {format_delimiter(read.delimiter)}-separated")
    if read.header_row != 1:
        parts.append(f"header in row {read.header_row:,}")
    return ", ".join((FORMAT_WORDS[read.format], *parts))


def count_change(counts: PlanCounts, change: Change | None) -> int:
    """How many rows a filter shows; unchanged rows are counted but never listed."""
    if change is not None:
        return int(getattr(counts, change.value))
    return sum(int(getattr(counts, each.value)) for each in LISTED)


def count_effects(plan: Plan) -> int:
    """How many entries applying would touch."""
    left = remaining(plan)
    return left.new + left.changed + left.removed


def remaining(plan: Plan) -> PlanCounts:
    """The plan's counts without the rows somebody has left out."""
    counts, out = plan.counts, plan.unticked
    return counts.model_copy(
        update={"new": counts.new - out.new, "changed": counts.changed - out.changed, "removed": counts.removed - out.removed}
    )


def count_unticked(plan: Plan) -> int:
    """How many rows somebody has left out."""
    return plan.unticked.new + plan.unticked.changed + plan.unticked.removed


def name_row(row: PlanRow) -> str:
    """What a row of a plan is called where it is chosen."""
    return f"{'removal' if row.row is None else f'row {row.row:,}'} · {shorten(row.key, 40)}"


def plan_tiles(plan: Plan) -> str:
    """The plan's counts, in the order people ask about them."""
    counts = plan.counts
    held = f"{plan.held_removals:,} held for approval" if plan.held_removals else "leave the table"
    return tiles(
        [
            Tile(label="New", value=format_count(counts.new), note="keys not in the table yet", tone=Tone.DONE if counts.new else None),
            Tile(
                label="Changed",
                value=format_count(counts.changed),
                note="differ in text or fields",
                tone=Tone.BUSY if counts.changed else None,
            ),
            Tile(label="Unchanged", value=format_count(counts.unchanged), note="nothing to do"),
            Tile(label="Removed", value=format_count(counts.removed), note=held, tone=Tone.BAD if counts.removed else None),
            Tile(label="Invalid", value=format_count(counts.invalid), note="break a rule", tone=Tone.HELD if counts.invalid else None),
            Tile(label="To embed", value=format_count(plan.to_embed), note="texts without a vector yet"),
        ]
    )


def plan_table(rows: Sequence[PlanRow]) -> str:
    """One page of the plan's rows."""
    columns = (Column(title="Row", number=True), Column(title="Change"), Column(title="Key"), Column(title="What would happen", wide=True))
    return table(columns, [_cells(row) for row in rows], caption="Rows of the plan")


def _cells(row: PlanRow) -> tuple[str, ...]:
    number = UNKNOWN if row.row is None else format_count(row.row)
    change = badge(CHANGE_MARKS[row.change]) if row.ticked else f"{badge(CHANGE_MARKS[row.change])} {badge(LEFT_OUT)}"
    return number, change, f'<b class="sy-wrap">{escape(shorten(row.key, 60)) or UNKNOWN}</b>', _what(row)


def _what(row: PlanRow) -> str:
    text = escape(shorten(row.text, 220))
    match row.change:
        case Change.CHANGED:
            return _differences(row) or text
        case Change.REMOVED:
            return f'<span class="sy-was">{text}</span>'
        case Change.INVALID:
            return _errors(row) + (f'<div class="sy-note">{text}</div>' if text else "")
    return text


def _differences(row: PlanRow) -> str:
    if not row.differences:
        return ""
    lines = "".join(f"<span>{escape(each.column)}</span><span>{_difference(row, each)}</span>" for each in row.differences)
    return f'<div class="sy-diff">{lines}</div>'


def _difference(row: PlanRow, each: FieldDifference) -> str:
    if each.column in row.left_out:
        kept = escape(shorten(each.before, 220)) if each.before else '<span class="sy-muted">(empty)</span>'
        return f"{kept} {badge(LEFT_OUT)}"
    return f"{_side(each.before, 'sy-was')} → {_side(each.after, 'sy-is')}"


def _side(value: str | None, kind: str) -> str:
    if value is None or not value:
        return '<span class="sy-muted">(empty)</span>'
    tag = "del" if kind == "sy-was" else "ins"
    return f'<{tag} class="{kind}">{escape(shorten(value, 220))}</{tag}>'


def _errors(row: PlanRow) -> str:
    return "".join(
        f"<div><b>{escape(error.column or 'Row')}</b>: {escape(error.rule)} "
        f'<span class="sy-note">{f"Found “{escape(shorten(error.value, 60))}”. " if error.value else ""}{escape(error.fix)}</span></div>'
        for error in row.errors
    )
