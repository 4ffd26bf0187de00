"""What to write, and the file that came of it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from lib.contract.model import Reading, Request


class FileTarget(Request):
    """A file to download. ``spreadsheet_safe`` disarms cells a spreadsheet would run; the import undoes it."""

    kind: Literal["file"] = "file"
    format: Literal["csv"] = "csv"
    spreadsheet_safe: bool = True


class ExportFilter(Request):
    """Which entries. An empty filter means all of them."""

    text: str | None = Field(None, max_length=200, description="only entries whose key or text contains this")


class ExportRequest(Request):
    """Write entries to a target."""

    target: FileTarget = FileTarget()
    filter: ExportFilter = ExportFilter()


class Export(Reading):
    """A file an export made; downloaded from ``/api/exports/{export_id}/file`` until it expires."""

    export_id: str
    job_id: str
    name: str
    rows: int
    size_bytes: int
    sha256: str
    created_at: datetime
    expires_at: datetime


class ExportPage(Reading):
    """Export files that can still be downloaded, newest first."""

    items: list[Export]
    taken_at: datetime
