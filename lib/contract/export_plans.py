"""The preview of an export to a Google sheet: what it would write, cell by cell, and where two people meant different things."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import Field

from lib.contract.exports import ExportFilter, SheetTarget
from lib.contract.jobs import JobError, Progress
from lib.contract.model import Reading, Request
from lib.contract.operations import Gate
from lib.contract.states import PlanState


class CellChange(StrEnum):
    """What an export would do with one cell of a sheet."""

    ADD = "add"  #: the cell is empty, or its row is not there yet
    CHANGE = "change"  #: the table's value replaces one nobody has touched in the sheet
    CLEAR = "clear"  #: the table holds nothing there any more
    KEEP = "keep"  #: edited in the sheet only: it stays
    CONFLICT = "conflict"  #: edited on both sides, or nobody knows what it was: a person decides


class PlannedCell(Reading):
    """One cell: the value both sides last agreed on (null: never known), the table's, the sheet's (null: no such row)."""

    column: str
    base: str | None
    ours: str | None
    theirs: str | None
    change: CellChange


class ExportPlanRow(Reading):
    """One row of the sheet that an export would touch, or that differs. ``row`` is null for one to be added."""

    row: int | None
    key: str
    change: CellChange
    cells: list[PlannedCell]


class ExportPlanCounts(Reading):
    """How many cells fall under each change, and how many rows."""

    add: int = 0
    change: int = 0
    clear: int = 0
    keep: int = 0
    conflict: int = 0
    rows: int = 0
    new_rows: int = 0
    unchanged_rows: int = 0


class ExportPreviewRequest(Request):
    """Compare the table with a sheet. Writes nothing, neither here nor there."""

    target: SheetTarget
    filter: ExportFilter = ExportFilter()
    columns: list[str] | None = None


class ExportPlan(Reading):
    """What an export to a sheet would do, and what that was computed from."""

    plan_id: str
    job_id: str
    state: PlanState
    target: SheetTarget
    filter: ExportFilter
    columns: list[str] | None = None
    title: str | None = None
    counts: ExportPlanCounts = ExportPlanCounts()
    new_columns: list[str] = []
    untouched_columns: list[str] = []
    formulas: int = 0
    progress: Progress | None = None
    error: JobError | None = None
    requested_by: str
    created_at: datetime
    expires_at: datetime
    applied_by_job: str | None = None
    applied: dict[str, Any] | None = None
    gate: Gate | None = None
    rows: list[ExportPlanRow] = []
    matching: int | None = Field(None, description="how many rows the filter lets through; null when no filter was given")
    next_cursor: str | None = None
    taken_at: datetime
