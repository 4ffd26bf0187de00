"""What an export would write, before anybody presses the button."""

from __future__ import annotations

from lib.contract.errors import ErrorCode, FieldError
from lib.contract.exports import XLSX_MAX_CELL_CHARACTERS, ExportFilter, ExportRequest, ExportScope
from lib.contract.model import utc_now
from lib.service.errors import ServiceError
from lib.service.operations.columns import TableColumns, name_columns
from lib.service.storage import scope
from lib.service.storage.counters import get_counters
from lib.service.storage.database import Database


class Exports:
    """Counts and columns; which columns there are is worked out once for each state of the table."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._columns: tuple[int, TableColumns] | None = None

    def read_scope(self, wanted: ExportFilter) -> ExportScope:
        """What the filter matches, and the columns to choose from."""
        columns = self.read_columns()
        with self._database.read() as connection:
            total = get_counters(connection)["entries"]
            matching = scope.count_matching(connection, wanted, longer_than=XLSX_MAX_CELL_CHARACTERS)
        return ExportScope(
            matching=matching.entries,
            total=total,
            key=columns.key,
            text=columns.text,
            fields=columns.fields,
            maybe_too_long=matching.maybe_too_long,
            taken_at=utc_now(),
        )

    def read_columns(self) -> TableColumns:
        """Every column the table has."""
        with self._database.read() as connection:
            revision = get_counters(connection)["table_revision"]
            if self._columns is None or self._columns[0] != revision:
                self._columns = revision, name_columns(connection)
            return self._columns[1]

    def check_columns(self, request: ExportRequest) -> None:
        """422 when a column is asked for that no entry has."""
        unknown = self.read_columns().unknown(request.columns or [])
        if unknown:
            detail = f"No entry has a column called {', '.join(unknown)}."
            raise ServiceError(ErrorCode.INVALID, detail, errors=[FieldError(pointer="/body/columns", detail=detail)])
