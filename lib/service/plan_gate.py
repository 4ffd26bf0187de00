"""The gate's judgement of one plan: whether it stands, and whether what it would do may be done."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from lib.contract.imports import ImportRequest
from lib.contract.model import utc_now
from lib.contract.operations import Gate, Reason
from lib.contract.plans import RULES
from lib.contract.states import InvalidPolicy, PlanState, RowRule
from lib.service.storage.changes import list_moved_keys

Plan = sa.Row[tuple[object, ...]]

OPEN = Gate(allowed=True)
#: How many of the keys that moved are named.
NAMED_KEYS = 5


def refuse(reason: Reason, text: str, *, holder: str | None = None, since: datetime | None = None, link: str | None = None) -> Gate:
    """A gate that says no."""
    return Gate(allowed=False, reason_code=reason, reason_text=text, holder=holder, since=since, fix_link=link)


def decide_plan(connection: Connection, plan: Plan, *, table_revision: int) -> Gate:
    """Is this plan ready, and true of the table as it is now?"""
    link = f"/Import?plan={plan.plan_id}"
    if plan.state == PlanState.BUILDING:
        return refuse(Reason.PLAN_NOT_READY, "The plan is still being made.", holder=plan.plan_id, link=link)
    if plan.state == PlanState.FAILED:
        return refuse(Reason.PLAN_FAILED, "The plan could not be made: its source could not be read.", holder=plan.plan_id, link=link)
    if plan.state == PlanState.APPLIED:
        return refuse(Reason.PLAN_APPLIED, "This plan has been applied already.", holder=plan.applied_by_job, link=link)
    expired = plan.expires_at < utc_now()
    if expired or plan.state == PlanState.STALE or plan.table_revision != table_revision:
        text = _describe_source(plan, expired=expired) or _describe_table(connection, plan)
        return refuse(Reason.PLAN_STALE, text, holder=plan.plan_id, link="/Import")
    return OPEN


def _describe_source(plan: Plan, *, expired: bool) -> str:
    """That the source has moved, if it was found to have; else that the plan is too old, if it is."""
    if plan.error:
        return f"{plan.error['detail']} Preview it again."
    return "The plan has expired. Preview the source again." if expired else ""


def _describe_table(connection: Connection, plan: Plan) -> str:
    count, keys = list_moved_keys(connection, since=plan.created_at, limit=NAMED_KEYS)
    named = f" touched {count:,} {'entry' if count == 1 else 'entries'} ({', '.join(keys)}{' …' if count > len(keys) else ''})"
    what = f"another import or undo{named if count else ' was done'}"
    return f"The table has changed since this plan was made: {what}. Preview the source again."


def decide_seen(plan: Plan, seen: int | None) -> Gate:
    """Are the ticks still those the person saw?"""
    if seen is None or seen == plan.ticks_revision:
        return OPEN
    text = "Somebody has ticked or unticked rows of this plan since you looked. Look again, then decide."
    return refuse(Reason.CHANGED_SINCE_SHOWN, text, holder=plan.plan_id, link=f"/Import?plan={plan.plan_id}")


def decide_rows(plan: Plan, request: ImportRequest) -> Gate:
    """May the rows of this plan be applied with these choices?"""
    link = f"/Import?plan={plan.plan_id}"
    unfit = _unfit(plan.counts, plan.rules or {}, plan.mapping["key"])
    if unfit:
        return refuse(Reason.ROWS_UNFIT, unfit, holder=plan.plan_id, link=link)
    seen = decide_seen(plan, request.ticks_revision)
    if not seen.allowed:
        return seen
    invalid = plan.counts.get("invalid", 0)
    if invalid and request.policy is InvalidPolicy.ALL_OR_NOTHING:
        text = f"{invalid:,} rows are invalid and you asked for all or nothing. Correct them, or choose to skip them."
        return refuse(Reason.PLAN_HAS_INVALID_ROWS, text, holder=plan.plan_id, link=link)
    return _decide_changes(plan, request.approve_removals, link)


def _decide_changes(plan: Plan, approved: int | None, link: str) -> Gate:
    """Is there something left to do that is ticked, and are its removals approved? An approved number is a ceiling."""
    unticked = plan.unticked or {}
    new, changed, removed = (plan.counts.get(change, 0) - unticked.get(change, 0) for change in ("new", "changed", "removed"))
    if approved is not None and approved < removed:
        text = f"The plan removes {removed:,} entries and you approved {approved:,}. Type the number the plan shows."
        return refuse(Reason.REMOVALS_NOT_APPROVED, text, holder=plan.plan_id, link=link)
    if not new + changed and plan.held_removals and approved is None:
        text = f"The plan only removes {removed:,} entries, which is held back. Type that number to approve the removals."
        return refuse(Reason.REMOVALS_NOT_APPROVED, text, holder=plan.plan_id, link=link)
    if not new + changed + removed:
        nothing = "every row of this plan is unticked" if any(unticked.values()) else "the table already holds exactly this"
        return refuse(Reason.NOTHING_TO_DO, f"Nothing to do: {nothing}.", holder=plan.plan_id, link=link)
    return OPEN


def _unfit(counts: Mapping[str, int], rules: Mapping[str, int], key: str) -> str:
    """Why the sheet as a whole cannot be meant: hardly a row can be told apart by its key, or no row is valid."""
    records = sum(counts.get(change, 0) for change in ("new", "changed", "unchanged", "invalid"))
    empty, twice = rules.get(RowRule.KEY_EMPTY, 0), rules.get(RowRule.KEY_TWICE, 0)
    if (empty + twice) * 2 > records:
        text = f"The column {key} cannot be the key: of {records:,} rows it is empty in {empty:,} and repeats another row's in {twice:,}."
        return f"{text} Nothing is applied. Map another column as the key, or mend the sheet."
    if records and counts.get("invalid", 0) == records:
        rule = max(rules, key=lambda each: rules[each], default="")
        most = f" Most often: {RULES[RowRule(rule)].lower()} ({rules[rule]:,} rows)." if rule else ""
        return f"Not one of the {records:,} rows is valid, so nothing is applied.{most} Mend the sheet, or map the columns again."
    return ""
