"""The part of the gate that is about the plan of an export to a sheet."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection

from lib.contract.errors import ErrorCode
from lib.contract.exports import ExportRequest, Side
from lib.contract.model import utc_now
from lib.contract.operations import Gate, Reason
from lib.contract.states import PlanState
from lib.service.access import decide_sheet
from lib.service.errors import ServiceError
from lib.service.plan_gate import OPEN, refuse
from lib.service.sheets.google import parse_spreadsheet
from lib.service.storage.counters import get_counters
from lib.service.storage.export_plans import get_export_plan


def decide_export(connection: Connection, request: ExportRequest) -> Gate:
    """May this plan be carried out with these choices?"""
    plan = get_export_plan(connection, request.plan_id or "")
    if plan is None:
        action = "It may have been removed by age: preview again."
        raise ServiceError(ErrorCode.NOT_FOUND, f"There is no plan {request.plan_id}.", action=action)
    link, id_ = f"/Export?plan={plan.plan_id}", plan.plan_id
    if plan.state == PlanState.BUILDING:
        return refuse(Reason.PLAN_NOT_READY, "The sheet is still being compared.", holder=id_, link=link)
    if plan.state == PlanState.FAILED:
        return refuse(Reason.PLAN_FAILED, "The plan could not be made: the sheet could not be compared.", holder=id_, link=link)
    if plan.state == PlanState.APPLIED:
        return refuse(Reason.PLAN_APPLIED, "This plan has been carried out already.", holder=plan.applied_by_job, link=link)
    if plan.expires_at < utc_now() or plan.state == PlanState.STALE or plan.table_revision != get_counters(connection)["table_revision"]:
        moved = "The table has changed since this plan was made, or it has expired. Preview the sheet again."
        return refuse(Reason.PLAN_STALE, moved, holder=id_, link=link)
    decision = _decide_cells(plan.found["counts"], request, id_, link)
    return decide_sheet(connection, parse_spreadsheet(plan.target["spreadsheet"]), writing=True) if decision.allowed else decision


def _decide_cells(counts: Mapping[str, int], request: ExportRequest, plan_id: str, link: str) -> Gate:
    decided_ours = request.keep is Side.OURS or Side.OURS in request.choices.values()
    written = ("add", "change", "clear", "conflict") if decided_ours else ("add", "change", "clear")
    if any(counts[name] for name in written):
        return OPEN
    differs = counts["keep"] or counts["conflict"]
    why = "every difference is an edit of theirs, which stays" if differs else "the sheet holds exactly this already"
    return refuse(Reason.NOTHING_TO_DO, f"Nothing to do: {why}.", holder=plan_id, link=link)
