"""The fake service's exports: the scope of a filter, files, and the plan of one to a Google sheet."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from lib.client.errors import ClientError
from lib.contract.export_plans import CellChange, ExportPlan, ExportPlanCounts, ExportPlanRow, PlannedCell
from lib.contract.exports import Export, ExportFilter, ExportPage, ExportScope, SheetTarget
from lib.contract.operations import Gate
from lib.contract.states import PlanState
from tests.pages.canned import JOB_ID, PLAN_ID, ago, now

TARGET = SheetTarget(kind="google_sheet", spreadsheet="book-0123456789", tab="Data")
ROWS = [
    ExportPlanRow(
        row=2,
        key="KB-001",
        change=CellChange.CONFLICT,
        cells=[
            PlannedCell(column="advice", base="once", ours="ours <b>", theirs="theirs <i>", change=CellChange.CONFLICT),
            PlannedCell(column="owner", base=None, ours="Maria", theirs="Jonas", change=CellChange.CONFLICT),
        ],
    ),
    ExportPlanRow(
        row=3,
        key="KB-002",
        change=CellChange.CONFLICT,
        cells=[PlannedCell(column="advice", base="a", ours="b", theirs="c", change=CellChange.CONFLICT)],
    ),
    ExportPlanRow(
        row=4,
        key="KB-003",
        change=CellChange.CHANGE,
        cells=[PlannedCell(column="advice", base="old", ours="new", theirs="old", change=CellChange.CHANGE)],
    ),
]


def export_plan(**more: Any) -> ExportPlan:
    facts: dict[str, Any] = {
        "plan_id": PLAN_ID,
        "job_id": JOB_ID,
        "state": PlanState.READY,
        "target": TARGET,
        "filter": ExportFilter(),
        "title": "Playbook",
        "counts": ExportPlanCounts(add=0, change=1, clear=0, keep=2, conflict=3, rows=3, unchanged_rows=147),
        "untouched_columns": ["notes <b>"],
        "formulas": 2,
        "requested_by": "local admin",
        "created_at": ago(minutes=1),
        "expires_at": now() + timedelta(hours=23),
        "gate": Gate(allowed=True),
        "rows": ROWS,
        "taken_at": now(),
    }
    return ExportPlan(**(facts | more))


class FakeExports:
    """The client's part."""

    exports: list[Export]
    export_plan: ExportPlan
    _act: Any
    _note: Any

    def _missing(self) -> ClientError:
        raise NotImplementedError

    def list_exports(self) -> ExportPage:
        self._note("list_exports")
        return ExportPage(items=self.exports, taken_at=now())

    def get_export_scope(self, wanted: Any) -> ExportScope:
        self._note("get_export_scope", wanted)
        matching = 7 if wanted.text else 150
        fields = ["category", "owner", "updated"]
        return ExportScope(
            matching=matching, total=150, key="key", text=["title", "advice"], fields=fields, maybe_too_long=2, taken_at=now()
        )

    def export_link(self, export_id: str, ticket: str, base_url: str | None = None) -> str:
        return f"{base_url or ''}/api/exports/{export_id}/file?ticket={ticket}"

    def preview_export(self, request: Any) -> str:
        self._act("preview_export", request)
        return PLAN_ID

    def get_export_plan(self, plan_id: str, change: CellChange | None = None, limit: int = 50, cursor: str | None = None) -> ExportPlan:
        self._note("get_export_plan", plan_id, change, limit, cursor)
        if plan_id != PLAN_ID:
            raise self._missing()
        rows = [row for row in self.export_plan.rows if change in {None, row.change}]
        following = None if cursor else "more" if limit == 50 or len(rows) > limit else None
        found = {"rows": rows[:limit], "matching": len(rows) if change else None, "next_cursor": following}
        return self.export_plan.model_copy(update=found)
