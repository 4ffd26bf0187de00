"""What an export may be narrowed to, and the formats it may take."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest

from lib.contract.model import utc_now
from lib.service.config import Config
from lib.service.storage import exports as export_rows
from lib.service.storage.database import Database
from tests.service.road import Road, csv_of, sheet


@pytest.mark.feature("E1")
def test_an_export_may_be_narrowed_in_every_way_and_the_scope_counts_the_same(road: Road) -> None:
    mapping = {"key": "id", "text": ["text"], "fields": ['it\'s "odd".x', "owner"]}
    rows = [("a", "one", "x", "ann"), ("b", "two", "y", "ann"), ("c", "three", "x", "bob"), ("d", "four", "x", "ann")]
    road.import_sheet(csv_of(*rows, header=("id", "text", *mapping["fields"])), mapping)
    road.works.embedder.fail("three")
    road.embed()
    before = utc_now()
    road.import_sheet(csv_of(("d", "fore", "x", "ann"), header=("id", "text", *mapping["fields"])), mapping)
    for wanted, keys in (
        ({"fields": {'it\'s "odd".x': "x"}}, "acd"),
        ({"fields": {'it\'s "odd".x': "x", "owner": "ann"}}, "ad"),
        ({"fields": {"owner": "an"}}, ""),
        ({"fields": {"no such": "x"}}, ""),
        ({"state": "embedded"}, "ab"),
        ({"state": "failed"}, "c"),
        ({"state": "waiting"}, "d"),
        ({"state": "discarded"}, ""),
        ({"updated_since": before.isoformat()}, "d"),
        ({"text": "o", "state": "embedded"}, "ab"),
        ({}, "abcd"),
    ):
        scope = road.api.post("/api/exports/scope", json=wanted).json()
        assert (scope["matching"], scope["total"]) == (len(keys), 4), wanted
        assert (scope["key"], scope["text"], scope["fields"]) == ("id", ["text"], mapping["fields"])
        if keys:
            _, file = road.export(filter=wanted, columns=["owner"])
            assert file.decode().split() == ["id,owner", *(f"{row[0]},{row[3]}" for row in rows if row[0] in keys)], wanted


@pytest.mark.feature("E1")
def test_a_column_no_entry_has_is_refused_before_there_is_a_job(road: Road) -> None:
    road.import_sheet(sheet(1))
    answer = road.start("export", columns=["owner", "nobody"])
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert "nobody" in answer.json()["detail"]


@pytest.mark.feature("E1")
def test_a_cell_too_long_for_xlsx_is_said_before_and_named_by_the_job(road: Road, config: Config) -> None:
    road.import_sheet(csv_of(("a", "short", ""), ("b", "x" * 40_000, "")))
    assert road.api.post("/api/exports/scope", json={}).json()["maybe_too_long"] == 1
    job = road.run("export", target={"kind": "file", "format": "xlsx"})
    assert (job["state"], job["error"]["code"]) == ("failed", "does_not_fit")
    assert "'b'" in job["error"]["detail"]
    assert "40,000 characters" in job["error"]["detail"]
    assert list(config.exports_dir.iterdir()) == []
    _, file = road.export(target={"kind": "file", "format": "xlsx"}, filter={"text": "short"})
    assert file.startswith(b"PK")


@pytest.mark.feature("E6")
@pytest.mark.parametrize(
    ("written_as", "kind"), [("csv", "text/csv"), ("xlsx", "application/vnd.openxml"), ("parquet", "application/vnd.apache")]
)
def test_each_format_has_its_own_file_name_and_kind_and_goes_with_age(
    road: Road, database: Database, config: Config, written_as: str, kind: str
) -> None:
    road.import_sheet(sheet(1, 2))
    job, file = road.export(target={"kind": "file", "format": written_as})
    assert job["result"]["sha256"] == hashlib.sha256(file).hexdigest()
    answer = road.api.get(f"/api/exports/{job['result']['export_id']}/file")
    assert answer.headers["Content-Type"].startswith(kind)
    assert f".{written_as}" in answer.headers["Content-Disposition"]
    assert road.get("/api/exports")["items"][0]["format"] == written_as
    with database.write() as connection:
        (name,) = export_rows.forget_expired(connection, utc_now() + timedelta(days=400))
    assert [path.name for path in config.exports_dir.iterdir()] == [name]
