"""The methods of the client about exports, with a sample of each answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lib.client.api import Client
from lib.contract.export_plans import CellChange, ExportPlan
from lib.contract.exports import ExportFilter, ExportPage, ExportScope, SheetTarget
from lib.contract.model import Reading, utc_now
from lib.contract.states import PlanState

NOW = utc_now()
SHEET = SheetTarget(kind="google_sheet", spreadsheet="abc", tab="Knowledge")
EXPORT_PLAN = ExportPlan(
    plan_id="p/1",
    job_id="j",
    state=PlanState.READY,
    target=SHEET,
    filter=ExportFilter(),
    requested_by="ada",
    created_at=NOW,
    expires_at=NOW,
    taken_at=NOW,
)
SCOPE = ExportScope(matching=2, total=3, key="id", text=["text"], fields=[], taken_at=NOW)

#: as ``calls.CALLS``
EXPORT_CALLS: dict[str, tuple[Callable[[Client], Any], str, str, dict[str, str], Reading]] = {
    "list_exports": (lambda c: c.list_exports(), "GET", "/api/exports", {}, ExportPage(items=[], taken_at=NOW)),
    "get_export_plan": (
        lambda c: c.get_export_plan("p/1", CellChange.CONFLICT, 7, "x"),
        "GET",
        "/api/exports/plans/p%2F1",
        {"change": "conflict", "limit": "7", "cursor": "x"},
        EXPORT_PLAN,
    ),
    "get_export_scope": (lambda c: c.get_export_scope(ExportFilter(text="a")), "POST", "/api/exports/scope", {}, SCOPE),
}
