"""An import from a Google sheet is the base of the next export to it: whose edit is whose is known from the first time on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from lib.contract.states import Operation
from lib.service.operations import agreement, imports, sheet_exports
from lib.service.operations.runner import JobContext
from lib.service.storage import schema
from lib.service.storage.counters import next_revision
from tests.emulator.server import Emulator
from tests.service.operations.sheet_world import MAPPING, TARGET, Killed, SheetWorld
from tests.service.road import Road, csv_of

HEADER = ["key", "text", "owner"]
SHEET = [HEADER, ["a", "one", "ann"], ["b", "two", "ann"], ["c", "three", "ann"]]


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    emulator = Emulator().start()
    yield emulator
    emulator.stop()


@pytest.fixture
def world(road: Road, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> SheetWorld:
    world = SheetWorld(road, emulator, monkeypatch)
    assert road.api.put("/api/settings/sheets.api_url", json={"value": emulator.url}).status_code == 200
    world.add_tab(*([*cells] for cells in SHEET))
    return world


def preview(world: SheetWorld, mode: str = "merge") -> dict[str, Any]:
    body = {"source": TARGET, "mapping": MAPPING, "mode": mode}
    answer = world.road.api.post("/api/operations/import/preview", json=body)
    assert answer.status_code == 202, answer.text
    world.road.works.perform_all()
    plan = world.road.plan(answer.json()["plan_id"])
    assert plan["state"] == "ready", plan["error"]
    return plan


def take_in(world: SheetWorld, mode: str = "merge") -> dict[str, Any]:
    job = world.road.apply(preview(world, mode)["plan_id"])
    assert job["state"] == "succeeded", job["error"]
    return job


def table_says(world: SheetWorld, *rows: tuple[str, str, str]) -> None:
    """Edits on the table's side, by a file."""
    world.road.import_sheet(csv_of(*rows), MAPPING)


