"""Three-way merge of the table into a sheet, cell by cell: what both last agreed on, ours, theirs.

Nothing of theirs is lost unless a person says so: what only they changed stays, what both changed is a conflict, and so is
a cell that differs when nobody knows what it was. A formula is theirs. Columns that are not ours are never looked at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from lib.contract.export_plans import CellChange, ExportPlanCounts, ExportPlanRow, PlannedCell
from lib.contract.exports import Side
from lib.contract.jobs import JobFailure
from lib.service.sheets.grid import Grid
from lib.service.sheets.reading import UnreadableSheet

Cells = Mapping[str, str]


@dataclass(frozen=True)
class Layout:
    """Where our columns stand in the sheet; those it lacks come to the right of everything."""

    columns: tuple[str, ...]
    at: dict[str, int]
    new: list[str]
    others: list[str]

    @property
    def key(self) -> str:
        """The column that tells rows apart."""
        return self.columns[0]


def lay_out(grid: Grid, columns: Sequence[str]) -> Layout:
    """UnreadableSheet when the key's column is missing or one of ours stands there twice."""
    header = grid.header
    for name in columns:
        if header.count(name) > 1:
            raise UnreadableSheet(f"Two columns of the tab are called {name!r}.", "Rename one of them.")
    if grid.shown and columns[0] not in header:
        there = ", ".join(name for name in header if name) or "nothing in its first row"
        detail = f"The tab is not empty and has no column called {columns[0]!r} in its first row. It has: {there}."
        action = "Is it the right tab? Give the key column this name, or choose an empty tab."
        raise UnreadableSheet(detail, action, JobFailure.COLUMNS_MISSING)
    at = {name: header.index(name) for name in columns if name in header}
    new = [name for name in columns if name not in at]
    at |= {name: grid.width + place for place, name in enumerate(new)}
    return Layout(tuple(columns), at, new, [name for name in header if name and name not in columns])


@dataclass
class Merge:
    """The whole comparison: every row that differs, and how to carry it out."""

    grid: Grid
    layout: Layout
    rows: list[ExportPlanRow] = field(default_factory=list)
    unchanged_rows: int = 0

    def count(self) -> ExportPlanCounts:
        """Cells by change, and rows."""
        cells = Counter(cell.change.value for row in self.rows for cell in row.cells)
        new = sum(row.change is CellChange.ADD for row in self.rows if row.row is None)
        return ExportPlanCounts(**cells, rows=len(self.rows), new_rows=new, unchanged_rows=self.unchanged_rows)

    def decided(self, keep: Side, choices: Mapping[str, Side]) -> Iterator[tuple[ExportPlanRow, dict[str, str]]]:
        """Each row with the cells to write into it, conflicts decided by row, else by ``keep``."""
        for row in self.rows:
            ours = choices.get(row.key, keep) is Side.OURS
            yield row, {cell.column: cell.ours or "" for cell in row.cells if _is_written(cell, ours=ours)}


def _is_written(cell: PlannedCell, *, ours: bool) -> bool:
    return ours if cell.change is CellChange.CONFLICT else cell.change is not CellChange.KEEP


def merge(grid: Grid, columns: Sequence[str], ours: Mapping[str, Cells], base: Mapping[str, Cells], known: Collection[str]) -> Merge:
    """``columns``: the key's first. ``ours``: the entries to write, by key. ``known``: all keys of the table."""
    merged = Merge(grid, lay_out(grid, columns))
    theirs = _rows_by_key(grid, merged.layout)
    for key, row in theirs.items():
        found = None
        if key in ours:
            found = _both(merged, row, key, ours[key], base.get(key))
        elif key in base and key not in known:
            found = _gone_here(merged, row, key, base[key])
        if found is None:
            merged.unchanged_rows += 1
        else:
            merged.rows.append(found)
    for key, cells in ours.items():
        if key not in theirs:
            merged.rows.append(_gone_there(merged.layout, key, cells, base[key]) if key in base else _added(merged.layout, key, cells))
    return merged


def _rows_by_key(grid: Grid, layout: Layout) -> dict[str, int]:
    rows: dict[str, int] = {}
    at = layout.at[layout.key]
    for row in range(1, len(grid.shown)):
        key = grid.shown[row][at] if at < grid.width else ""
        if not key:
            continue
        if key in rows:
            detail = f"Rows {rows[key] + 1:,} and {row + 1:,} have the same key {key[:80]!r}."
            raise UnreadableSheet(detail, "Keys must differ: change or delete one of the rows.")
        rows[key] = row
    return rows


