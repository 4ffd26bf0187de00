"""What an export would write, before anybody presses the button: to a file, or cell by cell to a sheet."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy import Connection

from lib.contract.errors import ErrorCode, FieldError
from lib.contract.export_plans import CellChange, ExportPlan, ExportPlanRow, ExportPreviewRequest
from lib.contract.exports import XLSX_MAX_CELL_CHARACTERS, ExportFilter, ExportRequest, ExportScope
from lib.contract.model import utc_now
from lib.contract.states import Operation, PlanState
from lib.service import gate
from lib.service.cursors import decode_cursor, split_page
from lib.service.engine import JobQueue
from lib.service.errors import ServiceError
from lib.service.jobs import Start, start_job
from lib.service.operations.columns import TableColumns, name_columns
from lib.service.sheets.google import parse_spreadsheet
from lib.service.sheets.reading import UnreadableSheet
from lib.service.storage import export_plans as rows
from lib.service.storage import jobs as job_rows
from lib.service.storage import scope
from lib.service.storage.counters import get_counters
from lib.service.storage.database import Database
from lib.service.storage.settings import get_setting


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

    def check_columns(self, wanted: list[str] | None) -> None:
        """422 when a column is asked for that no entry has."""
        unknown = self.read_columns().unknown(wanted or [])
        if unknown:
            detail = f"No entry has a column called {', '.join(unknown)}."
            raise ServiceError(ErrorCode.INVALID, detail, errors=[FieldError(pointer="/body/columns", detail=detail)])

    def preview_export(self, queue: JobQueue, request: ExportPreviewRequest, *, actor: str, request_id: str) -> str:
        """Start comparing the table with a sheet; the plan's id."""
        self.check_columns(request.columns)
        try:
            spreadsheet_id = parse_spreadsheet(request.target.spreadsheet)
        except UnreadableSheet as wrong:
            fields = [FieldError(pointer="/body/target/spreadsheet", detail=wrong.detail)]
            raise ServiceError(ErrorCode.INVALID, wrong.detail, action=wrong.action, errors=fields) from wrong
        plan_id, now = uuid4().hex, utc_now()

        def prepare(connection: Connection, job_id: str) -> None:
            hours = int(get_setting(connection, "import.plan_hours"))
            given = request.model_dump(mode="json")
            times = {"created_at": now, "expires_at": now + timedelta(hours=hours)}
            rows.insert_export_plan(connection, plan_id=plan_id, job_id=job_id, requested_by=actor, **given, **times)

        arguments = {"plan_id": plan_id, "target": request.target.model_dump(), "spreadsheet_id": spreadsheet_id}
        start_job(
            self._database,
            queue,
            Start(operation=Operation.COMPARE, arguments=arguments, actor=actor, request_id=request_id),
            prepare=prepare,
        )
        return plan_id

    def get_plan(self, plan_id: str, *, change: CellChange | None, limit: int, cursor: str | None) -> ExportPlan:
        """The plan with one page of its rows; 404 when there is none."""
        after = decode_cursor(cursor, int)[0] if cursor else 0
        with self._database.read() as connection:
            plan = rows.get_export_plan(connection, plan_id)
            if plan is None:
                action = "It may have been removed by age: preview again."
                raise ServiceError(ErrorCode.NOT_FOUND, f"There is no plan {plan_id}.", action=action)
            job = job_rows.get_job(connection, plan.job_id)
            page = rows.list_export_plan_rows(connection, plan_id, change=change, after=after, limit=limit + 1) if limit else []
            matching = rows.count_export_plan_rows(connection, plan_id, change) if change and limit else None
            revision = get_counters(connection)["table_revision"]
            decision = gate.decide(connection, Operation.EXPORT, {"plan_id": plan_id, "target": plan.target})
        shown, more = split_page(page, limit, lambda row: (row.position,))
        return ExportPlan.model_validate(
            {**plan._mapping, **plan.found}
            | {
                "state": _present_state(plan, revision),
                "progress": job.progress if job and plan.state == PlanState.BUILDING else None,
                "gate": decision,
                "matching": matching,
                "rows": [ExportPlanRow.model_validate(dict(row._mapping)) for row in shown],
                "next_cursor": more,
                "taken_at": utc_now(),
            }
        )


def _present_state(plan: sa.Row[Any], table_revision: int) -> PlanState:
    """A ready plan goes stale by itself: when the table moves on, or with time. That the sheet moved is found when it is carried out."""
    stale = plan.table_revision != table_revision or plan.expires_at < utc_now()
    return PlanState.STALE if plan.state == PlanState.READY and stale else PlanState(plan.state)


def check_target(database: Database, request: ExportRequest) -> None:
    """404 when the plan of a request is not there, 422 when it is about another sheet."""
    if request.plan_id is None:
        return
    with database.read() as connection:
        plan = rows.get_export_plan(connection, request.plan_id)
    if plan is None:
        raise ServiceError(ErrorCode.NOT_FOUND, f"There is no plan {request.plan_id}.", action="Preview the sheet again.")
    if request.target.model_dump() != plan.target:
        detail = "The plan was made for another sheet; preview this one."
        raise ServiceError(ErrorCode.INVALID, detail, errors=[FieldError(pointer="/body/target", detail=detail)])
