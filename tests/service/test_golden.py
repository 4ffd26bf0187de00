"""Golden questions: saved by people, asked of every generation, compared by name."""

from __future__ import annotations

from typing import Any

import pytest

from lib.contract.golden import MAX_QUESTIONS, GoldenQuestion
from lib.contract.model import utc_now
from lib.service import golden
from lib.service.index.reader import IndexReader
from tests.service.road import Road, csv_of

ROWS = (("log-in", "customer cannot log in", "ann"), ("refund", "how to refund an order", "bob"), ("ship", "parcel is late", "cid"))


def save(road: Road, text: str, *keys: str, k: int = 1, expect: int = 201) -> dict[str, Any]:
    answer = road.api.post("/api/golden", json={"text": text, "expected_keys": keys, "k": k})
    assert answer.status_code == expect, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.fixture
def filled(road: Road) -> Road:
    road.fill(csv_of(*ROWS))
    return road


@pytest.mark.feature("M10")
def test_a_saved_question_is_answered_at_once(filled: Road) -> None:
    question = save(filled, "cannot log in", "log-in")
    answer = question["answer"]
    assert (answer["passed"], answer["rank"], answer["missing_keys"], answer["found_keys"]) == (True, 1, [], ["log-in"])
    assert question["created_by"]
    assert question["k"] == 1
    reading = filled.get("/api/golden")
    assert reading["questions"][0]["answer"] == answer, "and the answer is kept"
    assert [(run["generation"], run["passed"], run["questions"]) for run in reading["runs"]] == [(1, 1, 1)]


@pytest.mark.feature("M10")
def test_what_passed_when_it_was_saved_and_fails_in_the_next_generation_has_regressed(filled: Road) -> None:
    save(filled, "how to refund", "refund")
    save(filled, "cannot log in", "log-in")
    filled.import_sheet(csv_of(("log-in", "printer is out of paper", "ann"), ("other", "cannot log in", "bob")))
    filled.embed()
    assert filled.run("refresh")["result"]["golden_regressed"] == 1
    assert [run["questions"] for run in filled.get("/api/golden")["runs"]] == [2, 2]


@pytest.mark.feature("M10")
def test_a_question_that_is_deleted_and_brought_back_is_counted_once(filled: Road) -> None:
    saved = save(filled, "cannot log in", "log-in")
    save(filled, "how to refund", "refund")
    filled.api.delete(f"/api/golden/{saved['question_id']}")
    save(filled, "cannot log in", "log-in")
    reading = filled.get("/api/golden")
    assert [question["answer"]["passed"] for question in reading["questions"]] == [True, True]
    assert [run["questions"] for run in reading["runs"]] == [2]


def test_a_question_saved_after_going_back_hides_no_answer_of_the_generation_asked_last(filled: Road) -> None:
    save(filled, "cannot log in", "log-in")
    filled.run("rebuild")
    assert filled.api.post("/api/index/go-back", json={}).status_code == 200
    assert save(filled, "how to refund", "refund")["answer"]["passed"]
    reading = filled.get("/api/golden")
    assert [bool(question["answer"]) for question in reading["questions"]] == [True, False]
    assert reading["runs"][0]["generation"] == 2


@pytest.mark.feature("M10")
def test_every_new_generation_is_asked_and_regressions_are_named(filled: Road) -> None:
    save(filled, "cannot log in", "log-in")
    save(filled, "how to refund", "refund")
    first = filled.run("rebuild")["result"]
    assert (first["golden_questions"], first["golden_passed"], first["golden_regressed"]) == (2, 2, 0)
    filled.import_sheet(csv_of(("log-in", "printer is out of paper", "ann"), ("other", "cannot log in", "bob")))
    filled.embed()
    job = filled.run("refresh")
    assert (job["result"]["golden_passed"], job["result"]["golden_regressed"]) == (1, 1)
    log = [line["message"] for line in filled.get(f"/api/jobs/{job['job_id']}/log")["lines"]]
    assert "golden question “cannot log in” no longer finds log-in" in log
    reading = filled.get("/api/golden")
    assert [(run["generation"], run["passed"], run["questions"]) for run in reading["runs"]] == [(3, 1, 2), (2, 2, 2), (1, 2, 2)]
    assert [(each["text"], each["change"]) for each in reading["newest"]["differences"]] == [
        ("cannot log in", "regressed"),
        ("how to refund", "same"),
    ]
    assert [question["answer"]["passed"] for question in reading["questions"]] == [False, True]


def test_a_passing_answer_that_finds_other_rows_has_moved(filled: Road) -> None:
    save(filled, "cannot log in", "log-in", k=2)
    filled.run("rebuild")
    filled.import_sheet(csv_of(("log-in-2", "customer cannot log in today", "ann")))
    filled.embed()
    assert filled.run("refresh")["result"]["golden_regressed"] == 0
    assert [each["change"] for each in filled.get("/api/golden/comparison")["differences"]] == ["moved"]


def test_two_named_runs_are_compared_and_an_unknown_one_is_not_found(filled: Road) -> None:
    save(filled, "cannot log in", "log-in")
    filled.run("rebuild")
    filled.run("rebuild")
    newest, before, _ = filled.get("/api/golden")["runs"]
    compared = filled.get("/api/golden/comparison", before=newest["run_id"], after=before["run_id"])
    assert (compared["before"]["generation"], compared["after"]["generation"]) == (3, 2)
    assert filled.api.get("/api/golden/comparison", params={"after": "nobody"}).status_code == 404


