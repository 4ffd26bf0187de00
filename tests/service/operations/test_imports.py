"""Import: what it refuses to read, what it refuses to remove, and that it happens wholly or not at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from lib.contract.states import Operation
from lib.service.operations import imports
from lib.service.operations.runner import Fenced, JobContext
from lib.service.storage import changes, schema
from lib.service.storage.database import Database
from tests.service.road import Road, csv_of, sheet

MANY = range(40)

UNREADABLE: dict[str, tuple[bytes, str, str]] = {
    "an empty file": (b"", "unreadable_source", "The file is empty."),
    "nothing but blanks": (b" \r\n\n ", "unreadable_source", "The file is empty."),
    "a header and no row": (b"key,text,owner\n", "no_records", "a header and no row"),
    "a header and empty rows": (b"key,text,owner\n,,\n\n", "no_records", "a header and no row"),
    "a missing column": (b"key,words,owner\na,b,c\n", "columns_missing", "no column called text"),
    "two columns of one name": (b"key,text,owner,text\na,b,c,d\n", "unreadable_source", "Two columns are called 'text'"),
    "a column without a name": (b"key,,text,owner\na,b,c,d\n", "unreadable_source", "Column 2 has no name"),
    "an empty header": (b",,\n,,\n", "unreadable_source", "header row is empty"),
    "a header that is not the one of the mapping": (b",,\na,b,c\n", "columns_missing", "no column called key, text, owner"),
    "too many columns": (",".join(map(str, range(300))).encode() + b"\n1\n", "unreadable_source", "300 columns"),
    "an unclosed quote": (b'key,text,owner\na,b,c\nd,"e,f\ng,h,i\n', "unreadable_source", "breaks off near row 3"),
    "a NUL in the head": (b"key,text,owner\na,b\x00,c\n", "unreadable_source", "NUL"),
    "a workbook called CSV": (b"PK\x03\x04" + b"\x00\x01" * 500, "unreadable_source", "holds an Excel workbook, not text"),
    "a PDF": (b"%PDF-1.7\n%\xe2\xe3", "unreadable_source", "This is a PDF"),
    "another encoding": ("key,text,owner\na,caf\u00e9,c\n".encode("latin-1"), "unreadable_source", "not valid UTF-8"),
    "another encoding late on": (b"key,text,owner\n" + b"a,b,c\n" * 12_000 + b"x,caf\xe9,z\n", "unreadable_source", "not valid UTF-8"),
}  # fmt: skip


@pytest.mark.parametrize("what", UNREADABLE)
@pytest.mark.feature("I4")
def test_what_cannot_be_read_is_named_and_changes_nothing(road: Road, contents: Callable[..., dict[str, str]], what: str) -> None:
    content, code, words = UNREADABLE[what]
    road.import_sheet(sheet(1))
    its_own = ("uploads", "plans", "jobs", "job_log", "job_steps", "audit")
    before = contents(*its_own)
    plan = road.preview(content, mode="mirror")
    assert (plan["state"], plan["error"]["code"]) == ("failed", code)
    assert words in plan["error"]["detail"]
    assert plan["error"]["action"], "it says what to do"
    job = road.job(plan["job_id"])
    assert (job["state"], job["error"]) == ("failed", plan["error"])
    assert contents(*its_own) == before, "not even rows of the plan stay"
    refusal = road.post_import(plan["plan_id"])
    assert (refusal.status_code, refusal.json()["gate"]["reason_code"]) == (409, "plan_failed")


def test_every_error_of_every_row_is_found_in_one_pass(road: Road) -> None:
    long = "x" * 50_001
    plan = road.preview(
        csv_of(("a", "fine", ""), ("", "  ", ""), ("a", "twice", ""), ("b", "", ""), ("c", "text", "", "spare"), ("d", long, ""))
    )
    assert plan["counts"] == {"new": 1, "changed": 0, "unchanged": 0, "removed": 0, "invalid": 5}
    found = {
        row["row"]: [(error["column"], error["rule"]) for error in row["errors"]] for row in plan["rows"] if row["change"] == "invalid"
    }
    assert found == {
        3: [("key", "The key is empty."), ("text", "There is no text to embed.")],
        4: [("key", "The key stands in row 2 already.")],
        5: [("text", "There is no text to embed.")],
        6: [(None, "The row has 4 cells, the header 3.")],
        7: [("text", "A cell holds 50,001 characters; the limit is 50,000.")],
    }
    assert all(error["fix"] for row in plan["rows"] for error in row["errors"])


def test_bad_rows_are_skipped_or_stop_the_whole_import_as_was_chosen(road: Road, contents: Callable[..., dict[str, str]]) -> None:
    plan = road.preview(csv_of(("a", "fine", ""), ("", "no key", "")))
    before = contents("audit")
    refusal = road.post_import(plan["plan_id"], policy="all_or_nothing")
    assert (refusal.status_code, refusal.json()["gate"]["reason_code"]) == (409, "plan_has_invalid_rows")
    assert contents("audit") == before
    job = road.apply(plan["plan_id"], policy="skip")
    assert (job["result"]["new"], job["result"]["invalid"]) == (1, 1)
    assert road.keys() == {"a": "fine"}


def test_a_bad_row_still_says_that_its_entry_is_wanted(road: Road) -> None:
    road.import_sheet(sheet(1, 2))
    plan = road.preview(csv_of(("k1", "", "ann"), ("k2", "advice 2", "ann")), mode="mirror")
    assert plan["counts"] == {"new": 0, "changed": 0, "unchanged": 1, "removed": 0, "invalid": 1}


@pytest.mark.feature("I4")
def test_a_merge_removes_nothing(road: Road) -> None:
    road.import_sheet(sheet(*MANY))
    assert road.preview(sheet(1))["counts"]["removed"] == 0


@pytest.mark.feature("I4")
@pytest.mark.parametrize(("table", "removed", "held"), [(40, 10, 0), (40, 11, 11), (200, 20, 0), (200, 21, 21)])
def test_removals_above_ten_and_a_tenth_are_held(road: Road, table: int, removed: int, held: int) -> None:
    road.import_sheet(sheet(*range(table)))
    plan = road.preview(sheet(*range(removed, table)), mode="mirror")
    assert (plan["counts"]["removed"], plan["held_removals"]) == (removed, held)


@pytest.mark.feature("I4")
def test_held_removals_stay_out_while_the_rest_applies_and_go_only_when_their_number_is_approved(road: Road) -> None:
    road.import_sheet(sheet(*MANY))
    rest = sheet(*range(20, 41), text="other {}")
    job = road.import_sheet(rest, mode="mirror")
    assert {"new": 1, "changed": 20, "removed": 0}.items() <= job["result"].items()
    assert len(road.keys()) == 41
    plan = road.preview(rest, mode="mirror")
    assert (plan["counts"]["removed"], plan["held_removals"]) == (20, 20)
    alone = road.post_import(plan["plan_id"])
    assert (alone.status_code, alone.json()["gate"]["reason_code"]) == (409, "removals_not_approved")
    too_few = road.post_import(plan["plan_id"], approve_removals=19)
    assert (too_few.status_code, too_few.json()["gate"]["reason_code"]) == (409, "removals_not_approved")
    assert "20" in too_few.json()["detail"]
    assert road.apply(plan["plan_id"], approve_removals=20)["result"]["removed"] == 20
    assert len(road.keys()) == 21


@pytest.mark.feature("I4")
def test_an_approved_number_is_a_ceiling_even_where_nothing_was_held(road: Road) -> None:
    road.import_sheet(sheet(*range(8)))
    plan = road.preview(sheet(*range(5)), mode="mirror")
    assert (plan["counts"]["removed"], plan["held_removals"]) == (3, 0)
    assert road.post_import(plan["plan_id"], approve_removals=2).status_code == 409
    assert road.apply(plan["plan_id"], approve_removals=5)["result"]["removed"] == 3


class Killed(BaseException):
    """What kill -9 would do, as far as one process can."""


def test_a_kill_between_the_commit_and_the_checkpoint_applies_once(road: Road, contents: Callable[..., dict[str, str]]) -> None:
    plan = road.preview(sheet(1, 2))
    job_id = road.post_import(plan["plan_id"]).json()["job_id"]
    real = road.works.operations[Operation.IMPORT]

    def die_after(context: JobContext) -> dict[str, Any]:
        real(context)
        raise Killed

    road.works.operations[Operation.IMPORT] = die_after
    with pytest.raises(Killed):
        road.works.perform(job_id)
    after_commit = contents("jobs", "job_log", "job_steps", "audit", "locks")
    road.works.operations[Operation.IMPORT] = real
    road.works.perform(job_id)
    job = road.job(job_id)
    assert (job["state"], job["attempt"]) == ("succeeded", 2)
    assert {"new": 2, "changed": 0, "removed": 0, "to_embed": 2}.items() <= job["result"].items(), "what it did is not forgotten"
    assert contents("jobs", "job_log", "job_steps", "audit", "locks") == after_commit


@pytest.mark.parametrize("statement", ["_DEQUEUE", "_DELETE_GONE", "_TAKE_FROM_CACHE", "_ENQUEUE"])
def test_a_failure_in_the_middle_of_the_apply_leaves_everything_as_it_was(
    road: Road, contents: Callable[..., dict[str, str]], monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    road.fill(sheet(1, 2, 3))
    plan = road.preview(sheet(2, 3, 4, text="other {}"), mode="mirror")
    before = contents("jobs", "job_log", "job_steps", "audit", "locks", "snapshots")
    monkeypatch.setattr(changes, statement, "SELECT * FROM a_table_that_is_not_there")
    job = road.apply(plan["plan_id"])
    assert (job["state"], job["error"]["code"]) == ("failed", "unexpected")
    assert contents("jobs", "job_log", "job_steps", "audit", "locks", "snapshots") == before
    monkeypatch.undo()
    assert road.plan(plan["plan_id"])["state"] == "ready", "it can be applied again"


def test_an_attempt_that_was_overtaken_touches_neither_plan_nor_table(
    road: Road, database: Database, contents: Callable[..., dict[str, str]]
) -> None:
    plan = road.preview(sheet(1, 2))
    with database.read() as connection:
        row = connection.execute(sa.select(schema.plans)).one()
    old = JobContext(
        job=_job_of(database, plan["job_id"]), attempt=1, database=database, config=road.works.config, checkpoint=lambda _, f, *a: f(*a)
    )
    before = contents()
    with pytest.raises(Fenced):
        imports._build_plan(old, plan["plan_id"])
    with pytest.raises(Fenced):
        imports._commit(old, row, "f" * 16, None)
    assert contents() == before


def _job_of(database: Database, job_id: str) -> Any:
    from lib.service.storage.jobs import get_job

    with database.read() as connection:
        return get_job(connection, job_id)


def test_a_plan_that_is_gone_says_so(road: Road, database: Database) -> None:
    plan_id = road.start_preview(sheet(1))
    with database.write() as connection:
        connection.execute(sa.delete(schema.plans))
    road.works.perform_all()
    job = road.get("/api/jobs")["items"][0]
    assert (job["state"], job["error"]["code"]) == ("failed", "plan_missing")
    assert road.api.get(f"/api/plans/{plan_id}").status_code == 404


def test_a_second_preview_of_the_same_upload_needs_no_new_upload(road: Road) -> None:
    upload_id = road.upload(sheet(1))
    for mode in ("merge", "mirror"):
        body = {"source": {"upload_id": upload_id}, "mapping": {"key": "key", "text": ["text"]}, "mode": mode}
        assert road.api.post("/api/operations/import/preview", json=body).status_code == 202
    road.works.perform_all()
    assert [job["state"] for job in road.get("/api/jobs")["items"]] == ["succeeded", "succeeded"]


def test_a_preview_needs_an_upload_that_is_there_in_full(road: Road) -> None:
    announced = road.api.post("/api/uploads", json={"name": "a.csv", "size_bytes": 10}).json()
    body = {"source": {"upload_id": announced["upload_id"]}, "mapping": {"key": "key", "text": ["text"]}}
    assert road.api.post("/api/operations/import/preview", json=body).json()["code"] == "upload_incomplete"
    body["source"] = {"upload_id": uuid4().hex}
    assert road.api.post("/api/operations/import/preview", json=body).json()["code"] == "not_found"
