"""Google's quota during an export: the wait is counted down in public, goes on by itself, and can be called off."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lib.contract.jobs import QUOTA_WAIT
from lib.service.operations import runner, sheet_exports
from tests.emulator.server import Call, Emulator, Fault
from tests.service.operations.sheet_world import SheetWorld, raw
from tests.service.road import Road

#: Before a world puts a connection without waits in its place.
CONNECT = sheet_exports.connect_sheets
SECONDS = 7


class Clock:
    """Time that passes only by waiting; ``at_wait`` hears of each piece of it."""

    def __init__(self) -> None:
        self.seconds = 1000.0  # long after the last word a job can have said
        self.at_wait: Callable[[], None] = lambda: None

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        self.at_wait()


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    emulator = Emulator().start()
    yield emulator
    emulator.stop()


@pytest.fixture
def world(road: Road, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> SheetWorld:
    world = SheetWorld(road, emulator, monkeypatch)
    monkeypatch.setattr(sheet_exports, "connect_sheets", CONNECT)
    assert road.api.put("/api/settings/sheets.api_url", json={"value": emulator.url}).status_code == 200
    return world


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(runner, "time", clock)
    return clock


def use_up_the_quota(emulator: Emulator) -> None:
    """The next call that writes is refused, once."""
    refused: list[Call] = []

    def on_call(call: Call) -> Fault | None:
        if call.kind == "read" or refused:
            return None
        refused.append(call)
        return Fault("429", retry_after=SECONDS)

    emulator.on_call = on_call


@pytest.mark.feature("E7")
def test_a_wait_for_quota_is_counted_down_in_public_and_no_row_is_written_twice(world: SheetWorld, clock: Clock) -> None:
    tab = world.add_tab()
    world.fill(a="one", b="two")
    job_id = world.start(world.preview()).json()["job_id"]
    use_up_the_quota(world.emulator)
    phases: list[str] = []
    clock.at_wait = lambda: phases.append(progress_of(world, job_id)["phase"])
    world.road.works.perform_all()
    assert list(dict.fromkeys(phases)) == [f"{QUOTA_WAIT}: {left} s" for left in range(SECONDS, 0, -1)]
    assert world.road.job(job_id)["state"] == "succeeded"
    assert tab.table() == [["key", "text", "owner"], ["a", "one", "ann"], ["b", "two", "ann"]]


@pytest.mark.feature("E7", "E3")
def test_an_export_that_waits_for_quota_can_be_called_off_and_leaves_the_sheet_as_it_was(world: SheetWorld, clock: Clock) -> None:
    tab = world.add_tab(["key", "text", "owner", "note"], ["a", "one", "ann", "mine"])
    world.fill(a="one", b="two")
    before = raw(tab)
    plan = world.preview()
    job_id = world.start(plan).json()["job_id"]
    use_up_the_quota(world.emulator)
    began = clock.seconds
    clock.at_wait = lambda: world.road.api.post(f"/api/jobs/{job_id}/cancel", json={})
    world.road.works.perform_all()
    assert world.road.job(job_id)["state"] == "cancelled"
    assert clock.seconds < began + SECONDS, "it does not wait for the quota first"
    assert raw(tab) == before
    assert world.staging_tabs() == []
    clock.at_wait = lambda: None
    assert world.write(plan)["state"] == "succeeded", "the same plan is written later"
    assert tab.table()[1:] == [["a", "one", "ann", "mine"], ["b", "two", "ann"]]


def progress_of(world: SheetWorld, job_id: str) -> dict[str, Any]:
    progress: dict[str, Any] = world.road.job(job_id)["progress"]
    return progress
