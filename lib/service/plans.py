"""Plans as people see them: asked for, read page by page, applied exactly or not at all."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy import Connection

from lib.contract.errors import ErrorCode, FieldError
from lib.contract.imports import FieldDifference, ImportRequest, Plan, PlanCounts, PlanRow, PreviewRequest, RowError, SheetSource, Source
from lib.contract.model import utc_now
from lib.contract.operations import Started
from lib.contract.plans import RowFilter, RuleCount
from lib.contract.states import Change, Operation, PlanState, RowRule
from lib.service import gate
from lib.service.config import Config
from lib.service.cursors import decode_cursor, split_page
from lib.service.engine import JobQueue
from lib.service.errors import ServiceError
from lib.service.intentions import start_or_wait
from lib.service.jobs import Start, start_job
from lib.service.plan_rows import find_plan
from lib.service.sheets.opening import find_moved_file
from lib.service.storage import jobs as job_rows
from lib.service.storage import plans as rows
from lib.service.storage.counters import get_counters
from lib.service.storage.database import Database
from lib.service.storage.plan_rows import count_plan_rows, list_plan_rows
from lib.service.storage.settings import get_setting
from lib.service.tabs import settle_sheet
from lib.service.uploads import Uploads


def preview_import(database: Database, queue: JobQueue, uploads: Uploads, request: PreviewRequest, *, actor: str, request_id: str) -> str:
    """Start making a plan; its id. 404 or 409 when the upload is not there in full, 424 when the address is none of a sheet."""
    source, source_name = _settle_source(database, uploads, request.source)
    plan_id = uuid4().hex

    def prepare(connection: Connection, job_id: str) -> None:
        now = utc_now()
        rows.insert_plan(
            connection,
            plan_id=plan_id,
            job_id=job_id,
            source=source.model_dump(),
            source_name=source_name,
            mapping=request.mapping.model_dump(),
            mode=request.mode,
            requested_by=actor,
            created_at=now,
            expires_at=now + timedelta(hours=int(get_setting(connection, "import.plan_hours"))),
        )

    arguments = {"plan_id": plan_id, "source_name": source_name, "mode": request.mode.value}
    if isinstance(source, SheetSource):
        arguments["spreadsheet_id"] = source.spreadsheet
    start = Start(operation=Operation.PREVIEW, arguments=arguments, actor=actor, request_id=request_id)
    start_job(database, queue, start, prepare=prepare)
    return plan_id


def _settle_source(database: Database, uploads: Uploads, source: Source) -> tuple[Source, str]:
    """The source by its id, and what a person calls it."""
    if isinstance(source, SheetSource):
        return settle_sheet(database, source)
    upload = uploads.get_upload(source.upload_id)
    uploads.path_of_complete(upload.upload_id)
    return source, upload.name


def start_import(database: Database, config: Config, queue: JobQueue, request: ImportRequest, start: Start) -> Started:
    """Apply exactly one plan. 404 unknown plan, 422 another mode than previewed, 409 with the gate's words."""
    with database.read() as connection:
        plan = find_plan(rows.get_plan(connection, request.plan_id), request.plan_id)
    if request.mode is not None and request.mode != plan.mode:
        detail = f"The plan was made as {plan.mode}; preview again to {request.mode}."
        raise ServiceError(ErrorCode.INVALID, detail, errors=[FieldError(pointer="/body/mode", detail=detail)])
    _look_at_file(database, config, plan)
    return start_or_wait(database, queue, start, when_free=start.when_free)


def _look_at_file(database: Database, config: Config, plan: sa.Row[Any]) -> None:
    """Is an uploaded file still the one of the plan? Only one that was written since is read: the job reads each in any case."""
    if plan.state != PlanState.READY or plan.source["kind"] == "google_sheet":
        return
    path = config.uploads_dir / plan.source["upload_id"]
    if path.is_file() and path.stat().st_mtime > plan.created_at.timestamp() and (moved := find_moved_file(config, plan)):
        with database.write() as connection:
            rows.mark_moved(connection, plan, moved)  # and so the gate refuses


def get_plan(database: Database, plan_id: str, wanted: RowFilter, *, limit: int, cursor: str | None) -> Plan:
    """The plan with one page of its rows; 404 when there is none."""
    after = decode_cursor(cursor, int)[0] if cursor else 0
    with database.read() as connection:
        plan = find_plan(rows.get_plan(connection, plan_id), plan_id)
        job = job_rows.get_job(connection, plan.job_id)
        page = list_plan_rows(connection, plan_id, wanted, after=after, limit=limit + 1) if limit else []
        matching = count_plan_rows(connection, plan_id, wanted) if limit and wanted != RowFilter() else None
        table_revision = get_counters(connection)["table_revision"]
        decision = gate.decide(connection, Operation.IMPORT, {"plan_id": plan_id})
    shown, more = split_page(page, limit, lambda row: (row.position,))
    values = dict(plan._mapping)
    values["counts"], values["unticked"] = PlanCounts(**plan.counts), PlanCounts(**plan.unticked or {})
    values["rules"] = [RuleCount(rule=RowRule(rule), rows=count) for rule, count in (plan.rules or {}).items()]
    values["state"] = _present_state(plan, table_revision)
    return Plan.model_validate(
        values
        | {
            "matching": matching,
            "progress": job.progress if job and plan.state == PlanState.BUILDING else None,
            "gate": decision,
            "rows": [_row(row) for row in shown],
            "next_cursor": more,
            "taken_at": utc_now(),
        }
    )


def _present_state(plan: sa.Row[Any], table_revision: int) -> PlanState:
    """A ready plan goes stale by itself: when the table moves on, or with time."""
    ready = plan.state == PlanState.READY
    return PlanState.STALE if ready and (plan.table_revision != table_revision or plan.expires_at < utc_now()) else PlanState(plan.state)


def _row(row: sa.Row[Any]) -> PlanRow:
    return PlanRow(
        position=row.position,
        ticked=row.ticked,
        left_out=row.left_out or [],
        row=row.row,
        change=Change(row.change),
        key=row.key,
        text=row.text,
        differences=[FieldDifference.model_validate(value) for value in row.differences or []],
        errors=[RowError.model_validate(value) for value in row.errors or []],
    )
