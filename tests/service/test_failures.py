"""Failures over a failing embeddings endpoint: groups by cause, fixes, canaries, and doing one thing with very many rows."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from lib.contract.queue import CAUSES
from lib.contract.states import FailureCause
from lib.service import failures
from lib.service.failures import suggest_length
from lib.service.operations import requeue
from lib.service.storage.database import Database
from tests.embeddings_endpoint import MAX_CHARACTERS, Endpoint
from tests.service.planted import FAILED, PLANTED, ROWS, work
from tests.service.road import Road, csv_of
from tests.service.works import Works


def groups_of(road: Road) -> dict[str, dict[str, Any]]:
    return {group["cause"]: group for group in road.get("/api/queue/failures/groups")["groups"]}


def while_it_waits(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Between two looks at its canary; this module's clock alone is changed, for other threads sleep too."""
    monkeypatch.setattr(requeue, "time", SimpleNamespace(monotonic=time.monotonic, sleep=lambda _: act()))


def requeue_with(road: Road, works: Works, monkeypatch: pytest.MonkeyPatch, **request: Any) -> dict[str, Any]:
    """Start the job; while it watches its canary, a worker works."""
    while_it_waits(monkeypatch, lambda: work(works))
    job_id = road.start("requeue", **request).json()["job_id"]
    works.perform_all()
    work(works)
    job: dict[str, Any] = road.get(f"/api/jobs/{job_id}")
    return job


@pytest.mark.feature("Q6", "M4", "Q3")
def test_five_planted_causes_make_five_groups_each_with_words_samples_and_what_helps(planted: Road) -> None:
    groups = groups_of(planted)
    assert {cause: group["count"] for cause, group in groups.items()} == dict.fromkeys(PLANTED, ROWS)
    fixes = {cause: group["fix"] for cause, group in groups.items()}
    assert fixes == {
        "text_too_long": "shorten", "empty_text": "discard", "quota": "wait", "bad_key": "settings", "wrong_dimension": "settings",
    }  # fmt: skip
    for cause, group in groups.items():
        assert (group["explanation"], group["action"]) == CAUSES[FailureCause(cause)]
        assert {sample["key"] for sample in group["samples"]} == {f"{cause}-{number}" for number in range(ROWS)}
        assert group["first_at"] <= group["last_at"]
        assert all("sk-secret" not in sample["raw_error"] for sample in group["samples"])
    assert groups["text_too_long"]["shorten_to"] == MAX_CHARACTERS, "the endpoint's own words say what it takes"
    assert groups["quota"]["samples"][0]["attempts"] == 2
    assert planted.queue()["embedded"] == ROWS


@pytest.mark.feature("M4")
@pytest.mark.parametrize("cause", PLANTED)
def test_fixing_one_cause_and_retrying_clears_that_group_only(
    planted: Road, works: Works, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, cause: FailureCause
) -> None:
    others = {each: ROWS for each in PLANTED if each is not cause}
    if cause is FailureCause.EMPTY_TEXT:
        planted.api.post("/api/queue/failures/discard", json={"cause": cause})
    else:
        endpoint.heal.add(PLANTED[cause])  # the quota is back, the key was replaced, the model is the right one again
        more = {"shorten_to": groups_of(planted)[cause]["shorten_to"]} if cause is FailureCause.TEXT_TOO_LONG else {}
        job = requeue_with(planted, works, monkeypatch, selection={"cause": cause}, canary=True, **more)
        assert (job["state"], job["result"]["done"]) == ("succeeded", ROWS), job["error"]
        assert planted.queue()["embedded"] == 2 * ROWS
    assert {each: group["count"] for each, group in groups_of(planted).items()} == others


