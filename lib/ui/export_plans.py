"""The plan of an export to a sheet as people read it: counts, cells with before → after, conflicts. Pure HTML."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

from lib.contract.export_plans import CellChange, ExportPlan, ExportPlanRow, PlannedCell
from lib.contract.exports import Side
from lib.ui.format import UNKNOWN, format_count, plural, shorten
from lib.ui.marks import Column, Mark, Tile, Tone, badge, table, tiles

CELL_MARKS: Mapping[CellChange, Mark] = {
    CellChange.ADD: Mark(Tone.DONE, "add_circle", "add"),
    CellChange.CHANGE: Mark(Tone.BUSY, "change_circle", "change"),
    CellChange.CLEAR: Mark(Tone.BAD, "backspace", "clear"),
    CellChange.KEEP: Mark(Tone.IDLE, "push_pin", "stays theirs"),
    CellChange.CONFLICT: Mark(Tone.HELD, "call_split", "conflict"),
}
#: Characters of a cell that a table shows.
SHOWN = 220
#: Other people's columns are named up to this many.
NAMED = 12


@dataclass(frozen=True)
class Decisions:
    """Whose values stay where both sides changed a cell: for all rows, and for single ones with how many cells they have."""

    keep: Side = Side.THEIRS
    rows: Mapping[str, tuple[Side, int]] = field(default_factory=dict)

    def side_of(self, key: str) -> Side:
        """Whose values stay in the row of this key."""
        return self.rows.get(key, (self.keep, 0))[0]

    def count_ours(self, plan: ExportPlan) -> int:
        """How many cells the table's values go into although the sheet has others of its own."""
        if self.keep is Side.OURS:
            return plan.counts.conflict - sum(cells for side, cells in self.rows.values() if side is Side.THEIRS)
        return sum(cells for side, cells in self.rows.values() if side is Side.OURS)

    def count_written(self, plan: ExportPlan) -> int:
        """How many cells of the sheet would be written."""
        return plan.counts.add + plan.counts.change + plan.counts.clear + self.count_ours(plan)


def sheet_address(spreadsheet: str) -> str:
    """Where a browser opens it. A plan made over the API may name its sheet by a whole address instead of by its id."""
    found = re.search(r"/d/([A-Za-z0-9_-]+)", spreadsheet)
    return f"https://docs.google.com/spreadsheets/d/{found[1] if found else spreadsheet}/edit"


def export_tiles(plan: ExportPlan) -> str:
    """The plan's counts, in the order people ask about them."""
    counts = plan.counts
    rows = f"{plural(counts.new_rows, 'new row')} among them" if counts.new_rows else "empty in the sheet"
    return tiles(
        [
            Tile(label="To add", value=format_count(counts.add), note=rows, tone=Tone.DONE if counts.add else None),
            Tile(
                label="To change",
                value=format_count(counts.change),
                note="the sheet has an older value",
                tone=Tone.BUSY if counts.change else None,
            ),
            Tile(label="To clear", value=format_count(counts.clear), note="gone from the table", tone=Tone.BAD if counts.clear else None),
            Tile(
                label="Conflicts",
                value=format_count(counts.conflict),
                note="edited on both sides",
                tone=Tone.HELD if counts.conflict else None,
            ),
            Tile(label="Stay theirs", value=format_count(counts.keep), note="edited in the sheet only"),
            Tile(label="Rows alike", value=format_count(counts.unchanged_rows), note="nothing to do"),
        ]
    )


def describe_untouched(plan: ExportPlan) -> str:
    """What of other people the export does not touch, and which columns it adds; ready HTML."""
    parts = []
    if plan.untouched_columns:
        names = ", ".join(f"<b>{escape(shorten(name, 60))}</b>" for name in plan.untouched_columns[:NAMED])
        left = len(plan.untouched_columns) - NAMED
        more = f" and {left:,} more" if left > 0 else ""
        whose = plural(len(plan.untouched_columns), "column of other people stays", "columns of other people stay")
        parts.append(f"{whose} untouched: {names}{more}.")
    if plan.formulas:
        parts.append(
            f"{plural(plan.formulas, 'formula')} outside of our columns {'stays as it is' if plan.formulas == 1 else 'stay as they are'}."
        )
    if plan.new_columns:
        parts.append(f"New columns at the right: {', '.join(f'<b>{escape(name)}</b>' for name in plan.new_columns)}.")
    return " ".join(parts)


def export_table(rows: Sequence[ExportPlanRow], decided: Decisions) -> str:
    """One page of the rows that differ."""
    columns = (Column(title="Row", number=True), Column(title="Change"), Column(title="Key"), Column(title="In the sheet", wide=True))
    return table(columns, [_cells(row, decided) for row in rows], caption="Rows of the sheet that differ")


def _cells(row: ExportPlanRow, decided: Decisions) -> tuple[str, ...]:
    number = "new" if row.row is None else format_count(row.row)
    lines = "".join(f"<span>{escape(cell.column)}</span><span>{_becomes(cell, decided.side_of(row.key))}</span>" for cell in row.cells)
    key = f'<b class="sy-wrap">{escape(shorten(row.key, 60)) or UNKNOWN}</b>'
    return number, badge(CELL_MARKS[row.change]), key, f'<div class="sy-diff">{lines}</div>'


def _becomes(cell: PlannedCell, side: Side) -> str:
    stays = cell.change is CellChange.KEEP or (cell.change is CellChange.CONFLICT and side is Side.THEIRS)
    if stays:
        return f"{_value(cell.theirs)} {badge(CELL_MARKS[CellChange.KEEP])}"
    return f"{_value(cell.theirs, 'del')} → {_value(cell.ours, 'ins')}"


def conflict_table(row: ExportPlanRow) -> str:
    """What both sides last agreed on, the table's value and the sheet's, for each cell of a row."""
    columns = (Column(title="Column"), Column(title="Before"), Column(title="Table (ours)"), Column(title="Sheet (theirs)"))
    cells = [cell for cell in row.cells if cell.change is CellChange.CONFLICT]
    lines = [(f"<b>{escape(cell.column)}</b>", _base(cell), _there(cell.ours), _there(cell.theirs)) for cell in cells]
    return table(columns, lines, caption=f"Both sides of {shorten(row.key, 60)}")


def _base(cell: PlannedCell) -> str:
    return '<span class="sy-muted">(not known)</span>' if cell.base is None else _value(cell.base)


def _there(value: str | None) -> str:
    return '<span class="sy-muted">(row deleted)</span>' if value is None else _value(value)


def _value(value: str | None, tag: str = "span") -> str:
    if not value:
        return '<span class="sy-muted">(empty)</span>'
    kind = {"del": "sy-was", "ins": "sy-is"}.get(tag, "")
    return f'<{tag} class="{kind}">{escape(shorten(value, SHOWN))}</{tag}>'
