"""Why not? Every refusal of every action: the same gate in the answer as on the page, with words, a holder and a page that helps."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from lib.contract.jobs import Progress
from lib.contract.model import utc_now
from lib.contract.operations import Gate, Reason
from lib.contract.states import Operation
from lib.service.storage import schema
from tests.service.refusals import Provoked, check_twice, renew_twice, repair_of, running, start_check
from tests.service.refused_rehearsals import rehearse_for_nothing, rehearse_twice, throw_away_what_runs
from tests.service.refused_restores import delete_without_name, go_back_to_nothing, inspect_twice, restore_rubbish, restore_without_name
from tests.service.refused_sheets import REFUSED_SHEETS, REFUSED_TARGETS
from tests.service.road import Road, csv_of, sheet
from tests.service.wishing import scale_from_what_was_seen, wish_all_for_what_was_seen, wish_for_what_was_seen, wish_twice

PAGES = {f"/{path.stem.partition('_')[2]}" for path in (Path(__file__).resolve().parents[2] / "pages").glob("*.py")}


class Case(NamedTuple):
    """One way to be refused. ``action`` is the operation id of the route."""

    action: str
    reason: Reason
    provoke: Callable[[Road], Provoked]


def of_operation(operation: str, path: str = "", **body: Any) -> Callable[[Road], Provoked]:
    return lambda road: (road.start(path or operation, **body), road.gate(operation))


def while_running(operation: str, holder: Operation) -> Callable[[Road], Provoked]:
    def provoke(road: Road) -> Provoked:
        with running(road, holder):
            return road.start(operation), road.gate(operation)

    return provoke


def of_plan(content: str, mode: str = "merge", spoil: Callable[[Road, str], Any] = lambda *_: None) -> Callable[[Road], Provoked]:
    def provoke(road: Road) -> Provoked:
        plan_id = road.preview(content, mode=mode)["plan_id"]
        spoil(road, plan_id)
        return road.post_import(plan_id), road.plan(plan_id)["gate"]

    return provoke


def import_while_running(road: Road) -> Provoked:
    plan_id = road.preview(sheet(1, text="waits {}"))["plan_id"]
    with running(road, Operation.EXPORT):
        assert road.plan(plan_id)["gate"] == road.gate("import")
        return road.post_import(plan_id), road.plan(plan_id)["gate"]


def apply_unfinished(road: Road) -> Provoked:
    plan_id = road.start_preview(sheet(1))
    provoked = road.post_import(plan_id), road.plan(plan_id)["gate"]
    road.works.perform_all()
    return provoked


def expire(road: Road, plan_id: str) -> None:
    with road.works.database.write() as connection:
        connection.execute(
            sa.update(schema.plans).where(schema.plans.c.plan_id == plan_id).values(expires_at=utc_now() - timedelta(hours=1))
        )


def overtake(road: Road, _: str) -> None:
    road.import_sheet(sheet(1, text=f"overtaken {uuid4().hex}"))


def apply_with(content: str, mode: str = "merge", **choices: Any) -> Callable[[Road], Provoked]:
    """Refused for the choices that come with it: no page can show that before they are made."""
    return lambda road: (road.post_import(road.preview(content, mode=mode)["plan_id"], **choices), None)


def last_import(road: Road) -> str:
    return str(road.get("/api/jobs", operation="import", state="succeeded")["items"][0]["job_id"])


def undo(road: Road, job_id: str) -> Provoked:
    path = f"/api/operations/import/{job_id}/undo"
    return road.api.post(path, json={}), road.get(path)["gate"]


def undo_while_running(road: Road) -> Provoked:
    with running(road, Operation.EXPORT):
        return undo(road, last_import(road))


def undo_twice(road: Road) -> Provoked:
    job_id = road.import_sheet(sheet(70))["job_id"]
    undo(road, job_id)
    road.works.perform_all()
    return undo(road, job_id)


def undo_cancelled(road: Road) -> Provoked:
    job_id = road.post_import(road.preview(sheet(71))["plan_id"]).json()["job_id"]
    road.api.post(f"/api/jobs/{job_id}/cancel")
    return undo(road, job_id)


def cancel_ended(road: Road) -> Provoked:
    return road.api.post(f"/api/jobs/{last_import(road)}/cancel"), None


def cancel_started_intention(road: Road) -> Provoked:
    with running(road, Operation.EXPORT):
        intention_id = road.api.post("/api/operations/export?when_free=true", json={}).json()["intention_id"]
    road.api.post(f"/api/intentions/{intention_id}/cancel")
    return road.api.post(f"/api/intentions/{intention_id}/cancel"), None


def change_what_was_seen(road: Road) -> Provoked:
    return road.api.put("/api/settings/export.keep_days", json={"value": 9, "expected": 8}), None


def change_the_model(road: Road) -> Provoked:
    return road.api.put("/api/settings/embedding.embedder", json={"value": "openai"}), None


def ask_twice(verb: str) -> Callable[[Road], Provoked]:
    """Save a golden question that is there already, as a new one or in place of another."""

    def provoke(road: Road) -> Provoked:
        said = {"text": f"Who is asked to {verb}?", "expected_keys": ["k1"]}
        road.api.post("/api/golden", json=said)
        if verb == "create":
            return road.api.post("/api/golden", json=said), None
        other = road.api.post("/api/golden", json=said | {"text": "And who else?"}).json()["question_id"]
        return road.api.put(f"/api/golden/{other}", json=said), None

    return provoke


def act_while_requeuing(path: str) -> Callable[[Road], Provoked]:
    def provoke(road: Road) -> Provoked:
        with running(road, Operation.REQUEUE):
            return road.api.post(f"/api/queue/{path}", json={}), road.gate("requeue")

    return provoke


A_SHEET = {"kind": "google_sheet", "spreadsheet": "book-0123456789", "tab": "A"}
MANY = sheet(*range(20))
INVALID = csv_of(("k1", "advice 1", "ann"), ("", "no key", "ann"), ("new", "a new one", "ann"))


ON_AN_EMPTY_SERVICE = [
    Case("preview_export", Reason.TABLE_EMPTY, of_operation("compare", "export/preview", target=A_SHEET)),
    Case("start_export", Reason.TABLE_EMPTY, of_operation("export")),
    Case("start_rebuild", Reason.NOTHING_TO_DO, of_operation("rebuild")),
    Case("start_refresh", Reason.NOTHING_TO_DO, of_operation("refresh")),
    Case("start_snapshot", Reason.NO_INDEX, of_operation("snapshot")),
    Case("go_back", Reason.NO_EARLIER_GENERATION, go_back_to_nothing),
    Case("start_check", Reason.NOTHING_TO_DO, start_check),
    Case("start_map", Reason.NO_INDEX, of_operation("map")),
    *(Case("preview_import", reason, provoke) for reason, provoke in REFUSED_SHEETS.items()),
    Case("start_reembedding", Reason.TABLE_EMPTY, lambda road: (road.start("reembed", embedder="wordllama"), road.gate("reembed"))),
    Case("start_rehearsal", Reason.TABLE_EMPTY, rehearse_for_nothing),
    Case("put_setting", Reason.CHANGED_SINCE_SHOWN, change_what_was_seen),
    Case("drain_worker", Reason.CHANGED_SINCE_SHOWN, wish_for_what_was_seen),
    Case("pause_workers", Reason.CHANGED_SINCE_SHOWN, wish_all_for_what_was_seen("pause")),
    Case("drain_workers", Reason.CHANGED_SINCE_SHOWN, wish_all_for_what_was_seen("drain")),
    Case("resume_workers", Reason.CHANGED_SINCE_SHOWN, wish_all_for_what_was_seen("resume")),
    Case("scale_workers", Reason.CHANGED_SINCE_SHOWN, scale_from_what_was_seen),
    Case("pause_worker", Reason.ALREADY_SO, wish_twice("pause")),
    Case("resume_worker", Reason.ALREADY_SO, wish_twice("resume")),
    Case("drain_worker", Reason.ALREADY_SO, wish_twice("drain")),
]
WITH_A_TABLE = [
    Case("start_export", Reason.OPERATION_RUNNING, while_running("export", Operation.IMPORT)),
    Case("start_refresh", Reason.OPERATION_RUNNING, while_running("refresh", Operation.REBUILD)),
    Case("start_rebuild", Reason.OPERATION_RUNNING, while_running("rebuild", Operation.REBUILD)),
    Case("start_snapshot", Reason.OPERATION_RUNNING, while_running("snapshot", Operation.SNAPSHOT)),
    Case("start_check", Reason.OPERATION_RUNNING, check_twice),
    Case("start_map", Reason.OPERATION_RUNNING, while_running("map", Operation.MAP)),
    Case("start_renewal", Reason.OPERATION_RUNNING, renew_twice),
    Case("start_repair", Reason.NOTHING_TO_DO, repair_of(None)),
    Case("start_repair", Reason.CHANGED_SINCE_SHOWN, repair_of("an older one")),
    Case("start_rehearsal", Reason.OPERATION_RUNNING, rehearse_twice),
    Case("delete_rehearsal", Reason.OPERATION_RUNNING, throw_away_what_runs),
    Case("start_requeue", Reason.OPERATION_RUNNING, while_running("requeue", Operation.REQUEUE)),
    Case("retry_failures", Reason.OPERATION_RUNNING, act_while_requeuing("failures/retry")),
    Case("discard_failures", Reason.OPERATION_RUNNING, act_while_requeuing("failures/discard")),
    Case("put_items_first", Reason.OPERATION_RUNNING, act_while_requeuing("items/first")),
    Case("put_items_back", Reason.OPERATION_RUNNING, act_while_requeuing("items/back")),
    Case("start_import", Reason.OPERATION_RUNNING, import_while_running),
    Case("start_undo", Reason.OPERATION_RUNNING, undo_while_running),
    Case("start_import", Reason.PLAN_NOT_READY, apply_unfinished),
    Case("start_import", Reason.PLAN_FAILED, of_plan("key,text,owner\n")),
    Case("start_import", Reason.PLAN_STALE, of_plan(sheet(1, text="late {}"), spoil=expire)),
    Case("start_import", Reason.PLAN_STALE, of_plan(sheet(1, text="late {}"), spoil=overtake)),
    Case("start_import", Reason.PLAN_APPLIED, of_plan(sheet(2, text="once {}"), spoil=Road.apply)),
    Case("start_import", Reason.PLAN_HAS_INVALID_ROWS, apply_with(INVALID, policy="all_or_nothing")),
    Case("start_import", Reason.ROWS_UNFIT, of_plan(csv_of(("", "no key", "ann"), ("", "none either", "ann")))),
    Case("tick_rows", Reason.CHANGED_SINCE_SHOWN, lambda road: (road.tick(road.preview(sheet(1))["plan_id"], ticks_revision=7), None)),
    Case("start_import", Reason.REMOVALS_NOT_APPROVED, apply_with(sheet(19, text="new {}"), mode="mirror", approve_removals=3)),
    Case("start_import", Reason.REMOVALS_NOT_APPROVED, of_plan(sheet(18, 19), mode="mirror")),
    Case("start_import", Reason.NOTHING_TO_DO, of_plan(sheet(18, 19))),
    Case("start_undo", Reason.ALREADY_SO, undo_twice),
    Case("start_undo", Reason.NOT_UNDOABLE, undo_cancelled),
    Case("cancel_job", Reason.JOB_ENDED, cancel_ended),
    Case("cancel_intention", Reason.JOB_ENDED, cancel_started_intention),
    *(Case("preview_export", reason, provoke) for reason, provoke in REFUSED_TARGETS.items()),
    Case("delete_snapshot", Reason.NAME_NOT_TYPED, delete_without_name),
    Case("put_setting", Reason.NEEDS_REEMBEDDING, change_the_model),
    Case("create_golden_question", Reason.ALREADY_SO, ask_twice("create")),
    Case("put_golden_question", Reason.ALREADY_SO, ask_twice("put")),
    Case("start_inspection", Reason.OPERATION_RUNNING, inspect_twice),
    Case("start_restore", Reason.NAME_NOT_TYPED, restore_without_name),
    Case("start_restore", Reason.NOT_RESTORABLE, restore_rubbish),
]


def check(road: Road, case: Case) -> None:
    answer, shown = case.provoke(road)
    where = f"{case.action}, {case.reason}: {answer.text}"
    assert answer.status_code == 409, where
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    overtaken = (case.action, case.reason) == ("put_setting", Reason.CHANGED_SINCE_SHOWN)
    assert problem["code"] == ("changed_meanwhile" if overtaken else "refused"), where
    gate = problem["gate"]
    assert (gate["allowed"], gate["reason_code"]) == (False, case.reason), where
    assert shown is None or gate == shown, f"{where}; but the page shows {shown}"
    check_words(Gate.model_validate(gate), where)
    assert problem["detail"] == gate["reason_text"]
    trace = road.get("/api/audit", limit=3)["items"]
    assert f"refused: {case.reason}" in {action["outcome"] for action in trace}, where


def check_words(gate: Gate, where: str) -> None:
    assert len(gate.reason_text) > 20, where
    assert gate.reason_code is not None
    assert gate.reason_code not in gate.reason_text, f"{where}: words, not a code"
    assert gate.fix_link is not None, where
    assert gate.fix_link.partition("?")[0] in PAGES, f"{where}: no page {gate.fix_link}"
    if gate.reason_code is Reason.OPERATION_RUNNING:
        assert gate.since is not None, where
        assert gate.eta is not None, where
        assert "started by ann" in gate.reason_text, where
        assert gate.fix_link.endswith(f"?job={gate.holder}"), where
    if gate.reason_code not in {Reason.TABLE_EMPTY, Reason.NOTHING_TO_DO, Reason.NO_INDEX, Reason.NO_EARLIER_GENERATION}:
        assert gate.holder, f"{where}: what stands in the way?"


@pytest.mark.feature("X2", "M7")
def test_every_action_that_can_be_refused_and_every_reason_is_tried_here(service_app: FastAPI) -> None:
    cases = [*ON_AN_EMPTY_SERVICE, *WITH_A_TABLE]
    assert {case.reason for case in cases} == set(Reason)
    document = service_app.openapi()
    refusable = {
        route["operationId"]
        for methods in document["paths"].values()
        for route in methods.values()
        if re.search("`(refused|changed_meanwhile)`", route["responses"].get("409", {}).get("description", ""))
    }
    assert {case.action for case in cases} == refusable


@pytest.mark.feature("X2", "M7")
def test_an_empty_service_gives_its_reasons(road: Road) -> None:
    for case in ON_AN_EMPTY_SERVICE:
        check(road, case)


@pytest.mark.feature("X2", "M7")
def test_the_reason_in_the_answer_is_the_reason_on_the_page(road: Road) -> None:
    road.fill(MANY)
    for case in WITH_A_TABLE:
        check(road, case)


@pytest.mark.feature("X2")
def test_when_it_is_expected_to_open_does_not_slide_along_with_the_clock(road: Road) -> None:
    road.import_sheet(sheet(1))
    with running(road, Operation.EXPORT) as job_id:
        told = Progress.model_validate(road.job(job_id)["progress"])
        assert told.updated_at is not None
        gates = [Gate.model_validate(road.gate("export")) for _ in range(2)]
        assert [gate.eta for gate in gates] == [told.updated_at + timedelta(seconds=50)] * 2
