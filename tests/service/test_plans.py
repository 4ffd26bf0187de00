"""A plan as people see it: read page by page, applied exactly or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from lib.contract.model import utc_now
from lib.contract.states import Operation, PlanState
from lib.service.config import Config
from lib.service.operations.runner import JobContext
from lib.service.storage import schema
from lib.service.storage.database import Database
from tests.service.road import Road, csv_of, sheet


def hash_files(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for name in ("index", "exports", "snapshots")
        for path in sorted((folder / name).rglob("*"))
        if path.is_file()
    }


@pytest.mark.feature("I2")
def test_a_preview_writes_nothing_but_its_plan(road: Road, config: Config, contents: Callable[..., dict[str, str]]) -> None:
    road.fill(sheet(1, 2, 3))
    its_own = ("uploads", "plans", "plan_rows", "jobs", "job_log", "job_steps", "audit", "locks")
    tables, files = contents(*its_own), hash_files(config.data_dir)
    assert "index/CURRENT" in files
    plan = road.preview(sheet(2, 3, 4, text="other {}"), mode="mirror")
    assert plan["state"] == "ready"
    assert contents(*its_own) == tables
    assert hash_files(config.data_dir) == files
    assert road.get("/api/index")["unindexed"] == 0


@pytest.mark.feature("I2")
def test_a_plan_counts_every_kind_of_row_and_shows_each_difference(road: Road) -> None:
    road.fill(csv_of(("same", "text", "ann"), ("new text", "before", "ann"), ("new owner", "text", "ann"), ("gone", "old text", "ann")))
    plan = road.preview(
        csv_of(
            ("same", "text", "ann"),
            ("new text", "after", "ann"),
            ("new owner", "text", "bob"),
            ("fresh", "hello", "cid"),
            ("", "keyless", ""),
        ),
        mode="mirror",
    )
    assert plan["counts"] == {"new": 1, "changed": 2, "unchanged": 1, "removed": 1, "invalid": 1}
    assert plan["to_embed"] == 2
    rows = {(row["change"], row["key"]): row for row in plan["rows"]}
    assert rows["changed", "new text"]["differences"] == [{"column": "text", "before": "before", "after": "after"}]
    assert rows["changed", "new owner"]["differences"] == [{"column": "owner", "before": "ann", "after": "bob"}]
    assert rows["new", "fresh"]["differences"] == []
    assert (rows["new", "fresh"]["row"], rows["new", "fresh"]["text"]) == (5, "hello")
    assert rows["removed", "gone"]["differences"] == [
        {"column": "text", "before": "old text", "after": None},
        {"column": "owner", "before": "ann", "after": None},
    ]
    assert (rows["removed", "gone"]["row"], rows["removed", "gone"]["text"]) == (None, "old text")
    assert rows["invalid", ""]["errors"][0]["rule"] == "The key is empty."
    assert ("unchanged", "same") not in rows, "unchanged rows are counted, not listed"


@pytest.mark.feature("I2")
def test_the_rows_of_a_plan_are_paged_in_the_order_of_the_sheet_and_filtered(road: Road) -> None:
    road.import_sheet(sheet(*range(5)))
    plan = road.preview(sheet(*range(20), text="other {}"))
    seen, cursor = [], None
    while True:
        page = road.plan(plan["plan_id"], limit=7, **({"cursor": cursor} if cursor else {}))
        assert len(page["rows"]) <= 7
        seen += page["rows"]
        if (cursor := page["next_cursor"]) is None:
            break
    assert [row["row"] for row in seen] == list(range(2, 22))
    assert [row["key"] for row in road.plan(plan["plan_id"], change="changed")["rows"]] == [f"k{number}" for number in range(5)]
    assert len(road.plan(plan["plan_id"], change="new")["rows"]) == 15
    assert road.plan(plan["plan_id"], change="removed")["rows"] == []
    bare = road.plan(plan["plan_id"], limit=0)
    assert (bare["rows"], bare["next_cursor"], bare["counts"]["new"]) == ([], None, 15)


def test_a_plan_in_the_making_says_how_far_it_is_and_cannot_be_applied(road: Road) -> None:
    seen = []
    real = road.works.operations[Operation.PREVIEW]

    def look_first(context: JobContext) -> dict[str, object]:
        plan = road.plan(plan_id)
        seen.append((plan["state"], plan["progress"]["phase"], plan["to_embed"]))
        answer = road.post_import(plan_id)
        seen.append((answer.status_code, answer.json()["gate"]["reason_code"]))
        return real(context)

    road.works.operations[Operation.PREVIEW] = look_first
    plan_id = road.start_preview(sheet(1))
    road.works.perform_all()
    assert seen == [("building", "starting", None), (409, "plan_not_ready")]
    assert (road.plan(plan_id)["state"], road.plan(plan_id)["progress"]) == ("ready", None)


@pytest.mark.feature("I3")
def test_a_plan_goes_stale_when_another_import_moves_the_table(road: Road, contents: Callable[..., dict[str, str]]) -> None:
    mine = road.preview(sheet(1))
    road.import_sheet(sheet(2))
    assert road.plan(mine["plan_id"])["state"] == "stale"
    before = contents("audit")
    answer = road.post_import(mine["plan_id"])
    gate = answer.json()["gate"]
    assert (answer.status_code, gate["reason_code"], gate["holder"]) == (409, "plan_stale", mine["plan_id"])
    assert "another import" in gate["reason_text"]
    assert contents("audit") == before
    assert road.keys() == {"k2": "advice 2"}


@pytest.mark.feature("I3")
def test_a_plan_whose_uploaded_file_changed_is_not_applied(road: Road, config: Config, contents: Callable[..., dict[str, str]]) -> None:
    plan = road.preview(sheet(1))
    path = config.uploads_dir / plan["source"]["upload_id"]
    content = path.read_bytes()
    path.write_bytes(content)
    answer = road.post_import(plan["plan_id"])
    assert answer.status_code == 202, "written again, but the same: the plan is as good as before"
    path.write_text(sheet(1, 2))
    before = contents("jobs", "job_log", "job_steps", "audit", "locks", "plans")
    road.works.perform_all()
    job = road.job(answer.json()["job_id"])
    assert (job["state"], job["error"]["code"]) == ("failed", "plan_stale"), "changed between the click and the work"
    assert contents("jobs", "job_log", "job_steps", "audit", "locks", "plans") == before


@pytest.mark.feature("I3")
def test_a_start_whose_uploaded_file_changed_is_refused_in_the_words_of_its_page(
    road: Road, config: Config, contents: Callable[..., dict[str, str]]
) -> None:
    plan = road.preview(sheet(1))
    (config.uploads_dir / plan["source"]["upload_id"]).write_text(sheet(1, 2))
    before = contents("audit", "plans")
    answer = road.post_import(plan["plan_id"])
    gate = answer.json()["gate"]
    assert (answer.status_code, gate["reason_code"], gate["holder"]) == (409, "plan_stale", plan["plan_id"])
    assert "“sheet.csv” has changed since this plan was made" in gate["reason_text"]
    seen = road.plan(plan["plan_id"])
    assert (seen["state"], seen["gate"], seen["error"]["code"]) == ("stale", gate, "plan_stale")
    assert contents("audit", "plans") == before
    (refused,) = [each for each in road.get("/api/audit", object_id=plan["plan_id"])["items"] if each["action"] == "start_import"]
    assert refused["outcome"] == "refused: plan_stale"


def test_a_plan_whose_uploaded_file_was_removed_by_age_can_still_be_applied(road: Road, config: Config) -> None:
    plan = road.preview(sheet(1))
    (config.uploads_dir / plan["source"]["upload_id"]).unlink()
    assert road.apply(plan["plan_id"])["state"] == "succeeded"


@pytest.mark.feature("I3")
def test_a_plan_is_applied_once(road: Road) -> None:
    plan = road.preview(sheet(1))
    job = road.apply(plan["plan_id"])
    seen = road.plan(plan["plan_id"])
    assert (seen["state"], seen["applied_by_job"]) == ("applied", job["job_id"])
    answer = road.post_import(plan["plan_id"])
    assert (answer.status_code, answer.json()["gate"]["reason_code"], answer.json()["gate"]["holder"]) == (
        409,
        "plan_applied",
        job["job_id"],
    )


def test_a_plan_is_good_for_the_hours_of_the_setting(road: Road, database: Database) -> None:
    road.api.put("/api/settings/import.plan_hours", json={"value": 2})
    plan = road.preview(sheet(1))
    with database.write() as connection:
        row = connection.execute(sa.select(schema.plans)).one()
        assert row.expires_at - row.created_at == timedelta(hours=2)
        connection.execute(sa.update(schema.plans).values(expires_at=utc_now() - timedelta(seconds=1)))
    assert road.plan(plan["plan_id"])["state"] == "stale"
    answer = road.post_import(plan["plan_id"])
    assert (answer.json()["gate"]["reason_code"], "expired" in answer.json()["detail"]) == ("plan_stale", True)


def test_a_plan_is_applied_in_the_mode_it_was_made_for(road: Road) -> None:
    plan = road.preview(sheet(1))
    answer = road.post_import(plan["plan_id"], mode="mirror")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert answer.json()["errors"][0]["pointer"] == "/body/mode"
    assert road.post_import(plan["plan_id"], mode="merge").status_code == 202


def test_an_unknown_plan_is_not_found(road: Road) -> None:
    assert road.api.get("/api/plans/unknown").status_code == 404
    assert road.post_import("unknown").status_code == 404


@pytest.mark.parametrize("how", ["cancelled while it waits", "cancelled while it works", "crashed", "interrupted"])
def test_a_preview_that_ends_without_a_plan_leaves_a_failed_one_and_none_of_its_rows(road: Road, database: Database, how: str) -> None:
    plan_id = road.start_preview(sheet(1, 2))
    job_id = road.plan(plan_id)["job_id"]
    real = road.works.operations[Operation.PREVIEW]

    def stop(context: JobContext) -> dict[str, object]:
        if how == "cancelled while it works":
            road.api.post(f"/api/jobs/{job_id}/cancel")
            return real(context)
        with context.write() as connection:
            connection.execute(
                sa.insert(schema.plan_rows).values(plan_id=plan_id, position=1, change="new", key="half", text="", texts={}, fields={})
            )
        raise ZeroDivisionError("half-way")

    road.works.operations[Operation.PREVIEW] = stop
    if how == "cancelled while it waits":
        road.api.post(f"/api/jobs/{job_id}/cancel")
    if how == "interrupted":
        with database.write() as connection:
            connection.execute(sa.update(schema.jobs).values(attempt=5))
    road.works.perform(job_id)
    plan = road.plan(plan_id)
    assert plan["state"] == PlanState.FAILED
    assert plan["rows"] == []
    assert plan["error"]["code"] in ("cancelled", "unexpected", "worker_lost")
    assert plan["error"]["action"]
    assert road.post_import(plan_id).json()["gate"]["reason_code"] == "plan_failed"
