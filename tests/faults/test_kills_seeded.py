"""A seeded campaign of kills: any operation, any process, any moment. The seed stands in the test's name and can be replayed:

``SWITCHYARD_FAULT_SEED=… SWITCHYARD_FAULT_KILLS=… pytest tests/faults/test_kills_seeded.py`` (``make faults`` kills 200 times).
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from lib.client.errors import ClientError
from lib.contract.inspections import GoBackRequest, InspectRequest, RestoreRequest, SnapshotSource
from lib.contract.maps import MapRequest
from tests.faults.console import Console
from tests.faults.invariants import assert_map_is_whole, assert_whole
from tests.faults.road import (
    Sheet,
    import_sheet,
    job_of,
    start_export,
    start_import,
    start_preview,
    start_renewal,
    start_snapshot,
    start_undo,
    wait_drained,
    wait_job,
    wait_plan,
    wait_searchable,
)
from tests.faults.seed import choose_seed
from tests.faults.strike import VICTIMS, Strike

pytestmark = pytest.mark.faults

KILLS = int(os.environ.get("SWITCHYARD_FAULT_KILLS", "6"))
SEED = choose_seed("SWITCHYARD_FAULT_SEED")


class Campaign:
    """Operations, each with a kill somewhere on its way; afterwards the table is what ``sheet`` says."""

    def __init__(self, console: Console, seed: int) -> None:
        self.console, self.chance = console, random.Random(seed)
        self.sheet = Sheet(rows=5000, seed=seed)
        self.operations: tuple[Callable[[Callable[..., None]], None], ...] = (
            self.preview,
            self.apply,
            self.export,
            self.refresh,
            self.rebuild,
            self.snapshot,
            self.restore,
            self.undo,
            self.check,
            self.lay_out,
            self.renew,
            self.go_back,
        )

    def round(self) -> None:
        """One operation, one kill, everything whole again."""
        operation, victim, moment = self.chance.choice(self.operations), self.chance.choice(VICTIMS), self.chance.random()
        strike = Strike(self.console, victim)

        def kill(job_id: str | None = None, *, within: float = 1.0) -> None:
            time.sleep(moment * within)
            strike.now(job_id)

        try:
            operation(kill)
            wait_searchable(self.console)
            assert_whole(self.console, self.sheet, seed=self.chance.randrange(1000))
        except BaseException as error:
            error.add_note(f"in {operation.__name__}, {victim} killed at {moment:.3f}")
            raise

    def preview(self, kill: Callable[..., None]) -> None:
        self.sheet.edit(1500)
        plan_id = start_preview(self.console, self.sheet)
        kill(job_of(self.console, "preview"))
        wait_plan(self.console, plan_id)
        wait_job(self.console, start_import(self.console, plan_id))

    def apply(self, kill: Callable[..., None]) -> None:
        self.sheet.edit(3000)
        plan_id = start_preview(self.console, self.sheet)
        wait_plan(self.console, plan_id)
        job_id = start_import(self.console, plan_id)
        kill(job_id, within=3)  # as it is applied, as the queue drains, or as the index refreshes
        wait_job(self.console, job_id)

    def export(self, kill: Callable[..., None]) -> None:
        job_id = start_export(self.console)
        kill(job_id, within=0.7)
        result = wait_job(self.console, job_id).result
        assert result is not None
        self.console.client.download_export(result["export_id"], self.console.data_dir.parent / "export.csv")

    def rebuild(self, kill: Callable[..., None]) -> None:
        job_id = self.console.client.start_rebuild()
        kill(job_id, within=0.7)
        wait_job(self.console, job_id)

    def refresh(self, kill: Callable[..., None]) -> None:
        self.console.client.put_setting("index.refresh", "manual")
        self.sheet.edit(500)
        plan_id = start_preview(self.console, self.sheet)
        wait_plan(self.console, plan_id)
        wait_job(self.console, start_import(self.console, plan_id))
        wait_drained(self.console)
        job_id = self.console.client.start_refresh()
        kill(job_id, within=0.7)
        wait_job(self.console, job_id)
        self.console.client.put_setting("index.refresh", "automatic")

    def snapshot(self, kill: Callable[..., None]) -> None:
        job_id = start_snapshot(self.console)
        kill(job_id, within=0.7)
        wait_job(self.console, job_id)

    def restore(self, kill: Callable[..., None]) -> None:
        taken = wait_job(self.console, start_snapshot(self.console)).result
        assert taken is not None
        self.sheet.edit(300)
        import_sheet(self.console, self.sheet)
        source = InspectRequest(source=SnapshotSource(snapshot_id=taken["snapshot_id"]))
        inspection_id = self.console.client.start_inspection(source)
        wait_job(self.console, inspection_id)
        job_id = self.console.client.start_restore(RestoreRequest(inspection_id=inspection_id, typed_name=taken["name"]))
        kill(job_id, within=0.7)
        wait_job(self.console, job_id)  # the refresh that follows brings the restored one in line with the table

    def go_back(self, kill: Callable[..., None]) -> None:
        wait_job(self.console, self.console.client.start_rebuild())
        offer = self.console.client.get_go_back()

        def press() -> bool:
            try:
                return self.console.client.go_back(GoBackRequest(expected=offer.served)).served == offer.previous
            except ClientError:
                return False

        with ThreadPoolExecutor(2) as tabs:
            pressed = [tabs.submit(press) for _ in range(2)]
            kill(within=0.1)
        assert sum(each.result() for each in pressed) <= 1, "the second of two tabs is told that it has changed since"
        assert self.console.client.get_go_back().served in (offer.served, offer.previous)
        wait_job(self.console, self.console.client.start_rebuild())  # until somebody asks, nothing is taken in

    def undo(self, kill: Callable[..., None]) -> None:
        before = dict(self.sheet.texts)
        self.sheet.edit(1000)
        import_sheet(self.console, self.sheet)
        job_id = start_undo(self.console, job_of(self.console, "import"))
        kill(job_id, within=0.7)
        wait_job(self.console, job_id)
        self.sheet.texts = before

    def check(self, kill: Callable[..., None]) -> None:
        job_id = self.console.client.start_check()
        kill(job_id, within=0.7)
        wait_job(self.console, job_id)
        found = self.console.client.get_check().latest
        assert found is not None
        assert (found.check_id, found.drift.total) == (job_id, 0)

    def lay_out(self, kill: Callable[..., None]) -> None:
        job_id = self.console.client.start_map(MapRequest(layout="fine", anew=True))
        kill(job_id, within=3)
        wait_job(self.console, job_id)
        assert assert_map_is_whole(self.console) == job_id

    def renew(self, kill: Callable[..., None]) -> None:
        wait_job(self.console, map_id := self.console.client.start_map(MapRequest()))
        job_id = start_renewal(self.console, map_id)
        kill(job_id)  # as the rows are put into the queue, or as they are embedded
        result = wait_job(self.console, job_id).result
        assert result is not None
        assert (result["done"], result["skipped"]) == (len(self.sheet.texts), 0)


@pytest.mark.parametrize("seed", [SEED], ids=lambda seed: f"seed={seed}")
def test_nothing_is_lost_or_doubled_over_random_kills(console: Console, seed: int) -> None:
    campaign = Campaign(console, seed)
    import_sheet(console, campaign.sheet)
    for number in range(1, KILLS + 1):
        try:
            campaign.round()
        except BaseException as error:
            error.add_note(f"kill {number} of SWITCHYARD_FAULT_SEED={seed}")
            raise