@pytest.mark.feature("M4")
def test_a_shortened_row_is_embedded_by_its_beginning_and_keeps_all_of_its_text(
    planted: Road, works: Works, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    requeue_with(planted, works, monkeypatch, selection={"cause": "text_too_long"}, shorten_to=100)
    text = PLANTED[FailureCause.TEXT_TOO_LONG]
    assert endpoint.embedded.count(text[:100]) == ROWS
    entries = planted.get("/api/entries", text="a long story")["items"]
    assert sorted(len(entry["text"].strip()) for entry in entries) == [len(text.strip())] * ROWS


@pytest.mark.feature("M4")
def test_a_broken_fix_stops_after_the_canary_and_leaves_the_others_alone(
    planted: Road, works: Works, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = len(endpoint.asked)
    job = requeue_with(planted, works, monkeypatch, selection={"cause": "text_too_long"}, shorten_to=MAX_CHARACTERS + 1, canary=True)
    assert (job["state"], job["error"]["code"]) == ("failed", "canary_failed")
    assert "text_too_long-" in job["error"]["detail"]
    assert f"maximum context length is {MAX_CHARACTERS}" in job["error"]["detail"]
    assert len(endpoint.asked) - asked == 1, "one row was tried, and no other"
    assert groups_of(planted)["text_too_long"]["count"] == ROWS


@pytest.mark.feature("M4")
def test_canaries_go_first_one_then_ten_then_the_rest(
    road: Road, works: Works, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    road.import_sheet(csv_of(*((f"k{number}", f"[503] {number}", "ann") for number in range(30))))
    work(works)
    assert groups_of(road)["unreachable"]["count"] == 30
    endpoint.heal.add("[503]")
    sent: list[int] = []

    def watch() -> None:
        sent.append(road.queue()["pending"])
        work(works)

    while_it_waits(monkeypatch, watch)
    job_id = road.start("requeue", canary=True).json()["job_id"]
    works.perform_all()
    assert sent == [1, 10]
    assert road.queue()["pending"] == 19
    work(works)
    assert (road.get(f"/api/jobs/{job_id}")["result"]["done"], road.queue()["embedded"]) == (30, 30)


@pytest.mark.feature("M4")
def test_a_canary_nobody_takes_up_ends_the_job_in_words(planted: Road, works: Works, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requeue, "CANARY_WAIT_SECONDS", 0.0)
    while_it_waits(monkeypatch, lambda: None)
    job_id = planted.start("requeue", canary=True, selection={"cause": "quota"}).json()["job_id"]
    works.perform_all()
    error = planted.get(f"/api/jobs/{job_id}")["error"]
    assert error["code"] == "canary_waits"
    assert "paused" in error["action"]


@pytest.mark.feature("Q4")
@pytest.mark.parametrize(("action", "state"), [("retry", "pending"), ("discard", "discarded")])
def test_more_rows_than_one_answer_allows_become_a_job_with_a_report_and_are_safe_to_repeat(
    planted: Road, works: Works, monkeypatch: pytest.MonkeyPatch, counters_are_true: Callable[[], None], action: str, state: str
) -> None:
    monkeypatch.setattr(failures, "AT_ONCE_ROWS", 4)
    monkeypatch.setattr(requeue, "CHUNK_ROWS", 4)
    report = planted.api.post(f"/api/queue/failures/{action}", json={}).json()
    assert (report["done"], report["job_id"] is None) == (0, False)
    refused = planted.api.post("/api/queue/failures/retry", json={"cause": "quota"})
    assert (refused.status_code, refused.json()["gate"]["reason_code"]) == (409, "operation_running")
    assert planted.get("/api/audit", limit=1)["items"][0]["outcome"] == "refused: operation_running"
    works.perform_all()
    job = planted.get(f"/api/jobs/{report['job_id']}")
    assert job["result"] == {"action": action, "done": FAILED, "skipped": 0, "failed": 0}
    assert (job["progress"]["done"], job["progress"]["total"]) == (FAILED, FAILED)
    assert (planted.queue()[state], planted.queue()["failed"]) == (FAILED, 0)
    counters_are_true()
    assert planted.api.post(f"/api/queue/failures/{action}", json={}).json() == {"done": 0, "skipped": 0, "job_id": None}


def test_a_job_that_dies_in_the_middle_goes_on_with_what_is_left(
    planted: Road, works: Works, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requeue, "CHUNK_ROWS", 4)
    job_id = planted.start("requeue").json()["job_id"]
    real, chunks = requeue.selections.move_items, []

    def die_at_the_third(*arguments: Any, **more: Any) -> None:
        chunks.append(1)
        if len(chunks) == 3:
            raise KeyboardInterrupt
        real(*arguments, **more)

    monkeypatch.setattr(requeue.selections, "move_items", die_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        works.perform(job_id)
    assert planted.queue()["failed"] == FAILED - 8
    works.perform(job_id)
    assert (planted.queue()["failed"], planted.queue()["pending"]) == (0, FAILED)
    assert planted.get(f"/api/jobs/{job_id}")["state"] == "succeeded"


@pytest.mark.parametrize(
    ("raw_error", "characters"),
    [
        ("This model's maximum context length is 8192 tokens, however you requested 9214 tokens", 24_576),
        ("at most 2,000 characters", 2000),
        ("text too long", 8000),
        ("", 8000),
        (None, 8000),
        ("limit 3 characters", 10),
    ],
)
def test_the_length_to_shorten_to_is_read_from_the_refusal(raw_error: str | None, characters: int) -> None:
    assert suggest_length(raw_error) == characters
