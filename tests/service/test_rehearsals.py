"""The rehearsal room: an import or another model tried beside production, which stays as it is to the byte until somebody promotes it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from lib.contract.states import FailureCause, Operation, Role
from lib.service import embedders, rehearsals
from lib.service.config import Config
from lib.service.operations import rehearsals as operation
from lib.service.operations import sampling
from lib.service.security import Identity
from lib.service.storage import schema
from lib.service.storage.database import Database
from tests.service.probes import committed, hash_files, locks_and_holds, rows_of, services_of
from tests.service.refusals import running
from tests.service.road import Road, csv_of, sheet
from tests.service.test_reembedding import OtherEmbedder

ROWS = 60
#: What a job writes about itself; everything else is production.
OF_THE_JOB = ("jobs", "job_log", "job_steps", "audit", "locks", "idempotency")
Contents = Callable[..., dict[str, str]]


@pytest.fixture
def filled(road: Road) -> Road:
    road.fill(sheet(*range(ROWS)))
    answer = road.api.post("/api/golden", json={"text": "advice 7", "expected_keys": ["k7"], "k": 1})
    assert answer.status_code in (200, 201), answer.text
    return road


@pytest.fixture
def other(monkeypatch: pytest.MonkeyPatch) -> OtherEmbedder:
    fake = OtherEmbedder()
    monkeypatch.setitem(embedders._OPENERS, "openai", lambda *_: fake)
    return fake


def production(config: Config, contents: Contents) -> dict[str, str]:
    """Every table and every file, but the database's own, the logs, and the rehearsals."""
    aside = ("rehearsals/", "logs/", "switchyard.sqlite")
    files = {name: found for name, found in hash_files(config.data_dir).items() if not name.startswith(aside)}
    assert any(name.startswith("index/") for name in files)
    return files | contents(*OF_THE_JOB)


def try_import(road: Road, content: str, **choices: Any) -> dict[str, Any]:
    plan = road.preview(content, mode=choices.pop("mode", "merge"))
    rows = choices.pop("rows", 5000)
    return {"change": {"kind": "import", "plan_id": plan["plan_id"], **choices}, "rows": rows}


def rehearse(road: Road, body: dict[str, Any]) -> dict[str, Any]:
    job = road.run("rehearse", **body)
    assert job["state"] == "succeeded", job["error"]
    report: dict[str, Any] = road.get(f"/api/rehearsals/{job['job_id']}")
    return report


MODEL = {"change": {"kind": "reembed", "embedder": "openai"}}


def better() -> str:
    """Two new rows, one changed; the rest as it is."""
    return sheet(*range(ROWS + 2)).replace("advice 9,", "something else 9,")


@pytest.mark.feature("M15")
@pytest.mark.parametrize("what", ["import", "model"])
def test_not_one_byte_of_production_changes_while_it_is_rehearsed(
    filled: Road, config: Config, contents: Contents, other: OtherEmbedder, what: str
) -> None:
    body = try_import(filled, better()) if what == "import" else MODEL
    before = production(config, contents)
    report = rehearse(filled, body)
    asked = filled.api.post(f"/api/rehearsals/{report['rehearsal_id']}/search", json={"text": "something else 9", "k": 3})
    assert asked.status_code == 200, asked.text
    assert filled.api.delete(f"/api/rehearsals/{report['rehearsal_id']}").status_code == 204
    assert production(config, contents) == before
    assert not list(config.rehearsals_dir.iterdir())
    assert other.embedded or what == "import"


