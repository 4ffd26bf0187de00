"""Rows of a plan: filtered, grouped by rule, unticked and so provably untouched, and the bad ones as a file."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from lib.contract.states import Operation
from lib.service.operations.runner import JobContext
from lib.service.storage import schema
from lib.service.storage.database import Database
from tests.service.road import MAPPING, Road, csv_of, sheet

BAD = csv_of(("", "no key", "ann"), ("a", "", "ann"), ("", "", "ann"), ("b", "fine", "=1+1"), ("c", "fine", "bob"), ("d", "fine", "bob"))


def position_of(road: Road, plan: dict[str, Any], key: str) -> int:
    rows = road.plan(plan["plan_id"], limit=200)["rows"]
    return next(row["position"] for row in rows if row["key"] == key)


def rows_of(database: Database, *keys: str) -> list[Any]:
    """Everything the table, the queue and the vectors say of these entries."""
    entries, items, embeddings = schema.entries, schema.items, schema.embeddings
    with database.read() as connection:
        return list(
            connection.execute(
                sa.select(entries, items, embeddings)
                .join_from(entries, items, items.c.entry_id == entries.c.entry_id, isouter=True)
                .join(embeddings, embeddings.c.entry_id == entries.c.entry_id, isouter=True)
                .where(entries.c.key.in_(keys))
                .order_by(entries.c.key)
            ).all()
        )


@pytest.mark.feature("M1")
def test_an_unticked_row_is_not_touched_and_every_other_is(road: Road, database: Database) -> None:
    road.fill(sheet(1, 2, 3, 4))
    plan = road.preview(sheet(1, 2, 5, 6, text="other {}"), mode="mirror")
    assert plan["counts"] | {"unchanged": 0} == {"new": 2, "changed": 2, "unchanged": 0, "removed": 2, "invalid": 0}
    left_alone = rows_of(database, "k1", "k3")
    for key in ("k1", "k3", "k5"):
        answer = road.tick(plan["plan_id"], positions=[position_of(road, plan, key)])
        assert answer.status_code == 200, answer.text
    head = answer.json()
    assert head["unticked"] == {"new": 1, "changed": 1, "unchanged": 0, "removed": 1, "invalid": 0}
    assert (head["to_embed"], head["ticks_revision"]) == (2, 3)
    job = road.apply(plan["plan_id"], ticks_revision=3)
    assert {"new": 1, "changed": 1, "removed": 1, "unticked": 3, "to_embed": 2}.items() <= job["result"].items()
    assert rows_of(database, "k1", "k3") == left_alone, "not one byte of them, nor of their vectors and items"
    assert road.keys() == {"k1": "advice 1", "k2": "other 2", "k3": "advice 3", "k6": "other 6"}


@pytest.mark.feature("M1")
def test_whoever_opens_the_link_sees_the_ticks_and_every_change_of_them_is_on_record(road: Road) -> None:
    road.import_sheet(sheet(1, 2))
    plan = road.preview(sheet(1, 2, 3, text="other {}"))
    road.tick(plan["plan_id"], matching={"change": "changed"})
    seen = {row["key"]: row["ticked"] for row in road.plan(plan["plan_id"])["rows"]}
    assert seen == {"k1": False, "k2": False, "k3": True}
    assert [row["key"] for row in road.plan(plan["plan_id"], ticked=False)["rows"]] == ["k1", "k2"]
    road.tick(plan["plan_id"], ticked=True, matching={"text": "other 2"})
    assert road.plan(plan["plan_id"])["unticked"]["changed"] == 1
    traces = road.get("/api/audit", object_id=plan["plan_id"])["items"]
    assert [(each["action"], each["after"]["ticked"], each["after"]["rows"]) for each in traces[:2]] == [
        ("tick_rows", True, {"changed": 1}),
        ("tick_rows", False, {"changed": 2}),
    ]


@pytest.mark.feature("M1")
def test_ticks_somebody_else_changed_are_refused_on_both_sides(road: Road, contents: Callable[..., dict[str, str]]) -> None:
    plan = road.preview(sheet(1, 2))
    road.tick(plan["plan_id"], positions=[1])
    before = contents("audit")
    late = road.tick(plan["plan_id"], positions=[2], ticks_revision=0)
    assert (late.status_code, late.json()["gate"]["reason_code"]) == (409, "changed_since_shown")
    apply = road.post_import(plan["plan_id"], ticks_revision=0)
    assert (apply.status_code, apply.json()["gate"]["reason_code"]) == (409, "changed_since_shown")
    assert contents("audit") == before


def test_ticks_cannot_change_under_an_import_nor_after_it(road: Road) -> None:
    plan = road.preview(sheet(1, 2))
    real, answers = road.works.operations[Operation.IMPORT], []

    def tick_first(context: JobContext) -> dict[str, object]:
        answers.append(road.tick(plan["plan_id"], positions=[1]).json()["gate"]["reason_code"])
        return real(context)

    road.works.operations[Operation.IMPORT] = tick_first
    assert road.apply(plan["plan_id"])["result"]["new"] == 2
    answers.append(road.tick(plan["plan_id"], positions=[1]).json()["gate"]["reason_code"])
    assert answers == ["operation_running", "plan_applied"]


def test_a_plan_with_nothing_ticked_has_nothing_to_do(road: Road) -> None:
    plan = road.preview(sheet(1, 2))
    road.tick(plan["plan_id"], matching={})
    refused = road.post_import(plan["plan_id"]).json()
    assert (refused["gate"]["reason_code"], "unticked" in refused["detail"]) == ("nothing_to_do", True)
    unsaid = road.api.put(f"/api/plans/{plan['plan_id']}/ticks", json={"ticked": False})
    assert unsaid.status_code == 422, "which rows has to be said"


@pytest.mark.feature("I4")
def test_the_guard_counts_only_removals_that_are_ticked(road: Road) -> None:
    road.import_sheet(sheet(*range(40)))
    plan = road.preview(sheet(*range(20, 40), 41), mode="mirror")
    assert plan["held_removals"] == 20
    positions = [row["position"] for row in road.plan(plan["plan_id"], change="removed")["rows"]]
    assert road.tick(plan["plan_id"], positions=positions[:5]).json()["held_removals"] == 15
    assert road.post_import(plan["plan_id"], approve_removals=14).json()["gate"]["reason_code"] == "removals_not_approved"
    assert road.tick(plan["plan_id"], positions=positions[5:10]).json()["held_removals"] == 0, "ten are no longer many"
    assert road.apply(plan["plan_id"])["result"]["removed"] == 10


@pytest.mark.feature("I5")
def test_errors_are_grouped_by_rule_counted_and_found_by_it(road: Road) -> None:
    plan = road.preview(BAD)
    assert {each["rule"]: each["rows"] for each in plan["rules"]} == {"key_empty": 2, "text_empty": 2}
    page = road.plan(plan["plan_id"], rule="text_empty")
    assert ([row["row"] for row in page["rows"]], page["matching"]) == ([3, 4], 2)
    assert road.plan(plan["plan_id"], rule="key_twice")["rows"] == []
    assert [row["key"] for row in road.plan(plan["plan_id"], text="fine", limit=2)["rows"]] == ["b", "c"]
    assert road.plan(plan["plan_id"], text="100%_no")["matching"] == 0


@pytest.mark.feature("I5")
def test_bad_rows_can_be_downloaded_with_what_is_wrong_and_how_to_mend_it(road: Road) -> None:
    plan = road.preview(BAD)
    path = f"/api/plans/{plan['plan_id']}/bad-rows"
    ticket = road.api.post("/api/tickets", json={"method": "GET", "path": path}).json()["ticket"]
    answer = road.api.get(path, params={"ticket": ticket}, headers={"Authorization": ""})
    assert answer.headers["content-type"].startswith("text/csv")
    lines = list(csv.reader(io.StringIO(answer.text)))
    assert lines[0] == ["row", "key", "text", "owner", "what is wrong", "how to mend it"]
    assert [line[:4] for line in lines[1:]] == [["2", "", "no key", "ann"], ["3", "a", "", "ann"], ["4", "", "", "ann"]]
    assert lines[1][4:] == ["key: The key is empty.", "Give the row a key no other row has."]
    assert lines[3][4] == "key: The key is empty. text: There is no text to embed."
    assert road.api.get("/api/plans/unknown/bad-rows").status_code == 404


@pytest.mark.feature("I3")
def test_what_moved_the_table_is_named(road: Road) -> None:
    road.import_sheet(sheet(1, 2, 3))
    mine = road.preview(sheet(9))
    road.import_sheet(sheet(1, 3, text="other {}"), mode="mirror")
    gate = road.post_import(mine["plan_id"]).json()["gate"]
    assert (gate["reason_code"], "touched 3 entries (k1, k2, k3)" in gate["reason_text"]) == ("plan_stale", True)


DISASTERS = {
    "the key column is empty": (csv_of(("", "a", ""), ("", "b", ""), ("", "c", "")), "key cannot be the key: of 3 rows it is empty in 3"),
    "the key column repeats": (csv_of(("x", "a", ""), ("x", "b", ""), ("x", "c", "")), "repeats another row's in 2"),
    "no row has a text": (csv_of(("k1", "", ""), ("k9", "", "")), "Not one of the 2 rows is valid"),
}


@pytest.mark.feature("I4", "I5")
@pytest.mark.parametrize("what", DISASTERS)
def test_a_sheet_that_cannot_be_meant_is_refused_as_a_whole(road: Road, contents: Callable[..., dict[str, str]], what: str) -> None:
    content, words = DISASTERS[what]
    road.fill(sheet(1, 2, 3))
    plan = road.preview(content, MAPPING, mode="mirror")
    before = contents("audit")
    answer = road.post_import(plan["plan_id"], approve_removals=3)
    assert (answer.status_code, answer.json()["gate"]["reason_code"]) == (409, "rows_unfit")
    assert words in answer.json()["detail"]
    assert contents("audit") == before
    assert road.plan(plan["plan_id"])["gate"]["reason_code"] == "rows_unfit", "the page says so before anybody presses"


COLUMNS = ("key", "title", "text", "owner", "team")
WIDE = {"key": "key", "text": ["title", "text"], "fields": ["owner", "team"]}


def wide(*rows: tuple[str, ...]) -> str:
    return csv_of(*rows, header=COLUMNS)


def cells_of(database: Database, key: str) -> dict[str, str]:
    with database.read() as connection:
        entry = connection.execute(sa.select(schema.entries).where(schema.entries.c.key == key)).one()
    return entry.texts | entry.fields | {"=": entry.text}


@pytest.mark.feature("M1")
def test_an_unticked_field_is_not_touched_and_every_other_is(road: Road, database: Database) -> None:
    road.fill(wide(("a", "t", "x", "ann", "red"), ("b", "t", "x", "ann", "red")), mapping=WIDE)
    plan = road.preview(wide(("a", "T", "X", "bob", "blue"), ("b", "T", "X", "bob", "blue")), WIDE)
    before = cells_of(database, "a")
    answer = road.tick(plan["plan_id"], positions=[1], columns=["text", "team"])
    assert answer.status_code == 200, answer.text
    assert (answer.json()["left_out_cells"], answer.json()["to_embed"]) == (2, 2)
    row = road.plan(plan["plan_id"])["rows"][0]
    assert (row["left_out"], row["text"], row["ticked"]) == (["team", "text"], "T\nx", True)
    assert {each["column"]: each["after"] for each in row["differences"]} == {"title": "T", "text": "X", "owner": "bob", "team": "blue"}
    job = road.apply(plan["plan_id"], ticks_revision=1)
    assert (job["result"]["changed"], job["result"]["to_embed"]) == (2, 2)
    after = cells_of(database, "a")
    assert {name: after[name] for name in ("text", "team")} == {name: before[name] for name in ("text", "team")}
    assert after == {"title": "T", "text": "x", "owner": "bob", "team": "blue"} | {"team": "red", "=": "T\nx"}
    assert cells_of(database, "b") == {"title": "T", "text": "X", "owner": "bob", "team": "blue", "=": "T\nX"}
    same = wide(("a", "T", "x", "bob", "red"), ("b", "T", "X", "bob", "blue"))
    assert road.preview(same, WIDE)["counts"]["unchanged"] == 2, "its hashes are those of what it holds now"
    road.api.post(f"/api/operations/import/{job['job_id']}/undo", json={})
    road.works.perform_all()
    assert cells_of(database, "a") == before


@pytest.mark.feature("M1", "I6")
def test_leaving_out_the_only_text_that_changed_leaves_nothing_to_embed(road: Road) -> None:
    road.fill(sheet(1, 2))
    plan = road.preview(csv_of(("k1", "other", "bob"), ("k2", "advice 2", "ann")))
    assert plan["to_embed"] == 1
    assert road.tick(plan["plan_id"], positions=[1], columns=["text"]).json()["to_embed"] == 0
    assert road.tick(plan["plan_id"], ticked=True, positions=[1], columns=["text"]).json()["to_embed"] == 1
    assert road.plan(plan["plan_id"])["rows"][0] == plan["rows"][0], "taken back, it is as it was"
    road.tick(plan["plan_id"], positions=[1], columns=["text"])
    assert road.apply(plan["plan_id"])["result"]["to_embed"] == 0
    assert road.embed() == []
    assert road.get("/api/entries")["items"][0]["fields"] == {"owner": "bob"}


@pytest.mark.feature("M1")
def test_a_row_nothing_is_left_of_is_an_unticked_one(road: Road) -> None:
    road.fill(sheet(1, 2))
    plan = road.preview(csv_of(("k1", "other", "bob"), ("k2", "other", "ann")))
    road.tick(plan["plan_id"], positions=[1], columns=["text"])
    head = road.tick(plan["plan_id"], positions=[1], columns=["owner"]).json()
    assert (head["unticked"]["changed"], head["left_out_cells"], head["to_embed"]) == (1, 0, 1)
    row = road.plan(plan["plan_id"])["rows"][0]
    assert (row["ticked"], row["left_out"], row["text"]) == (False, [], "other")
    head = road.tick(plan["plan_id"], ticked=True, positions=[1], columns=["owner"]).json()
    assert (head["unticked"]["changed"], head["left_out_cells"], head["to_embed"]) == (0, 1, 1), "as before the last click"
    assert road.tick(plan["plan_id"], ticked=True, positions=[1], columns=["text"]).json()["to_embed"] == 2
    traces = road.get("/api/audit", object_id=plan["plan_id"])["items"]
    assert [(each["after"].get("columns"), each["after"].get("cells"), each["after"]["rows"]) for each in traces[:3]] == [
        (["text"], 1, {}),
        (["owner"], 1, {"changed": 1}),
        (["owner"], 1, {"changed": 1}),
    ]


def test_columns_that_cannot_be_left_out_are_refused_and_change_nothing(road: Road, contents: Callable[..., dict[str, str]]) -> None:
    road.import_sheet(wide(("a", "t", "", "ann", "red")), WIDE)
    plan = road.preview(wide(("a", "", "X", "ann", "red"), ("new", "t", "x", "ann", "red")), WIDE)
    before = contents()
    for which in (
        {"positions": [1], "columns": ["owner"]},  # does not differ
        {"positions": [2], "columns": ["text"]},  # a new row
        {"positions": [1, 9], "columns": ["text"]},  # no such row
        {"positions": [1], "columns": []},
        {"matching": {}, "columns": ["text"]},
        {"positions": [1], "columns": ["text"]},  # would leave no text at all
    ):
        answer = road.api.put(f"/api/plans/{plan['plan_id']}/ticks", json={"ticked": False, **which})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid"), which
    assert "would have no text left" in answer.json()["detail"]
    assert contents() == before


@pytest.mark.feature("M1")
def test_a_column_the_sheet_no_longer_maps_can_stay(road: Road, database: Database) -> None:
    road.import_sheet(wide(("a", "t", "x", "ann", "red")), WIDE)
    plan = road.preview(wide(("a", "t", "X", "bob", "red")), {"key": "key", "text": ["text"], "fields": ["owner"]})
    assert {each["column"] for each in plan["rows"][0]["differences"]} == {"title", "text", "owner", "team"}
    road.tick(plan["plan_id"], positions=[1], columns=["team", "title"])
    road.apply(plan["plan_id"])
    assert cells_of(database, "a") == {"title": "t", "text": "X", "owner": "bob", "team": "red", "=": "X\nt"}
