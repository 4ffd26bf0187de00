"""What table and Google sheet agree on once an import is made: the base from which exports tell whose edit is whose."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lib.contract.imports import ColumnMapping
from lib.service.operations.runner import JobContext
from lib.service.sheets.google import sheet_of
from lib.service.sheets.google_sheet import GoogleSheet
from lib.service.sheets.reading import Record
from lib.service.sheets.swap import MARK
from lib.service.storage import agreements, plans
from lib.service.storage.export_plans import adopt_agreement
from lib.service.storage.plan_rows import list_partial_rows

#: Rows staged at once.
BATCH_ROWS = 5000


class Agreement:
    """Listens to the sheet while it is read again, and stages each row the plan takes over."""

    def __init__(self, context: JobContext, plan: Any) -> None:
        mapping = ColumnMapping.model_validate(plan.mapping)
        self._context, self._plan, self._key = context, plan, mapping.key
        self._columns = [*mapping.text, *mapping.fields]
        self._left_out: set[int] = set()
        self._batch: list[tuple[str, dict[str, str]]] = []
        self.sheet: str | None = None

    def listen_to(self, sheet: GoogleSheet) -> Callable[[Record], None]:
        """What to call with each record."""
        self.sheet = sheet_of(sheet.book, sheet.tab)
        with self._context.write() as connection:
            agreements.drop_staged(connection, self._context.job.job_id)  # of an attempt that died half-way
            if mark := sheet.tab.marks.get(MARK):  # an export may have written the sheet and died before it could say so
                adopt_agreement(connection, self.sheet, mark)
            self._left_out = plans.list_left_out(connection, self._plan.plan_id)
            partial = list_partial_rows(connection, self._plan.plan_id)
            former = agreements.read_agreed(connection, self.sheet, [row.key for row in partial.values()])
        key_at = sheet.header.index(self._key)
        at = [(name, sheet.header.index(name)) for name in self._columns]

        def hear(record: Record) -> None:
            if record.row in self._left_out:
                return
            key, cells = record.cells[key_at], {name: record.cells[place] for name, place in at}
            if record.row in partial:  # of a column that is left out, what was agreed before still is
                out = partial[record.row].left_out
                cells = {name: value for name, value in cells.items() if name not in out}
                cells |= {name: value for name, value in former.get(key, {}).items() if name in out}
            self._batch.append((key, cells))
            if len(self._batch) >= BATCH_ROWS:
                self.flush()

        return hear

    def flush(self) -> None:
        """Stage what is in hand."""
        if self._batch:
            with self._context.write() as connection:
                agreements.stage(connection, self._context.job.job_id, self._batch)
            self._batch.clear()