@pytest.mark.feature("M15")
def test_an_import_is_compared_before_and_after_and_promoting_it_embeds_nothing_twice(filled: Road, config: Config) -> None:
    report = rehearse(filled, try_import(filled, better()))
    assert (report["verdict"], report["flags"], report["questions"], report["questions_asked"]) == ("good", [], [], 1)
    counts = {"rows": ROWS + 2, "new": 2, "changed": 1, "removed": 0, "unchanged": ROWS - 1, "touched": 3, "table_rows": ROWS}
    assert report["counts"] == counts
    assert (report["before"]["vectors"], report["after"]["vectors"], report["embedded"]) == (ROWS, ROWS + 2, 3)
    assert (report["to_embed"], report["seconds"]) == (0, 0.0)
    assert 0.5 < report["overlap_ratio"] <= 1
    assert report["gate"]["allowed"], report["gate"]
    found = filled.api.post(f"/api/rehearsals/{report['rehearsal_id']}/search", json={"text": "something else 9", "k": 1}).json()
    assert [hit["key"] for hit in found["after"]] == ["k9"]
    assert found["before"][0]["text"] != "something else 9"
    embedded, generation = len(filled.works.embedder.embedded), filled.get("/api/index")["generation"]
    job = filled.apply(report["change"]["plan_id"])
    assert (job["state"], job["result"]["to_embed"], job["result"]["from_cache"]) == ("succeeded", 0, 3)
    assert len(filled.works.embedder.embedded) == embedded, "the rehearsal's vectors were taken"
    assert not list(config.rehearsals_dir.glob("*/*/vectors-*")), "and moved: the next import need not look at them again"
    assert filled.run("refresh")["result"]["generation"] == generation + 1, "and the swap is the ordinary one"
    after = filled.get(f"/api/rehearsals/{report['rehearsal_id']}")
    assert (after["promotion"]["job_id"], after["promotion"]["state"]) == (job["job_id"], "succeeded")
    assert (after["gate"]["reason_code"], after["gate"]["holder"]) == ("already_so", job["job_id"])


@pytest.mark.feature("M15", "M10")
def test_an_import_that_makes_an_answer_worse_is_flagged_by_the_question(filled: Road) -> None:
    report = rehearse(filled, try_import(filled, sheet(*range(ROWS)).replace("advice 7,", "nothing of the kind,")))
    assert (report["verdict"], report["flags"]) == ("worse", ["1 golden question gets a worse answer."])
    (question,) = report["questions"]
    assert (question["text"], question["change"]) == ("advice 7", "regressed")
    assert question["before"]["found_keys"][0] == "k7"
    assert "k7" in question["after"]["missing_keys"]
    assert report["gate"]["allowed"], "it is said, and still for people to decide"


@pytest.mark.feature("M15")
def test_an_import_that_gives_many_rows_the_same_text_is_flagged(filled: Road) -> None:
    same = csv_of(*((f"k{number}", "billing", "ann") for number in range(30, ROWS)))
    report = rehearse(filled, try_import(filled, same))
    assert report["verdict"] == "worse"
    assert "30 of the 60 rows tried get the same vector as another row, now 0: a search cannot tell them apart." in report["flags"]


@pytest.mark.feature("M15")
def test_removals_are_rehearsed_exactly_as_they_were_approved(filled: Road) -> None:
    rest = sheet(*range(20, ROWS))
    held = rehearse(filled, try_import(filled, rest + "k99,more,ann\n", mode="mirror"))
    assert (held["counts"]["removed"], held["after"]["vectors"]) == (0, ROWS + 1)
    approved = rehearse(filled, try_import(filled, rest + "k99,more,ann\n", mode="mirror", approve_removals=20))
    assert (approved["counts"]["removed"], approved["after"]["vectors"]) == (20, ROWS - 20 + 1)
    assert approved["questions"][0]["change"] == "regressed", "k7 would be gone"


@pytest.mark.feature("M15")
def test_another_model_is_compared_and_promoting_it_embeds_only_what_was_not_tried(filled: Road, other: OtherEmbedder) -> None:
    report = rehearse(filled, MODEL | {"rows": 100})
    assert (report["before"]["embedder"], report["after"]["embedder"], report["after"]["dimension"]) == ("fake-16", "other-12", 12)
    assert (report["counts"]["rows"], report["embedded"], report["to_embed"]) == (ROWS, ROWS, 0)
    before = list(other.embedded)
    job = filled.run("reembed", embedder="openai")
    assert (job["state"], job["result"]["embedded"]) == ("succeeded", 0)
    assert other.embedded == [*before, "advice 7"], "the golden question, and not one row a second time"
    index = filled.get("/api/index")
    assert (index["embedder"], index["vectors"], index["generation"]) == ("other-12", ROWS, 2)
    assert filled.get(f"/api/rehearsals/{report['rehearsal_id']}")["promotion"]["job_id"] == job["job_id"]


