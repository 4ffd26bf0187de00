"""Whatever call of an export fails, and wherever its worker dies: the tab holds all of the old or all of the new, never anything else.

``make faults`` runs the long campaign: SWITCHYARD_SHEET_FAULTS=200.
"""

from __future__ import annotations

import copy
import os
import random
from collections.abc import Iterator
from typing import Any

import pytest

from lib.service.operations.runner import Cancelled
from lib.service.storage.database import Database
from tests.emulator.server import Call, Emulator, Fault
from tests.emulator.workbook import Formula, Tab
from tests.service.operations.sheet_world import SheetWorld, foreign, raw
from tests.service.road import Road

RUNS = int(os.environ.get("SWITCHYARD_SHEET_FAULTS", "10"))
OURS = {"key", "text", "owner"}
KINDS = ("429", "503", "drop", "commit_then_503", "commit_then_drop")
#: A clean export of this small sheet takes about this many calls.
CALLS = 14


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    emulator = Emulator().start()
    yield emulator
    emulator.stop()


@pytest.fixture
def world(road: Road, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> SheetWorld:
    return SheetWorld(road, emulator, monkeypatch)


class Campaign:
    """One start that every run goes back to: an exported sheet, edited by others, and a table that has moved on."""

    def __init__(self, world: SheetWorld) -> None:
        self.world = world
        tab = world.add_tab(["note", "key", "text", "sum"], [1, "a", "one", Formula("=C2", "one")], ["x", "b", "two"])
        world.fill(a="one", b="two", c="three", d="four")
        assert world.write()["state"] == "succeeded"
        tab.put(2, 0, "theirs")
        tab.put(4, 2, "edited by them")
        tab.put(6, 0, Formula("=SUM(A1:A5)", 9))
        tab.formats[1, 2] = {"textFormat": {"bold": True}}
        world.fill(a="ONE", b="two", d="four", e="five", f="=six")
        self.agreed = self._agreements()
        self.start: Tab = copy.deepcopy(tab)
        self.old = raw(tab)
        assert world.write()["state"] == "succeeded"
        self.new = raw(tab)
        assert self.old != self.new
        assert self._others_kept(tab)
        self.seen_half: list[Any] = []

    def _others_kept(self, tab: Tab) -> bool:
        before = foreign(self.start, OURS)
        return foreign(tab, OURS)[: len(before)] == before

    def _agreements(self) -> list[Any]:
        with self.world.road.works.database.read() as connection:
            return list(connection.exec_driver_sql("SELECT sheet, key, cells FROM agreements").all())

    def go_back(self) -> None:
        """Sheet and agreements as they were; the table has not moved."""
        self.world.kill_at, self.world.before_call = None, lambda _: None
        self.world.emulator.on_call = lambda _: None
        book = self.world.emulator.books["book-0123456789"]
        book.tabs = [tab for tab in book.tabs if not tab.title.startswith("__")]
        self.world.tab.__dict__.update(copy.deepcopy(self.start).__dict__)
        with self.world.road.works.database.write() as connection:
            connection.exec_driver_sql("DELETE FROM agreements")
            connection.exec_driver_sql("INSERT INTO agreements (sheet, key, cells) VALUES (?, ?, ?)", [tuple(row) for row in self.agreed])

    def run(self, faults: dict[int, Fault], kill_at: tuple[int, bool] | None) -> dict[str, Any]:
        """One export with these calls going wrong, numbered from its first; the ended job."""
        self.go_back()
        plan = self.world.preview()
        first = len(self.world.emulator.calls)

        def on_call(call: Call) -> Fault | None:
            if raw(self.world.tab) not in (self.old, self.new):
                self.seen_half.append(raw(self.world.tab))
            return faults.get(call.number - first)

        self.world.emulator.on_call = on_call
        self.world.calls, self.world.kill_at = 0, kill_at
        job_id = self.world.start(plan).json()["job_id"]
        return self.world.perform_until_it_ends(job_id)

    def check(self, job: dict[str, Any], what: object) -> None:
        """Old or new, and after one undisturbed export new; nobody else's cell differs, and nothing is left behind."""
        now = raw(self.world.tab)
        assert not self.seen_half, what
        assert now in (self.old, self.new), what
        if job["state"] == "succeeded":
            assert now == self.new, what
        else:
            assert job["state"] == "failed", (what, job)
            assert job["error"]["code"] in ("sheets_unreachable", "sheets_quota"), (what, job["error"])
        assert self._others_kept(self.world.tab), what
        assert self.world.tab.formats == self.start.formats, what
        self.world.emulator.on_call, self.world.kill_at = lambda _: None, None
        plan = self.world.preview()
        if now == self.old:
            assert self.world.write(plan)["state"] == "succeeded", what
            plan = self.world.preview()
        assert raw(self.world.tab) == self.new, what
        assert self.world.start(plan).json()["gate"]["reason_code"] == "nothing_to_do", (what, plan["rows"])
        assert plan["counts"]["conflict"] == 0, (what, "the agreement was lost")


def make_run(seed: int) -> tuple[dict[int, Fault], tuple[int, bool] | None]:
    """Up to three bursts of faults, short ones that patience outlasts and long ones that it does not, and perhaps a kill."""
    dice = random.Random(seed)
    faults: dict[int, Fault] = {}
    for _ in range(dice.randint(0, 3)):
        start, kind, length = dice.randrange(CALLS + 4), dice.choice(KINDS), dice.choice((1, 1, 1, 2, 3, 6))
        faults |= {start + place: Fault(kind) for place in range(length)}
    kill = (dice.randint(1, CALLS), dice.random() < 0.5) if dice.random() < 0.5 or not faults else None
    return faults, kill


@pytest.mark.feature("E3", "E7")
def test_any_fault_at_any_call_leaves_the_old_tab_or_the_new_one(world: SheetWorld, database: Database) -> None:
    campaign = Campaign(world)
    ends = set()
    for seed in range(RUNS):
        faults, kill = make_run(seed)
        job = campaign.run(faults, kill)
        campaign.check(job, (seed, faults, kill))
        ends.add(job["state"])
    assert ends == {"succeeded", "failed"}, "a campaign that only ever succeeds or fails proves little"


@pytest.mark.feature("E3")
def test_a_worker_that_dies_before_or_after_any_call_is_outlived(world: SheetWorld) -> None:
    campaign = Campaign(world)
    job = campaign.run({}, None)
    calls = world.calls
    assert calls <= CALLS
    chosen = range(1, calls + 1) if RUNS > 100 else (calls - 5, calls)
    for number in chosen:
        for before in (True, False):
            job = campaign.run({}, (number, before))
            assert job["state"] == "succeeded", (number, before, job["error"])
            campaign.check(job, (number, before))


@pytest.mark.feature("E3", "E7")
def test_one_fault_at_any_call_is_outlived_and_nothing_is_doubled(world: SheetWorld) -> None:
    campaign = Campaign(world)
    campaign.run({}, None)
    calls = world.calls
    for kind in KINDS:
        for number in range(calls) if RUNS > 100 else (calls - 1,):
            job = campaign.run({number: Fault(kind)}, None)
            assert job["state"] == "succeeded", (number, kind, job["error"])
            campaign.check(job, (number, kind))


@pytest.mark.feature("E3")
def test_a_cancel_that_comes_after_the_one_change_was_made_does_not_deny_it(world: SheetWorld, emulator: Emulator) -> None:
    tab = world.add_tab(["key", "text", "owner"], ["a", "one", "ann"])
    world.fill(a="one", b="two")
    plan = world.preview()
    changes: list[int] = []

    def lose_its_answer(call: Call) -> Fault | None:
        if any("copyPaste" in each for each in call.body.get("requests", ())):
            changes.append(world.calls)
            return Fault("commit_then_503")
        return None

    def cancel_the_look_that_follows(number: int) -> None:
        if changes and number == changes[0] + 1:
            raise Cancelled

    emulator.on_call, world.before_call = lose_its_answer, cancel_the_look_that_follows
    job = world.write(plan)
    assert tab.table()[1:] == [["a", "one", "ann"], ["b", "two", "ann"]]
    assert (job["state"], job["result"]["add"]) == ("succeeded", 3)
    assert world.staging_tabs() == []
