"""A long seeded walk of imports, exports, undos and edits on both sides: the plan of an export always says whose edit is whose.

``SWITCHYARD_FAULT_SEED`` replays a walk; the seed stands in its failure.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from typing import Any

import pytest

from tests.emulator.server import Emulator
from tests.service.operations.sheet_world import MAPPING, TARGET, SheetWorld
from tests.service.road import Road, csv_of

SEED = int(os.environ.get("SWITCHYARD_FAULT_SEED") or random.SystemRandom().randrange(1_000_000))
STEPS = int(os.environ.get("SWITCHYARD_SHEET_STEPS", "24"))
COLUMNS = ("text", "owner")
Rows = dict[str, dict[str, str]]


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    emulator = Emulator().start()
    yield emulator
    emulator.stop()


class Walk:
    """What table, sheet and the last agreement hold, kept beside the real ones."""

    def __init__(self, world: SheetWorld, seed: int) -> None:
        self.world, self.dice = world, random.Random(seed)
        self.table: Rows = {}
        self.sheet: Rows = {}
        self.agreed: Rows = {}
        self.undoable: tuple[str, Rows, Rows, Rows] | None = None  # job, what it replaced, what it left, what was agreed before

    # Steps

    def edit_sheet(self) -> None:
        """Somebody changes a cell, or writes a new row."""
        key = f"k{self.dice.randrange(6)}"
        row = self.sheet.setdefault(key, {"text": self._value(), "owner": ""})
        row[self.dice.choice(COLUMNS)] = self._value()
        tab = self.world.tab
        place = [*(cells[0] for cells in tab.table())].index(key) if key in [cells[0] for cells in tab.table()] else len(tab.cells)
        for column, value in enumerate((key, row["text"], row["owner"])):
            tab.put(place, column, value)

    def edit_table(self) -> None:
        """An import of one row from a file."""
        key = f"k{self.dice.randrange(6)}"
        row = dict(self.table.get(key, {"text": self._value(), "owner": ""}))
        row[self.dice.choice(COLUMNS)] = self._value()
        if row != self.table.get(key):
            self.table[key] = row
            self.world.road.import_sheet(csv_of((key, row["text"], row["owner"])), MAPPING)

    def import_sheet(self) -> None:
        """The sheet's rows come into the table; sometimes a row or a column of one is left out."""
        answer = self.world.road.api.post("/api/operations/import/preview", json={"source": TARGET, "mapping": MAPPING})
        self.world.road.works.perform_all()
        plan = self.world.road.plan(answer.json()["plan_id"])
        if not plan["rows"]:
            return
        rows, columns = self._leave_out(plan)
        if plan["gate"]["allowed"] and not (len(plan["rows"]) == 1 and rows):
            job = self.world.road.apply(plan["plan_id"])
            assert job["state"] == "succeeded", job["error"]
            self._take_over(job["job_id"], rows, columns)

    def _leave_out(self, plan: dict[str, Any]) -> tuple[set[str], dict[str, str]]:
        row = self.dice.choice(plan["rows"])
        what = self.dice.random()
        if what < 0.15:
            assert self.world.road.tick(plan["plan_id"], positions=[row["position"]]).status_code == 200
            return {row["key"]}, {}
        if what < 0.7 and len(row["differences"]) == 2:
            column = self.dice.choice(COLUMNS)
            assert self.world.road.tick(plan["plan_id"], positions=[row["position"]], columns=[column]).status_code == 200
            return set(), {row["key"]: column}
        return set(), {}

    def _take_over(self, job_id: str, left_out: set[str], columns: dict[str, str]) -> None:
        before, agreed = {key: dict(row) for key, row in self.table.items()}, {key: dict(row) for key, row in self.agreed.items()}
        for key, row in self.sheet.items():
            if key in left_out:
                continue
            taken = {name: value for name, value in row.items() if name != columns.get(key)}
            kept = {name: value for name, value in agreed.get(key, {}).items() if name == columns.get(key)}
            self.table[key] = self.table.get(key, {}) | taken
            self.agreed[key] = taken | kept
        changed = {key for key, row in self.table.items() if before.get(key) != row}
        left = {key: dict(self.table[key]) for key in changed}
        self.undoable = job_id, {key: row for key, row in before.items() if key in changed}, left, agreed

    def export(self) -> None:
        """The table goes out; where both have edited, the sheet's stays, or the table's comes, as the dice say."""
        keep = self.dice.choice(("theirs", "theirs", "ours"))
        plan = self.world.preview() if self.table else None
        if plan is None or self.world.start(plan, keep=keep).status_code != 202:
            return
        self.world.road.works.perform_all()
        for key, row in self.table.items():
            there = self.sheet.get(key)
            for name, ours in row.items():
                change = decide(self.agreed.get(key, {}).get(name), ours, there[name]) if there else "add"
                if change in (None, "add", "change", "clear") or (change == "conflict" and keep == "ours"):
                    self.sheet.setdefault(key, {})[name] = ours
                    self.agreed.setdefault(key, {})[name] = ours

    def undo(self) -> None:
        """Take the last import of the sheet back: rows nobody has changed since."""
        if self.undoable is None:
            return
        job_id, before, left, agreed = self.undoable
        self.undoable = None
        assert self.world.road.api.post(f"/api/operations/import/{job_id}/undo", json={}).status_code == 202
        self.world.road.works.perform_all()
        for key, row in left.items():
            if self.table[key] == row:
                _put(self.table, key, before)
                _put(self.agreed, key, agreed)

    # Looking

    def check(self) -> None:
        """The sheet is as it should be, to the cell, and so is what the plan of an export says of every cell that differs."""
        said = {cells[0]: {"text": cells[1], "owner": (*cells, "", "")[2]} for cells in self.world.tab.table()[1:] if cells}
        assert said == self.sheet, "something of theirs was lost"
        if not self.table:
            return
        plan = self.world.preview()
        assert plan["state"] == "ready", plan["error"]
        found = {(row["key"], cell["column"]): cell["change"] for row in plan["rows"] for cell in row["cells"] if cell["column"] != "key"}
        assert found == self._expect()
        for key, row in self.table.items():  # what is the same on both sides when it is compared is agreed on
            if row == self.sheet.get(key):
                self.agreed[key] = dict(row)

    def _expect(self) -> dict[tuple[str, str], str]:
        expected = {}
        for key, row in self.table.items():
            there = self.sheet.get(key)
            for name, ours in row.items():
                change = decide(self.agreed.get(key, {}).get(name), ours, there[name] if there else "")
                if change:
                    expected[key, name] = change
        return expected

    def _value(self) -> str:
        return f"v{self.dice.randrange(4)}"