@pytest.mark.feature("M15")
@pytest.mark.parametrize(
    ("limits", "searched", "whole"), [((10**6, 10**7), "Flat", "Flat"), ((1, 10**7), "SQ8", "SQ8"), ((1, 2), "SQ8", "IVF")]
)
def test_the_sample_is_searched_in_the_kind_of_index_production_has_as_far_as_a_sample_can(
    filled: Road, limits: tuple[int, int], searched: str, whole: str
) -> None:
    for name, value in zip(("exact_upto", "lists_above"), limits, strict=True):
        assert filled.api.put(f"/api/settings/index.{name}", json={"value": value}).status_code == 200
    report = rehearse(filled, try_import(filled, better()))
    assert report["verdict"] == "good"
    for side in ("before", "after"):
        assert searched in report[side]["factory"]
        assert whole in report[side]["whole_factory"]
    found = filled.api.post(f"/api/rehearsals/{report['rehearsal_id']}/search", json={"text": "something else 9", "k": 1}).json()
    assert [hit["key"] for hit in found["after"]] == ["k9"]


@pytest.mark.feature("M15", "X6")
def test_a_promotion_is_written_down_where_it_starts_and_one_that_came_to_nothing_may_be_repeated(filled: Road) -> None:
    report = rehearse(filled, try_import(filled, better()))
    path, plan_id = f"/api/rehearsals/{report['rehearsal_id']}", report["change"]["plan_id"]
    with committed(filled) as transactions:
        first = filled.post_import(plan_id).json()["job_id"]
    assert len(transactions) == 1
    assert {"jobs", "promotions", "audit"} <= set(transactions[0])
    promotion = filled.get(path)["promotion"]
    assert (promotion["job_id"], promotion["state"], promotion["promoted_by"]) == (first, "queued", filled.job(first)["requested_by"])
    assert filled.get("/api/rehearsals")["items"][0]["promotion"] == promotion
    assert filled.api.post(f"/api/jobs/{first}/cancel", json={}).status_code in (200, 202)
    after = filled.get(path)
    assert (after["promotion"]["state"], after["gate"]["allowed"]) == ("cancelled", True)
    second = filled.apply(plan_id)
    assert (filled.get(path)["promotion"]["job_id"], filled.get(path)["promotion"]["state"]) == (second["job_id"], "succeeded")


@pytest.mark.feature("M15")
def test_the_same_plan_applied_with_other_choices_promotes_nothing(filled: Road) -> None:
    rest = sheet(*range(20, ROWS)) + "k99,more,ann\n"
    report = rehearse(filled, try_import(filled, rest, mode="mirror", approve_removals=20))
    assert filled.apply(report["change"]["plan_id"])["state"] == "succeeded"
    after = filled.get(f"/api/rehearsals/{report['rehearsal_id']}")
    assert (after["promotion"], after["gate"]["reason_code"]) == (None, "plan_applied")


def test_a_text_the_other_model_refuses_is_counted_and_flagged(filled: Road, other: OtherEmbedder) -> None:
    other.fail("advice 3", FailureCause.TEXT_TOO_LONG)
    report = rehearse(filled, MODEL)
    assert (report["verdict"], report["after"]["refused"], report["after"]["vectors"]) == ("worse", 1, ROWS - 1)
    assert "1 more row gets no vector, because the model refuses the text." in report["flags"]


def test_a_table_that_is_still_empty_can_be_rehearsed_for(road: Road) -> None:
    report = rehearse(road, try_import(road, sheet(*range(5))))
    assert (report["verdict"], report["before"]["vectors"], report["after"]["vectors"], report["overlap_ratio"]) == ("good", 0, 5, None)
    found = road.api.post(f"/api/rehearsals/{report['rehearsal_id']}/search", json={"text": "advice 2", "k": 1}).json()
    assert (found["before"], found["after"][0]["key"]) == ([], "k2")


def test_a_sample_is_bounded_always_the_same_and_holds_the_rows_of_golden_questions(filled: Road, database: Database) -> None:
    filled.import_sheet(sheet(*range(100, 400)))
    plan = filled.preview(sheet(*range(200, 380), text="other {}"))
    with database.read() as connection:
        questions = operation.golden_rows.list_questions(connection)
        request = operation.ImportChange(plan_id=plan["plan_id"]).request
        one, again = (sampling.draw_sample(connection, request, 100, questions) for _ in range(2))
        everything = sampling.draw_sample(connection, None, 100, questions)
        (asked,) = sampling.rehearsals.entry_ids_of(connection, ["k7"])
    assert one.rows == again.rows
    assert (one.counts.rows, one.counts.changed, one.counts.unchanged, one.counts.touched) == (100, 80, 20, 180)
    assert asked in {row.entry_id for row in one.rows}
    touched = sum(one.rows[place].position is not None for place in one.fair.tolist())
    assert (len(one.fair), touched) == (40, 20), "half of the table is touched, and so is half of what is looked at"
    assert (everything.counts.rows, asked in {row.entry_id for row in everything.rows}) == (100, True)