def test_nothing_is_compared_before_anything_was_asked(road: Road) -> None:
    assert road.api.get("/api/golden/comparison").status_code == 404
    assert road.get("/api/golden")["newest"] is None


def test_a_row_that_left_the_table_is_named_as_gone(filled: Road) -> None:
    save(filled, "parcel is late", "ship")
    filled.import_sheet(csv_of(*ROWS[:2]), mode="mirror", approve_removals=1)
    filled.run("refresh")
    (question,) = filled.get("/api/golden")["questions"]
    assert (question["answer"]["passed"], question["answer"]["gone_keys"]) == (False, ["ship"])


def test_the_same_text_is_refused_whatever_its_case_and_spaces(filled: Road) -> None:
    saved = save(filled, "cannot log in", "log-in")
    refused = save(filled, " Cannot  LOG in", "refund", expect=409)
    assert (refused["gate"]["reason_code"], refused["gate"]["holder"]) == ("already_so", saved["question_id"])
    outcomes = [entry["outcome"] for entry in filled.get("/api/audit")["items"] if entry["action"] == "create_golden_question"]
    assert outcomes == ["refused: already_so", "done"]


def test_a_key_that_no_row_has_is_refused_and_named(filled: Road) -> None:
    problem = save(filled, "cannot log in", "log-in", "log-on", expect=422)
    assert problem["errors"] == [{"pointer": "/body/expected_keys/1", "detail": "No row has the key “log-on”."}]
    assert problem["detail"] == "No row has the key “log-on”."
    assert "one key a line" in problem["action"]


def test_all_keys_that_no_row_has_are_named_at_once(filled: Road) -> None:
    problem = save(filled, "cannot log in", "log-on", "log-in", "log-off", expect=422)
    assert problem["detail"] == "No row has the keys “log-on” and “log-off”."
    assert [each["pointer"] for each in problem["errors"]] == ["/body/expected_keys/0", "/body/expected_keys/2"]


def test_too_many_questions_are_refused(filled: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_QUESTIONS == 200
    monkeypatch.setattr(golden, "MAX_QUESTIONS", 1)
    save(filled, "cannot log in", "log-in")
    assert "Delete one first" in save(filled, "how to refund", "refund", expect=422)["detail"]


def test_a_changed_question_is_not_compared_with_what_it_was(filled: Road) -> None:
    saved = save(filled, "cannot log in", "log-in")
    filled.run("rebuild")
    body = {"text": "cannot log in", "expected_keys": ["log-in", "refund"], "k": 1}
    changed = filled.api.put(f"/api/golden/{saved['question_id']}", json=body).json()
    assert (changed["answer"]["passed"], changed["answer"]["missing_keys"]) == (False, ["refund"])
    assert [each["change"] for each in filled.get("/api/golden/comparison")["differences"]] == ["first"], "it was another one"
    filled.run("rebuild")
    assert [each["change"] for each in filled.get("/api/golden/comparison")["differences"]] == ["same"]


def test_a_deleted_question_is_asked_no_more_and_its_answers_stay_in_the_runs(filled: Road) -> None:
    saved = save(filled, "cannot log in", "log-in")
    filled.run("rebuild")
    address = f"/api/golden/{saved['question_id']}"
    assert filled.api.delete(address).status_code == 204
    assert filled.api.delete(address).status_code == 404
    assert "golden_questions" not in filled.run("rebuild")["result"]
    assert [each["text"] for each in filled.get("/api/golden/comparison")["differences"]] == ["cannot log in"]


def test_a_question_without_an_index_waits_for_its_first_answer(road: Road) -> None:
    road.import_sheet(csv_of(*ROWS))
    assert save(road, "cannot log in", "log-in")["answer"] is None


def test_questions_that_cannot_be_embedded_do_not_fail_the_build(filled: Road) -> None:
    save(filled, "cannot log in", "log-in")
    filled.works.embedder.fail("cannot log in")
    job = filled.run("rebuild")
    assert job["state"] == "succeeded"
    assert any("were not asked" in line["message"] for line in filled.get(f"/api/jobs/{job['job_id']}/log")["lines"])


def test_an_index_that_is_not_served_can_be_asked_too(filled: Road) -> None:
    """As an inspection does: all it needs is a way to search."""
    now = utc_now()
    question = GoldenQuestion(
        question_id="q", text="how to refund", expected_keys=["refund"], k=1, created_at=now, created_by="ann", changed_at=now
    )
    reader = IndexReader(filled.works.config.index_dir)
    (backwards,) = golden.ask_questions(
        filled.works.database,
        [question],
        embedder=filled.works.embedder,
        find=lambda vector, k: reader.search(-vector, k)[1],
    )
    assert (backwards.passed, backwards.rank, backwards.missing_keys) == (False, None, ["refund"])


def test_asking_again_after_a_kill_leaves_one_run(filled: Road) -> None:
    save(filled, "cannot log in", "log-in")
    job = filled.run("rebuild")
    with filled.works.database.write() as connection:
        connection.exec_driver_sql("UPDATE jobs SET state = 'queued' WHERE job_id = ?", (job["job_id"],))
    filled.works.perform_all()
    assert [run["generation"] for run in filled.get("/api/golden")["runs"]] == [2, 1]
