"""Uploads, column mapping, plans and their rows."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field, model_validator

from lib.contract.jobs import JobError, Progress
from lib.contract.model import Reading, Request
from lib.contract.operations import Gate
from lib.contract.states import Change, ImportMode, InvalidPolicy, PlanState, UndoOutcome

#: The most columns a sheet may have, said on the page before the upload and enforced by the reader.
MAX_COLUMNS = 256
#: The most characters one cell may hold (Google Sheets' own limit).
MAX_CELL_CHARACTERS = 50_000
#: A mirror's removals above both bounds are held until somebody approves their number.
HELD_REMOVALS_ABOVE = 10
HELD_REMOVALS_RATIO = 0.10


class UploadRequest(Request):
    """Announce a file before its first byte."""

    name: str = Field(min_length=1, max_length=255)
    size_bytes: int = Field(ge=0)


class Upload(Reading):
    """A file on its way in. ``name`` is only ever shown, never used as a path."""

    upload_id: str
    name: str
    size_bytes: int
    received_bytes: int = 0


class ColumnMapping(Request):
    """Which column is the key, which make up the text, which are kept as fields."""

    key: str = Field(min_length=1)
    text: list[str] = Field(min_length=1)
    fields: list[str] = []

    @model_validator(mode="after")
    def _each_column_once(self) -> ColumnMapping:
        names = [self.key, *self.text, *self.fields]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"each column may be used once; used twice: {', '.join(twice)}")
        return self


class SheetColumns(Reading):
    """The head of a source: what its columns are called, how it was read, how it would be mapped."""

    columns: list[str]
    sample: list[list[str]] = Field(description="the first records, as the person sees them")
    encoding: str
    delimiter: str
    suggested: ColumnMapping | None = None


class FileSource(Request):
    """An uploaded file."""

    kind: Literal["file"] = "file"
    upload_id: str = Field(pattern=r"^[0-9a-f]{32}$")
    sheet: str | None = None


class PreviewRequest(Request):
    """Make a plan. Writes nothing but the plan."""

    source: FileSource
    mapping: ColumnMapping
    mode: ImportMode = ImportMode.MERGE


class PlanStarted(Reading):
    """202: the plan that is being built."""

    plan_id: str


class PlanCounts(Reading):
    """How many rows of the source fall under each change."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0
    invalid: int = 0


class RowError(Reading):
    """One rule that one cell breaks: which row as the person sees it, which column, what to do."""

    column: str | None
    value: str
    rule: str
    fix: str


class FieldDifference(Reading):
    """One column of one row, before → after."""

    column: str
    before: str | None
    after: str | None


class PlanRow(Reading):
    """One row of a plan. ``row`` is the line number in the sheet; the header is row 1; null for removals."""

    row: int | None
    change: Change
    key: str
    text: str
    differences: list[FieldDifference] = []
    errors: list[RowError] = []


class Plan(Reading):
    """The preview of an import: what it would change, and what it was computed from."""

    plan_id: str
    job_id: str
    state: PlanState
    source: dict[str, Any]
    source_name: str
    mapping: ColumnMapping
    mode: ImportMode
    counts: PlanCounts
    to_embed: int | None = Field(None, description="texts that have no vector yet; null while building")
    held_removals: int = 0
    progress: Progress | None = None
    error: JobError | None = None
    encoding: str | None = None
    delimiter: str | None = None
    requested_by: str
    created_at: datetime
    expires_at: datetime
    applied_by_job: str | None = None
    gate: Gate | None = Field(None, description="whether it may be applied now without further choices, and why not")
    rows: list[PlanRow] = []
    next_cursor: str | None = None
    taken_at: datetime


class UndoRow(Reading):
    """What an undo did, or would do, with one row of the import."""

    key: str
    change: Change
    outcome: UndoOutcome
    detail: str = ""


class UndoReport(Reading):
    """An import and how far it can be, or was, taken back."""

    job_id: str
    gate: Gate = Field(description="whether it may be undone now, and why not")
    undone_by_job: str | None = None
    expires_at: datetime | None = None
    counts: dict[str, int] = {}
    rows: list[UndoRow] = []
    next_cursor: str | None = None
    taken_at: datetime


class ImportRequest(Request):
    """Apply exactly one plan. ``approve_removals`` is a ceiling: the number of removals the person read and typed."""

    plan_id: str
    mode: ImportMode | None = None
    policy: InvalidPolicy = InvalidPolicy.SKIP
    approve_removals: int | None = Field(None, ge=0)
