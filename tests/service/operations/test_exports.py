"""Export: what comes out goes in again unchanged; the file is whole or it is not there."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lib.contract.model import utc_now
from lib.service.config import Config
from lib.service.operations import exports
from lib.service.operations.runner import Fenced, JobContext
from lib.service.storage import jobs, schema, scope
from lib.service.storage.database import Database
from tests.service.road import MAPPING, Road, csv_of, sheet

#: Whatever a cell may hold: a whole file is decoded strictly, so half a character and NUL cannot come out of one.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)
AWKWARD = st.sampled_from(
    [
        "001",
        "12345678901234567890",
        "=1+1",
        "+1",
        "-5",
        "@x",
        "\tx",
        "'",
        "''",
        "'=1",
        "''=1",
        "🐎",
        'say "hi"',
        "two\nlines",
        "a\r\nb",
        "\r",
        " x ",
        "NA",
    ]
)
CELL = st.one_of(AWKWARD, TEXT)
FILLED = CELL.filter(lambda cell: bool(cell.strip()))


@pytest.mark.feature("E5")
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(rows=st.dictionaries(FILLED, st.tuples(FILLED, CELL), min_size=1, max_size=12), safe=st.booleans())
def test_any_table_goes_out_and_in_again_without_a_change(road: Road, rows: dict[str, tuple[str, str]], safe: bool) -> None:
    content = csv_of(*((key, text, owner) for key, (text, owner) in rows.items()))
    imported = road.preview(content, mode="mirror")
    assert imported["counts"]["invalid"] == 0, imported["rows"]
    if imported["counts"]["new"] + imported["counts"]["changed"] + imported["counts"]["removed"]:
        road.apply(imported["plan_id"], approve_removals=imported["counts"]["removed"])
    _, file = road.export(target={"kind": "file", "format": "csv", "spreadsheet_safe": safe})
    again = road.preview(file, mode="mirror")
    kept = sum(imported["counts"][change] for change in ("unchanged", "new", "changed"))
    nothing = {"new": 0, "changed": 0, "removed": 0, "invalid": 0}
    assert again["counts"] == {**nothing, "unchanged": kept}, again["rows"]
    assert road.post_import(again["plan_id"]).json()["gate"]["reason_code"] == "nothing_to_do"
    if safe:
        for record in csv.reader(io.StringIO(file.decode(), newline="")):
            assert not any(cell[:1] in ("=", "@", "\t", "\r", "\n") for cell in record)


def test_a_cell_of_fifty_thousand_characters_and_odd_column_names_survive_the_round_trip(road: Road) -> None:
    mapping = {"key": "=id", "text": ["@title", "long; text"], "fields": ["'quoted'", "two\nlines"]}
    header = (mapping["key"], *mapping["text"], *mapping["fields"])
    content = csv_of(("1", "t", "x" * 50_000, "", "f"), ("2", "", "y", "g", ""), header=("'=id", "'@title", *header[2:]))
    road.import_sheet(content, mapping)
    for safe in (True, False):
        _, file = road.export(target={"kind": "file", "format": "csv", "spreadsheet_safe": safe})
        again = road.preview(file, mapping, "mirror")
        assert again["counts"] == {"new": 0, "changed": 0, "unchanged": 2, "removed": 0, "invalid": 0}


def test_a_table_of_two_kinds_of_sheet_loses_no_cell_in_the_export(road: Road) -> None:
    road.import_sheet(
        csv_of(("a", "text of a", "notes of a"), header=("id", "summary", "notes")), {"key": "id", "text": ["summary"], "fields": ["notes"]}
    )
    road.import_sheet(
        csv_of(("b", "notes of b", "id of b"), header=("name", "notes", "id")), {"key": "name", "text": ["notes"], "fields": ["id"]}
    )
    _, file = road.export()
    records = list(csv.DictReader(io.StringIO(file.decode())))
    assert records[0] == {"name": "a", "notes": "notes of a", "summary": "text of a", "id": ""}
    assert records[1] == {"name": "b", "notes": "notes of b", "summary": "", "id": "id of b"}


def test_the_key_keeps_a_name_of_its_own_when_another_sheet_used_it_for_a_field(road: Road) -> None:
    road.import_sheet(csv_of(("a", "text", "x"), header=("id", "text", "name")), {"key": "id", "text": ["text"], "fields": ["name"]})
    road.import_sheet(csv_of(("b", "text"), header=("name", "text")), {"key": "name", "text": ["text"]})
    _, file = road.export()
    assert file.decode().splitlines()[0] == "name (key),text,name"


def test_an_export_holds_what_the_filter_names_in_the_order_of_the_table(road: Road) -> None:
    road.import_sheet(csv_of(("b", "green tea", ""), ("a", "black tea", ""), ("c", "100% coffee", "")))
    _, file = road.export(filter={"text": "tea"})
    assert [record["key"] for record in csv.DictReader(io.StringIO(file.decode()))] == ["b", "a"]
    _, file = road.export(filter={"text": "0%"})
    assert [record["key"] for record in csv.DictReader(io.StringIO(file.decode()))] == ["c"], "% is no wildcard"
    job = road.run("export", filter={"text": "cocoa"})
    assert (job["state"], job["error"]["code"]) == ("failed", "nothing_matches")


@pytest.mark.feature("E6")
def test_a_download_can_be_checked_resumed_and_is_not_sent_twice(road: Road) -> None:
    road.import_sheet(sheet(*range(20)))
    job, file = road.export()
    listed = road.get("/api/exports")["items"][0]
    sha256 = hashlib.sha256(file).hexdigest()
    assert (listed["export_id"], listed["rows"], listed["size_bytes"], listed["sha256"]) == (
        job["result"]["export_id"],
        20,
        len(file),
        sha256,
    )
    path = f"/api/exports/{listed['export_id']}/file"
    whole = road.api.get(path)
    assert whole.headers["ETag"] == f'"{sha256}"'
    assert whole.headers["Repr-Digest"] == f"sha-256=:{base64.b64encode(bytes.fromhex(sha256)).decode()}:"
    assert whole.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert listed["name"] in whole.headers["Content-Disposition"]
    part = road.api.get(path, headers={"Range": "bytes=10-19", "If-Range": f'"{sha256}"'})
    assert (part.status_code, part.content, part.headers["Content-Range"]) == (206, file[10:20], f"bytes 10-19/{len(file)}")
    other = road.api.get(path, headers={"Range": "bytes=10-19", "If-Range": '"another file"'})
    assert (other.status_code, other.content) == (200, file)
    same = road.api.get(path, headers={"If-None-Match": f'W/"x", "{sha256}"'})
    assert (same.status_code, same.content, same.headers["ETag"]) == (304, b"", f'"{sha256}"')


@pytest.mark.feature("E6")
def test_a_range_the_file_has_not_is_refused_as_a_problem(road: Road) -> None:
    road.import_sheet(sheet(1))
    job, file = road.export()
    path = f"/api/exports/{job['result']['export_id']}/file"
    beyond = road.api.get(path, headers={"Range": "bytes=999999-"})
    assert (beyond.status_code, beyond.json()["code"], beyond.headers["Content-Range"]) == (416, "bad_range", f"bytes */{len(file)}")
    for malformed in ("bytes=-", "lines=1-2", "bytes=9-1", "nonsense"):
        answer = road.api.get(path, headers={"Range": malformed})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid"), malformed


@pytest.mark.feature("E6")
def test_an_expired_export_is_gone_and_not_listed(road: Road, database: Database, config: Config) -> None:
    road.api.put("/api/settings/export.keep_days", json={"value": 3})
    road.import_sheet(sheet(1))
    job, _ = road.export()
    listed = road.get("/api/exports")["items"][0]
    with database.write() as connection:
        row = connection.execute(sa.select(schema.exports)).one()
        assert row.expires_at - row.created_at == timedelta(days=3)
        connection.execute(sa.update(schema.exports).values(expires_at=utc_now() - timedelta(seconds=1)))
    answer = road.api.get(f"/api/exports/{listed['export_id']}/file")
    assert (answer.status_code, answer.json()["code"]) == (410, "expired")
    assert road.get("/api/exports")["items"] == []
    with database.write() as connection:
        connection.execute(sa.update(schema.exports).values(expires_at=utc_now() + timedelta(days=1)))
    (config.exports_dir / f"{job['result']['export_id']}.csv").unlink()
    assert road.api.get(f"/api/exports/{listed['export_id']}/file").status_code == 410, "also when its file is gone"
    assert road.api.get(f"/api/exports/{'0' * 32}/file").status_code == 404
    assert road.api.get("/api/exports/..%2Ftoken/file").status_code in (404, 422)


@pytest.mark.parametrize("how", ["cancelled", "crashed", "killed"])
def test_an_export_that_does_not_finish_leaves_no_file_to_download(
    road: Road, config: Config, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    class Killed(BaseException):
        pass

    road.import_sheet(sheet(1, 2, 3))
    real = scope.stream_matching

    def stop(*arguments: Any) -> Any:
        yield from list(real(*arguments))[:1]
        if how == "cancelled":
            road.api.post(f"/api/jobs/{job_id}/cancel")
            yield from ([] for _ in range(3))
        raise {"crashed": ZeroDivisionError, "killed": Killed}.get(how, AssertionError("it was cancelled"))

    monkeypatch.setattr(scope, "stream_matching", stop)
    monkeypatch.setattr("lib.service.operations.runner.PROGRESS_SECONDS", 0.0)
    job_id = road.start("export").json()["job_id"]
    if how == "killed":
        with pytest.raises(Killed):
            road.works.perform(job_id)
        (config.exports_dir / f"{job_id}.1.part").write_text("what kill -9 left")
    else:
        road.works.perform(job_id)
        assert road.job(job_id)["state"] == {"cancelled": "cancelled", "crashed": "failed"}[how]
        assert list(config.exports_dir.iterdir()) == []
    assert road.get("/api/exports")["items"] == []
    monkeypatch.undo()
    if how == "killed":
        road.works.perform(job_id)
        assert road.job(job_id)["state"] == "succeeded"
        assert [path.name for path in config.exports_dir.iterdir()] == [f"{job_id}.csv"]


def test_an_overtaken_attempt_that_wakes_up_leaves_the_file_of_the_next_alone(
    road: Road, database: Database, monkeypatch: pytest.MonkeyPatch, config: Config
) -> None:
    road.import_sheet(sheet(1, 2, 3))
    job_id = road.start("export").json()["job_id"]
    with database.write() as connection:
        jobs.begin_attempt(connection, job_id, worker_id="operations-1", now=utc_now())
        job = jobs.get_job(connection, job_id)
    assert job is not None
    asleep = JobContext(job=job, attempt=1, database=database, config=config, checkpoint=lambda _, f, *a: f(*a))
    (config.exports_dir / f"{job_id}.1.part").write_text("half of it")
    real = scope.stream_matching

    def wake_it_up(*arguments: Any) -> Any:
        for page in real(*arguments):
            assert [path.name for path in config.exports_dir.iterdir()] == [f"{job_id}.2.part"], "what was left over is gone"
            with pytest.raises(Fenced):
                exports.export_entries(asleep)
            yield page

    monkeypatch.setattr(scope, "stream_matching", wake_it_up)
    road.works.runner("operations-2").perform_job(job_id)
    ended = road.job(job_id)
    assert (ended["state"], ended["worker_id"]) == ("succeeded", "operations-2")
    file = (config.exports_dir / f"{job_id}.csv").read_bytes()
    assert hashlib.sha256(file).hexdigest() == ended["result"]["sha256"]
    assert [path.name for path in config.exports_dir.iterdir()] == [f"{job_id}.csv"]


def test_the_columns_of_the_last_import_come_first_and_in_its_order(road: Road) -> None:
    road.import_sheet(sheet(1), MAPPING)
    road.import_sheet(
        csv_of(("k2", "o", "t", "z"), header=("key", "owner", "text", "a-field")),
        {"key": "key", "text": ["text"], "fields": ["owner", "a-field"]},
    )
    _, file = road.export()
    assert file.decode().splitlines()[0] == "key,text,owner,a-field"