def _both(merged: Merge, row: int, key: str, ours: Cells, base: Cells | None) -> ExportPlanRow | None:
    cells = []
    for column in merged.layout.columns[1:]:
        at, mine = merged.layout.at[column], ours.get(column, "")
        theirs = merged.grid.shown[row][at] if at < merged.grid.width else ""
        if mine == theirs:
            continue
        agreed = (base or {}).get(column)
        computed = at < merged.grid.width and merged.grid.is_formula(row, at)
        cells.append(PlannedCell(column=column, base=agreed, ours=mine, theirs=theirs, change=_decide(agreed, mine, theirs, computed)))
    return ExportPlanRow(row=row + 1, key=key, change=_worst(cells), cells=cells) if cells else None


def _decide(base: str | None, ours: str, theirs: str, computed: bool) -> CellChange:
    if base == ours:
        return CellChange.KEEP
    if computed or (base is None and theirs) or (base is not None and base != theirs):
        return CellChange.CONFLICT
    return CellChange.ADD if not theirs else CellChange.CHANGE if ours else CellChange.CLEAR


def _gone_here(merged: Merge, row: int, key: str, base: Cells) -> ExportPlanRow | None:
    """The table has let the entry go: its cells are cleared, unless somebody has worked on them since."""
    ours = [(name, merged.layout.at[name]) for name in merged.layout.columns if merged.layout.at[name] < merged.grid.width]
    shown = {name: merged.grid.shown[row][at] for name, at in ours}
    filled = [(name, at) for name, at in ours if shown[name]]
    touched = any(merged.grid.is_formula(row, at) or (name != merged.layout.key and base.get(name) != shown[name]) for name, at in filled)
    change = CellChange.CONFLICT if touched else CellChange.CLEAR
    cells = [PlannedCell(column=name, base=base.get(name), ours=None, theirs=shown[name], change=change) for name, _ in filled]
    return ExportPlanRow(row=row + 1, key=key, change=change, cells=cells)


def _gone_there(layout: Layout, key: str, ours: Cells, base: Cells) -> ExportPlanRow:
    """Somebody deleted the row in the sheet: whether it comes back is a person's decision."""
    return _whole_row(layout, key, ours, base, CellChange.CONFLICT)


def _added(layout: Layout, key: str, ours: Cells) -> ExportPlanRow:
    return _whole_row(layout, key, ours, {}, CellChange.ADD)


def _whole_row(layout: Layout, key: str, ours: Cells, base: Cells, change: CellChange) -> ExportPlanRow:
    values = {layout.key: key} | {name: ours.get(name, "") for name in layout.columns[1:]}
    cells = [
        PlannedCell(column=name, base=base.get(name), ours=value, theirs=None, change=change)
        for name, value in values.items()
        if value or base.get(name)
    ]
    return ExportPlanRow(row=None, key=key, change=change, cells=cells)


_RANK = (CellChange.CONFLICT, CellChange.CLEAR, CellChange.CHANGE, CellChange.ADD, CellChange.KEEP)


def _worst(cells: Sequence[PlannedCell]) -> CellChange:
    return min((cell.change for cell in cells), key=_RANK.index)


def agree(
    merged: Merge, ours: Mapping[str, Cells], base: Mapping[str, Cells], *, keep: Side, choices: Mapping[str, Side]
) -> dict[str, dict[str, str]]:
    """What both sides agree on once this is written: the value they share, else what they last shared."""
    agreed = {key: dict(cells) for key, cells in base.items()}
    differing = {row.key for row in merged.rows}
    columns = merged.layout.columns[1:]
    for key in _rows_by_key(merged.grid, merged.layout):
        if key in ours and key not in differing:
            agreed[key] = agreed.get(key, {}) | {name: ours[key].get(name, "") for name in columns}
    for row, written in merged.decided(keep, choices):
        if row.key not in ours:
            if written:
                agreed.pop(row.key, None)
            continue
        if row.row is None and not written:
            continue  # deleted there and left so
        differs = {cell.column for cell in row.cells} - set(written) if row.row is not None else set()
        shared = {name: ours[row.key].get(name, "") for name in columns if name not in differs}
        agreed[row.key] = agreed.get(row.key, {}) | shared
    return agreed
