"""The gate's judgement of what happens to the index: a restore, the way back, a repair."""

from __future__ import annotations

from lib.contract.errors import ErrorCode
from lib.contract.health import IndexCheck
from lib.contract.jobs import Job
from lib.contract.names import is_typed
from lib.contract.operations import Gate, Reason
from lib.contract.settings import SettingValue
from lib.contract.states import JobState, Operation, Verdict
from lib.service.errors import ServiceError
from lib.service.plan_gate import OPEN, refuse

#: Parts of the Index page, as its links name them.
GOLDEN_TAB, HEALTH_TAB = "Golden questions", "Health"


def decide_restore(inspected: Job | None, *, typed_name: str | None, model: list[SettingValue]) -> Gate:
    """May what this job inspected be served? ``typed_name``: null while nobody had to type it yet; ``model``: the one in use."""
    if inspected is None or inspected.operation is not Operation.INSPECT:
        raise ServiceError(ErrorCode.NOT_FOUND, "There is no such inspection.", action="Inspect the snapshot or the file first.")
    link, result = f"/Index?inspection={inspected.job_id}", inspected.result or {}
    if inspected.state is not JobState.SUCCEEDED:
        text = f"The inspection is {inspected.state}: nothing is known of the file."
        return refuse(Reason.NOT_RESTORABLE, text, holder=inspected.job_id, link=link)
    if result.get("verdict") not in (Verdict.GOOD, Verdict.WORSE):
        text = f"It cannot be served. {result.get('detail') or ''}".strip()
        return refuse(Reason.NOT_RESTORABLE, text, holder=inspected.job_id, link=link)
    if result.get("model", model) != model:
        text = "It was inspected when another model was in use, and two models never mix. Inspect it again."
        return refuse(Reason.NOT_RESTORABLE, text, holder=inspected.job_id, link=link)
    if typed_name is not None and not is_typed(typed_name, str(result.get("name"))):
        text = f"To serve it in place of the present index, type its name: {result.get('name')}"
        return refuse(Reason.NAME_NOT_TYPED, text, holder=inspected.job_id, link=link)
    return OPEN


def decide_generation(*, served: int | None, target: int | None, same_model: bool, expected: int | None) -> Gate:
    """May the generation ``target`` be served instead of the one ``served``?"""
    if expected is not None and expected != served:
        text = f"Generation {served} is served by now, not {expected}. Look again, then decide."
        return refuse(Reason.CHANGED_SINCE_SHOWN, text, holder=str(served), link="/Index")
    if target is None:
        return refuse(Reason.NO_EARLIER_GENERATION, "There is no earlier generation on disk to go back to.", link="/Index")
    if target == served:
        return refuse(Reason.ALREADY_SO, f"Generation {target} is served already.", holder=str(served), link="/Index")
    if not same_model:
        text = f"Generation {target} was made by another model: the queries of today would not match its vectors."
        return refuse(Reason.NOT_RESTORABLE, text, holder=str(target), link="/Index")
    return OPEN


def decide_repair(latest: IndexCheck | None, check_id: str) -> Gate:
    """May what this check found be repaired?"""
    link = f"/Index?tab={HEALTH_TAB}"
    if latest is None:
        return refuse(Reason.NOTHING_TO_DO, "Nothing was checked yet, so nothing is known to repair. Check the index first.", link=link)
    if latest.check_id != check_id:
        text = f"{latest.checked_by} has checked the index again since. Look at what was found, then decide."
        return refuse(Reason.CHANGED_SINCE_SHOWN, text, holder=latest.check_id, since=latest.checked_at, link=link)
    if not latest.drift.total:
        return refuse(Reason.NOTHING_TO_DO, "Table and index agree: there is nothing to repair.", since=latest.checked_at, link=link)
    return OPEN
