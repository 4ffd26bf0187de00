"""Uploads, column mapping, plans and their rows."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from lib.contract.jobs import JobError, Progress
from lib.contract.model import Reading, Request
from lib.contract.operations import Gate
from lib.contract.plans import RuleCount
from lib.contract.states import Change, Confidence, ImportMode, InvalidPolicy, PlanState, RowRule, SheetFormat, UndoOutcome

#: The most columns a sheet may have, said on the page before the upload and enforced by the reader.
MAX_COLUMNS = 256
#: The most characters one cell may hold (Google Sheets' own limit).
MAX_CELL_CHARACTERS = 50_000
#: What a workbook, which is a packed archive, may unpack to.
MAX_UNPACKED_GIB = 2
#: A mirror's removals above both bounds are held until somebody approves their number.
HELD_REMOVALS_ABOVE = 10
HELD_REMOVALS_RATIO = 0.10


def hold_removals(removed: int, table_size: int) -> int:
    """How many of a mirror's removals are held back until somebody approves their number: all of them, or none."""
    return removed if removed > HELD_REMOVALS_ABOVE and removed > HELD_REMOVALS_RATIO * table_size else 0


#: What a CSV file may be written in, as people call it; UTF-8 and byte-order marks are recognised, the others have to be chosen.
ENCODINGS: dict[str, str] = {
    "utf-8": "UTF-8",
    "utf-8-sig": "UTF-8 with a byte-order mark",
    "utf-16": "UTF-16",
    "cp1252": "Windows-1252 (Western Europe)",
    "cp1250": "Windows-1250 (Central Europe)",
    "cp1251": "Windows-1251 (Cyrillic)",
    "cp1253": "Windows-1253 (Greek)",
    "cp1254": "Windows-1254 (Turkish)",
    "mac-roman": "Mac Roman",
    "iso-8859-15": "ISO-8859-15 (Western Europe)",
    "cp932": "Shift-JIS (Japanese)",
    "gb18030": "GB 18030 (Chinese)",
    "big5": "Big5 (Chinese)",
    "cp949": "EUC-KR (Korean)",
}
Encoding = Literal[
    "utf-8",
    "utf-8-sig",
    "utf-16",
    "cp1252",
    "cp1250",
    "cp1251",
    "cp1253",
    "cp1254",
    "mac-roman",
    "iso-8859-15",
    "cp932",
    "gb18030",
    "big5",
    "cp949",
]
Delimiter = Literal[",", ";", "\t", "|"]


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


class ReadAs(Reading):
    """How a source was read. What a file does not have is null: a workbook has no delimiter, a CSV file no tab."""

    format: SheetFormat
    encoding: str | None = None
    delimiter: str | None = None
    header_row: int = Field(1, description="the row that names the columns, as a spreadsheet counts")
    tab: str | None = None
    notes: list[str] = Field([], description="what was no text in the source, and how it was taken")
    doubtful: bool = Field(False, description="the encoding is no more than a guess: a person must look at it")


Use = Literal["key", "text", "field", "nothing"]


class ColumnSuggestion(Reading):
    """What one column is suggested to be, how sure that is, and why."""

    column: str
    use: Use
    confidence: Confidence
    why: str


class SheetColumns(Reading):
    """The head of a source: what its columns are called, how it was read, how it would be mapped."""

    columns: list[str] = Field(description="empty while a workbook's tab has to be chosen first")
    sample: list[list[str]] = Field(description="the first records, as the person sees them")
    read_as: ReadAs
    tabs: list[str] = Field([], description="the tabs of a workbook; one has to be chosen when there are several")
    suggested: ColumnMapping | None = None
    suggestions: list[ColumnSuggestion] = Field([], description="the same column by column, with how sure it is")
    missing: list[str] = Field([], description="columns the last import of this source used and this one lacks")


class FileSource(Request):
    """An uploaded file. What is null is found out; what a person says about it counts."""

    kind: Literal["file"] = "file"
    upload_id: str = Field(pattern=r"^[0-9a-f]{32}$")
    sheet: str | None = Field(None, max_length=200, description="the tab of a workbook")
    encoding: Encoding | None = None
    delimiter: Delimiter | None = None
    header_row: int | None = Field(None, ge=1, le=1000)


class SheetSource(Request):
    """One tab of a Google sheet. ``spreadsheet``: the address a person sees while editing it, or its id."""

    kind: Literal["google_sheet"]
    spreadsheet: str = Field(min_length=1, max_length=500)
    tab: str = Field(min_length=1, max_length=200)
    header_row: int | None = Field(None, ge=1, le=1000)


def _kind_of(source: Any) -> str:
    kind = source.get("kind", "file") if isinstance(source, dict) else getattr(source, "kind", "file")
    return kind if kind == "google_sheet" else "file"


#: Told apart by ``kind``; without one it is a file.
Source = Annotated[Annotated[FileSource, Tag("file")] | Annotated[SheetSource, Tag("google_sheet")], Discriminator(_kind_of)]


class SheetTab(Reading):
    """One tab of a Google sheet, as large as its grid."""

    title: str
    rows: int
    columns: int


class SheetTabs(Reading):
    """A Google sheet that can be read: what it is called, and its tabs in their order. ``tab``: the one the address points at."""

    spreadsheet_id: str
    title: str
    tabs: list[SheetTab]
    tab: str | None = None


class PreviewRequest(Request):
    """Make a plan. Writes nothing but the plan."""

    source: Source
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
    code: RowRule | None = None


class FieldDifference(Reading):
    """One column of one row, before → after."""

    column: str
    before: str | None
    after: str | None


class PlanRow(Reading):
    """One row of a plan. ``row`` is the line number in the sheet; the header is row 1; null for removals."""

    position: int = Field(0, description="its place in the plan; what ticking names")
    row: int | None
    change: Change
    ticked: bool = Field(True, description="an unticked row is left as it is in the table")
    left_out: list[str] = Field([], description="columns of a changed row that are left as they are in the table")
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
    rules: list[RuleCount] = Field([], description="which rules how many rows break")
    unticked: PlanCounts = Field(PlanCounts(), description="how many rows of each kind are left out because somebody unticked them")
    left_out_cells: int = Field(0, description="how many single columns of rows are left out because somebody unticked them")
    ticks_revision: int = Field(0, description="grows with every change of ticks")
    matching: int | None = Field(None, description="how many rows match the filter; null when no filter was given")
    progress: Progress | None = None
    error: JobError | None = None
    read_as: ReadAs | None = Field(None, description="null while building")
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
    ticks_revision: int | None = Field(None, description="which ticks the person saw; 409 when they have changed since")