@pytest.mark.feature("M15", "X1")
def test_it_stands_in_nobodys_way_and_a_second_one_waits(filled: Road) -> None:
    body = try_import(filled, better())
    with running(filled, Operation.REHEARSE):
        assert all(filled.gate(each)["allowed"] for each in ("import", "export", "refresh", "rebuild", "reembed", "snapshot"))
        refused = filled.start("rehearse", **body)
    assert (refused.status_code, refused.json()["gate"]["reason_code"]) == (409, "operation_running")


@pytest.mark.feature("M15", "X2")
def test_a_plan_that_has_moved_is_neither_rehearsed_nor_promoted(filled: Road) -> None:
    body = try_import(filled, better())
    report = rehearse(filled, body)
    filled.import_sheet(sheet(500))
    assert filled.get(f"/api/rehearsals/{report['rehearsal_id']}")["gate"]["reason_code"] == "plan_stale"
    assert filled.post_import(report["change"]["plan_id"]).json()["gate"]["reason_code"] == "plan_stale"
    again = filled.start("rehearse", **body)
    assert (again.status_code, again.json()["gate"]["reason_code"]) == (409, "plan_stale")
    empty = {"change": {"kind": "import", "plan_id": "0" * 32}}
    assert filled.start("rehearse", **empty).status_code == 404


def test_the_list_survives_and_says_what_is_kept_and_what_expired(filled: Road, config: Config, database: Database) -> None:
    reports = [rehearse(filled, try_import(filled, sheet(ROWS + number))) for number in range(rehearsals.KEPT_REHEARSALS + 1)]
    for age, report in enumerate(reversed(reports)):
        path = config.rehearsals_dir / report["rehearsal_id"] / rehearsals.REPORT_FILE
        at = path.stat().st_mtime - age * 60
        os.utime(path, (at, at))
    left_over = config.rehearsals_dir / ("0" * 32)
    left_over.mkdir()
    rehearsals.sweep_rehearsals(database, config)
    items = filled.get("/api/rehearsals")["items"]
    assert [each["rehearsal_id"] for each in items] == [each["rehearsal_id"] for each in reversed(reports)]
    assert [each["expires_at"] is not None for each in items] == [True] * rehearsals.KEPT_REHEARSALS + [False]
    assert (items[0]["kind"], items[0]["name"], items[0]["verdict"], items[0]["rows"]) == ("import", "sheet.csv", "good", ROWS + 1)
    assert not left_over.exists()
    assert filled.api.get(f"/api/rehearsals/{reports[0]['rehearsal_id']}").status_code == 410
    old = config.rehearsals_dir / items[0]["rehearsal_id"] / rehearsals.REPORT_FILE
    at = old.stat().st_mtime - rehearsals.KEEP.total_seconds()
    os.utime(old, (at, at))
    rehearsals.sweep_rehearsals(database, config)
    assert filled.api.get(f"/api/rehearsals/{items[0]['rehearsal_id']}").json()["code"] == "expired"
    assert locks_and_holds(database) == ([], [])


def test_throwing_one_away_leaves_its_trace_and_one_that_runs_is_not_thrown_away(filled: Road, database: Database) -> None:
    report = rehearse(filled, try_import(filled, better()))
    assert filled.api.delete(f"/api/rehearsals/{report['rehearsal_id']}").status_code == 204
    job_id = filled.start("rehearse", **try_import(filled, sheet(900))).json()["job_id"]
    refused = filled.api.delete(f"/api/rehearsals/{job_id}")
    assert (refused.status_code, refused.json()["gate"]["holder"]) == (409, job_id)
    trail = [(row["object_id"], row["outcome"]) for row in rows_of(database, schema.audit) if row["action"] == "delete_rehearsal"]
    assert trail == [(report["rehearsal_id"], "done"), (job_id, "refused: operation_running")]
    assert filled.api.delete(f"/api/rehearsals/{'0' * 32}").status_code == 404


@pytest.mark.feature("M15")
def test_an_operator_may_rehearse_an_import_and_only_an_admin_another_model(
    filled: Road, other: OtherEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = try_import(filled, better())
    monkeypatch.setattr(services_of(filled).guard, "_owner", Identity("olga", Role.OPERATOR))
    assert filled.start("rehearse", **body).status_code == 202
    refused = filled.start("rehearse", **MODEL)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert other.embedded == []
