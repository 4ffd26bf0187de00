"""What to write, and the file that came of it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from lib.contract.model import Reading, Request
from lib.contract.states import EntryState

#: What one XLSX cell may hold; a longer one ends the export before there is a file, it is never cut.
XLSX_MAX_CELL_CHARACTERS = 32_767
#: Entries one XLSX sheet may hold: its last row, less the header.
XLSX_MAX_ROWS = 1_048_575


class ExportFormat(StrEnum):
    """How a file is written down."""

    CSV = "csv"
    XLSX = "xlsx"
    PARQUET = "parquet"


class FileTarget(Request):
    """A file to download. ``spreadsheet_safe`` disarms cells a spreadsheet would run; the import undoes it."""

    kind: Literal["file"] = "file"
    format: ExportFormat = ExportFormat.CSV
    spreadsheet_safe: bool = True


class SheetTarget(Request):
    """A tab of a Google sheet that is there already. ``spreadsheet``: its address or its id."""

    kind: Literal["google_sheet"]
    spreadsheet: str = Field(min_length=1, max_length=2000)
    tab: str = Field(min_length=1, max_length=200)


class Side(StrEnum):
    """Whose value stays where both sides changed a cell."""

    THEIRS = "theirs"  #: the sheet's
    OURS = "ours"  #: the table's


ShortText = Annotated[str, Field(max_length=200)]


class ExportFilter(Request):
    """Which entries. An empty filter means all of them; each part narrows it further."""

    text: ShortText | None = Field(None, description="only entries whose key or text contains this")
    fields: dict[ShortText, ShortText] = Field({}, max_length=20, description="only entries whose field has exactly this value")
    state: EntryState | None = None
    updated_since: datetime | None = Field(None, description="only entries that changed at this moment or later; with its time zone")

    @field_validator("updated_since")
    @classmethod
    def _has_a_zone(cls, value: datetime | None) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("say in which time zone, as in 2025-03-01T09:00:00Z")
        return value


class ExportRequest(Request):
    """Write entries to a target. ``columns``: only these text and field columns beside the key; null means all of them.

    A Google sheet is written by its plan, exactly: filter and columns are the plan's. ``keep`` decides where both sides changed a
    cell, ``choices`` decides for single rows by their key.
    """

    target: Annotated[FileTarget | SheetTarget, Field(discriminator="kind")] = FileTarget()
    filter: ExportFilter = ExportFilter()
    columns: list[str] | None = Field(None, min_length=1, max_length=1000)
    plan_id: str | None = Field(None, max_length=64)
    keep: Side = Side.THEIRS
    choices: dict[str, Side] = Field({}, max_length=10_000)

    @model_validator(mode="after")
    def _a_sheet_has_a_plan(self) -> ExportRequest:
        if isinstance(self.target, SheetTarget) != (self.plan_id is not None):
            raise ValueError("a Google sheet is written by the plan_id of a preview, a file without one")
        return self


class ExportScope(Reading):
    """What a filter matches, before anything is written."""

    matching: int
    total: int
    key: str = Field(description="what the key's column is called")
    text: list[str]
    fields: list[str]
    maybe_too_long: int = Field(0, description="matching entries with more text or fields than one XLSX cell may hold")
    taken_at: datetime


class Export(Reading):
    """A file an export made; downloaded from ``/api/exports/{export_id}/file`` until it expires."""

    export_id: str
    job_id: str
    name: str
    format: ExportFormat = ExportFormat.CSV
    rows: int
    size_bytes: int
    sha256: str
    created_at: datetime
    expires_at: datetime


class ExportPage(Reading):
    """Export files that can still be downloaded, newest first."""

    items: list[Export]
    taken_at: datetime