def _put(rows: Rows, key: str, former: Rows) -> None:
    if key in former:
        rows[key] = dict(former[key])
    else:
        rows.pop(key, None)


def decide(base: str | None, ours: str, theirs: str) -> str | None:
    """The rule in words: the same is nothing; only they edited: keep; only we: write; both, or nobody knows: ask."""
    if ours == theirs:
        return None
    if base == ours:
        return "keep"
    if theirs and base != theirs:
        return "conflict"
    if base is not None and base != theirs:
        return "conflict"
    return "add" if not theirs else "change" if ours else "clear"


@pytest.mark.feature("M13", "E4", "M2")
def test_whatever_came_before_an_export_knows_whose_edit_is_whose(road: Road, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    world = SheetWorld(road, emulator, monkeypatch)
    assert road.api.put("/api/settings/sheets.api_url", json={"value": emulator.url}).status_code == 200
    world.add_tab(["key", "text", "owner"])
    walk, steps = Walk(world, SEED), []
    choices = (walk.edit_sheet, walk.edit_sheet, walk.edit_table, walk.edit_table, walk.import_sheet, walk.export, walk.undo)
    try:
        for step in (walk.edit_sheet, walk.edit_sheet, walk.import_sheet, *(walk.dice.choice(choices) for _ in range(STEPS))):
            steps.append(step.__name__)
            step()
            walk.check()
    except BaseException as error:
        error.add_note(f"SWITCHYARD_FAULT_SEED={SEED}: {', '.join(steps)}")
        raise