def questions(plan: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Key → column → what an export would do with the cell."""
    assert plan["state"] == "ready", plan["error"]
    return {row["key"]: {cell["column"]: cell["change"] for cell in row["cells"]} for row in plan["rows"]}


def agreed(world: SheetWorld) -> list[Any]:
    with world.road.works.database.read() as connection:
        return list(connection.execute(sa.select(schema.agreements).order_by(schema.agreements.c.sheet, schema.agreements.c.key)).all())


@pytest.mark.feature("M13", "E4")
def test_edits_of_both_sides_since_the_import_merge_without_a_question_in_the_first_export(world: SheetWorld) -> None:
    take_in(world)
    table_says(world, ("a", "ONE", "ann"))
    world.tab.put(1, 2, "bob")
    world.tab.put(2, 1, "TWO")
    plan = world.preview()
    assert questions(plan) == {"a": {"text": "change", "owner": "keep"}, "b": {"text": "keep"}}
    assert plan["counts"]["conflict"] == 0
    assert world.write(plan)["state"] == "succeeded"
    assert world.tab.table()[1:] == [["a", "ONE", "bob"], ["b", "TWO", "ann"], ["c", "three", "ann"]]
    take_in(world)
    assert world.preview()["counts"]["rows"] == 0, "and the way back brings theirs into the table"


@pytest.mark.feature("M13", "E4")
def test_only_a_cell_both_sides_edited_since_the_import_is_a_question(world: SheetWorld) -> None:
    take_in(world)
    table_says(world, ("a", "ours", "ann"), ("b", "TWO", "ann"))
    world.tab.put(1, 1, "theirs")
    plan = world.preview()
    assert questions(plan) == {"a": {"text": "conflict"}, "b": {"text": "change"}}
    assert plan["rows"][0]["cells"][0] == {"column": "text", "base": "one", "ours": "ours", "theirs": "theirs", "change": "conflict"}


@pytest.mark.feature("M13")
def test_rows_the_sheet_holds_unchanged_are_agreed_on_too_and_rows_one_side_lets_go_are_known(world: SheetWorld) -> None:
    table_says(world, ("a", "one", "ann"), ("b", "two", "ann"), ("c", "three", "ann"))
    assert world.road.post_import(preview(world)["plan_id"]).json()["gate"]["reason_code"] == "nothing_to_do"
    world.tab.put(3, 1, "THREE")
    take_in(world)
    world.road.import_sheet(csv_of(("b", "two", "ann"), ("c", "three again", "ann")), MAPPING, "mirror", approve_removals=9)
    world.tab.cells.pop(2)  # b
    assert questions(world.preview()) == {
        "a": dict.fromkeys(HEADER, "clear"),
        "b": dict.fromkeys(HEADER, "conflict"),
        "c": {"text": "change"},
    }


@pytest.mark.feature("M13", "E4")
def test_rows_that_are_the_same_when_they_are_compared_are_agreed_on_without_an_import(world: SheetWorld) -> None:
    table_says(world, ("a", "one", "ann"), ("b", "other", "ann"))
    assert questions(world.preview()) == {"b": {"text": "conflict"}}
    table_says(world, ("a", "ONE", "ann"), ("b", "OTHER", "ann"))
    assert questions(world.preview()) == {"a": {"text": "change"}, "b": {"text": "conflict"}}


@pytest.mark.feature("M13")
def test_a_comparison_the_table_overtook_agrees_on_nothing(world: SheetWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    table_says(world, ("a", "one", "ann"))
    real = sheet_exports._describe

    def overtaken(seen: Any) -> Any:
        with world.road.works.database.write() as connection:
            next_revision(connection, "table_revision")
        return real(seen)

    monkeypatch.setattr(sheet_exports, "_describe", overtaken)
    assert world.preview()["state"] == "stale"
    assert agreed(world) == []


@pytest.mark.feature("M13", "M1")
def test_a_row_the_import_left_out_stays_a_question(world: SheetWorld) -> None:
    table_says(world, ("a", "ours", "ann"))
    world.tab.put(2, 1, "")  # b is invalid
    plan = preview(world)
    position = next(row["position"] for row in plan["rows"] if row["key"] == "a")
    world.road.tick(plan["plan_id"], positions=[position])
    assert world.road.apply(plan["plan_id"])["state"] == "succeeded"
    assert [row.key for row in agreed(world)] == ["c"]
    assert questions(world.preview()) == {"a": {"text": "conflict"}}


@pytest.mark.feature("M13", "M1")
def test_a_field_the_import_left_out_keeps_what_was_agreed_before(world: SheetWorld) -> None:
    take_in(world)
    world.tab.put(1, 1, "ONE")
    world.tab.put(1, 2, "bob")
    plan = preview(world)
    assert world.road.tick(plan["plan_id"], positions=[plan["rows"][0]["position"]], columns=["text"]).status_code == 200
    assert world.road.apply(plan["plan_id"])["state"] == "succeeded"
    assert [row.cells for row in agreed(world) if row.key == "a"] == [{"text": "one", "owner": "bob"}]
    assert questions(world.preview()) == {"a": {"text": "keep"}}, "theirs, as it was before the import"


@pytest.mark.feature("M13", "M2")
def test_an_undo_takes_back_what_the_import_agreed_on_and_only_that(world: SheetWorld) -> None:
    take_in(world)
    before = agreed(world)
    world.tab.put(1, 1, "ONE")
    world.tab.cells.append(["d", "four", "ann"])
    was = questions(world.preview())
    job = take_in(world)
    assert agreed(world) != before
    assert questions(world.preview()) == {}
    answer = world.road.api.post(f"/api/operations/import/{job['job_id']}/undo", json={})
    assert answer.status_code == 202, answer.text
    world.road.works.perform_all()
    assert agreed(world) == before
    assert questions(world.preview()) == was == {"a": {"text": "keep"}}


@pytest.mark.feature("M13", "X3")
def test_an_import_that_is_cancelled_or_dies_leaves_no_agreement_and_a_second_attempt_the_whole_one(
    world: SheetWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agreement, "BATCH_ROWS", 1)
    plan = preview(world)
    job_id = world.road.post_import(plan["plan_id"]).json()["job_id"]
    real, staged = imports._commit, []

    def die(*arguments: Any) -> Any:
        staged.append(agreed(world))
        raise Killed

    monkeypatch.setattr(imports, "_commit", die)
    with pytest.raises(Killed):
        world.road.works.perform(job_id)
    assert [row.key for row in staged[0]] == ["a", "b", "c"]
    world.road.api.post(f"/api/jobs/{job_id}/cancel")
    world.road.works.runner("operations-2").perform_job(job_id)
    assert (world.road.job(job_id)["state"], agreed(world)) == ("cancelled", [])
    monkeypatch.setattr(imports, "_commit", real)
    take_in(world)
    world.road.works.operations[Operation.IMPORT] = _dying_once(world.road.works.operations[Operation.IMPORT])
    world.tab.put(1, 1, "ONE")
    second = world.road.post_import(preview(world)["plan_id"]).json()["job_id"]
    with pytest.raises(Killed):  # after the commit, before anybody heard of it
        world.road.works.perform(second)
    world.road.works.runner("operations-3").perform_job(second)
    assert world.road.job(second)["state"] == "succeeded"
    assert [(row.key, row.cells["text"]) for row in agreed(world)] == [("a", "ONE"), ("b", "two"), ("c", "three")]


def _dying_once(real: Any) -> Any:
    left = [1]

    def perform(context: JobContext) -> Any:
        answer = real(context)
        if left.pop() if left else 0:
            raise Killed
        return answer

    return perform


@pytest.mark.feature("M13")
def test_an_export_that_died_before_it_could_say_so_counts_before_the_import_that_follows(world: SheetWorld) -> None:
    take_in(world)
    table_says(world, ("a", "ONE", "ann"))
    plan = world.preview()
    world.calls = 0
    job_id = world.start(plan).json()["job_id"]
    world.road.works.perform(job_id)
    assert world.road.job(job_id)["state"] == "succeeded"
    late = [tuple(row) for row in agreed(world)]
    with world.road.works.database.write() as connection:  # as if its worker had died right after the one change
        connection.execute(sa.update(schema.agreements).values(sheet=job_id))
    world.tab.put(2, 1, "TWO")
    take_in(world)
    assert {row.key: row.cells["text"] for row in agreed(world)} == {"a": "ONE", "b": "TWO", "c": "three"}
    assert len({row.sheet for row in agreed(world)}) == 1 == len({sheet for sheet, *_ in late})
    assert world.preview()["counts"]["conflict"] == 0
