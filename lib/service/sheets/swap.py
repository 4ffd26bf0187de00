"""From decided cells to one atomic change of a tab: blocks that are staged elsewhere first and then copied into place.

Only cells that change are copied, so that everything else in the tab stays as it is: other columns, formulas, formats.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lib.contract.exports import Side
from lib.service.sheets.google import Tab
from lib.service.sheets.merge import Merge

#: The developer metadata that says which job has written a tab last.
MARK = "switchyard_export"
#: Beyond this many blocks, text that would not change is written too, so that neighbours become one block.
MANY_BLOCKS = 2000

At = tuple[int, int]


@dataclass(frozen=True)
class Block:
    """A rectangle of the tab, and the row of the staging tab where it waits."""

    top: int
    left: int
    rows: list[list[str]]
    staged_at: int

    @property
    def width(self) -> int:
        """In columns."""
        return len(self.rows[0])


@dataclass(frozen=True)
class Swap:
    """What is written, and how large the tab has to be for it."""

    blocks: list[Block]
    height: int
    width: int

    @property
    def staged(self) -> list[list[str]]:
        """The content of the staging tab: the blocks below each other."""
        return [row for block in self.blocks for row in block.rows]

    def requests(self, target: Tab, stage: Tab, job_id: str) -> list[dict[str, Any]]:
        """All of it as one atomic change. The tab only ever grows: what somebody else has added meanwhile stays."""
        return [
            *_grow(target, self.height, self.width),
            *(_copy(block, target, stage) for block in self.blocks),
            {"deleteSheet": {"sheetId": stage.tab_id}},
            *_mark(target, job_id),
        ]


def plan_swap(merged: Merge, *, keep: Side, choices: Mapping[str, Side]) -> Swap:
    """The blocks of everything that is written, header and new rows included; none when nothing is."""
    cells = _decided_cells(merged, keep, choices)
    blocks = _make_blocks(cells)
    if len(blocks) > MANY_BLOCKS:
        plain = {at: merged.grid.shown[at[0]][at[1]] for at in _plain_cells(merged, cells)}
        blocks = _make_blocks(plain | cells)
    height = 1 + max((row for row, _ in cells), default=-1)
    return Swap(blocks, height, 1 + max((column for _, column in cells), default=-1))


def _decided_cells(merged: Merge, keep: Side, choices: Mapping[str, Side]) -> dict[At, str]:
    cells: dict[At, str] = {}
    at, below = merged.layout.at, max(1, len(merged.grid.shown))
    for row, written in merged.decided(keep, choices):
        if not written:
            continue
        place = row.row - 1 if row.row is not None else below
        below += row.row is None
        cells |= {(place, at[name]): value for name, value in written.items()}
    if cells:  # a column is named when something is written, not before
        cells |= {(0, at[name]): name for name in merged.layout.new}
    return cells


def _plain_cells(merged: Merge, cells: Mapping[At, str]) -> list[At]:
    columns = {column for _, column in cells if column < merged.grid.width}
    rows = range(len(merged.grid.shown))
    return [(row, column) for row in rows for column in columns if merged.grid.is_plain(row, column)]


def _make_blocks(cells: Mapping[At, str]) -> list[Block]:
    """Neighbours in a row become a run; equal runs below each other become a block."""
    blocks: list[Block] = []
    open_runs: dict[tuple[int, int], Block] = {}
    staged, last_row = 0, -2
    for row, runs in _runs_by_row(cells):
        if row != last_row + 1:
            open_runs = {}
        still_open = {}
        for left, values in runs:
            key = (left, len(values))
            block = open_runs.get(key) or Block(row, left, [], 0)
            if not block.rows:
                blocks.append(block)
            block.rows.append(values)
            still_open[key] = block
        open_runs, last_row = still_open, row
    placed = []
    for block in blocks:
        placed.append(Block(block.top, block.left, block.rows, staged))
        staged += len(block.rows)
    return placed


def _runs_by_row(cells: Mapping[At, str]) -> list[tuple[int, list[tuple[int, list[str]]]]]:
    rows: dict[int, list[tuple[int, list[str]]]] = {}
    last: At = (-1, -2)
    for at in sorted(cells):
        row, column = at
        runs = rows.setdefault(row, [])
        if runs and last == (row, column - 1):
            runs[-1][1].append(cells[at])
        else:
            runs.append((column, [cells[at]]))
        last = at
    return list(rows.items())


def _grow(target: Tab, height: int, width: int) -> list[dict[str, Any]]:
    missing = {"ROWS": height - target.rows, "COLUMNS": width - target.columns}
    grown = [{"sheetId": target.tab_id, "dimension": name, "length": length} for name, length in missing.items() if length > 0]
    return [{"appendDimension": each} for each in grown]


def _copy(block: Block, target: Tab, stage: Tab) -> dict[str, Any]:
    def area(tab: Tab, top: int, left: int) -> dict[str, int]:
        return {
            "sheetId": tab.tab_id,
            "startRowIndex": top,
            "endRowIndex": top + len(block.rows),
            "startColumnIndex": left,
            "endColumnIndex": left + block.width,
        }

    source, destination = area(stage, block.staged_at, 0), area(target, block.top, block.left)
    return {"copyPaste": {"source": source, "destination": destination, "pasteType": "PASTE_VALUES"}}


def _mark(target: Tab, job_id: str) -> list[dict[str, Any]]:
    where = {"sheetId": target.tab_id}
    lookup = {"developerMetadataLookup": {"metadataKey": MARK, "metadataLocation": where}}
    new = {"metadataKey": MARK, "metadataValue": job_id, "visibility": "DOCUMENT", "location": where}
    forget = [{"deleteDeveloperMetadata": {"dataFilter": lookup}}] if MARK in target.marks else []
    return [*forget, {"createDeveloperMetadata": {"developerMetadata": new}}]
