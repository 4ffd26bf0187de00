"""kill −9 of the operations worker, a real process, at the calls of an export to a Google sheet on the emulator.

The short form kills a few times, seeded; ``make faults`` sets SWITCHYARD_SHEET_KILLS=all: before and after every single call.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from typing import Any

import pytest

from lib.contract.credentials import CredentialsChange
from lib.contract.export_plans import ExportPlan, ExportPreviewRequest
from lib.contract.exports import ExportRequest, SheetTarget
from lib.contract.imports import FileSource, ImportRequest, PreviewRequest, SheetSource, Source
from lib.contract.operations import Reason
from lib.contract.states import CredentialKind, PlanState
from tests.emulator.server import Call, Emulator, Fault
from tests.emulator.workbook import Cell, Formula
from tests.faults.console import Console, until
from tests.faults.road import MAPPING, wait_job, wait_plan
from tests.faults.seed import choose_seed
from tests.service.operations.sheet_world import BOOK, TARGET, foreign, raw
from tests.service.road import csv_of

pytestmark = pytest.mark.faults

ALL = os.environ.get("SWITCHYARD_SHEET_KILLS") == "all"
SEED = choose_seed("SWITCHYARD_FAULT_SEED")
OURS = {"key", "text", "owner"}
#: The number of a call, counted from the last death, or None for the one change of the tab; and whether it still reaches Google.
Kill = tuple[int | None, bool]


class Exports:
    """A table that moves on, a sheet that others work in, and exports from the one to the other with kills on their way."""

    def __init__(self, console: Console, emulator: Emulator) -> None:
        self.console, self.emulator, self.rounds = console, emulator, 0
        rows: list[list[Cell]] = [["note", "key", "text", "sum", "owner"], [1, "a", "one", Formula("=C2", "one"), "ann"]]
        emulator.add_book(BOOK, {"Other": [["theirs"]], "Knowledge": [*rows, ["x", "b", "two", None, "ann"]]})
        emulator.books[BOOK].tab("Knowledge").formats[1, 2] = {"textFormat": {"bold": True}}
        console.client.put_setting("sheets.api_url", emulator.url)
        key = json.dumps(emulator.add_account())
        console.client.put_credentials(CredentialsChange(kind=CredentialKind.GOOGLE, content=key))
        self.take_in(SheetSource.model_validate(TARGET))

    @property
    def tab(self) -> Any:
        return self.emulator.books[BOOK].tab("Knowledge")

    def fill(self, texts: dict[str, str]) -> None:
        """The table holds these texts."""
        upload = self.console.client.upload_file("sheet.csv", csv_of(*((key, text, "ann") for key, text in texts.items())).encode())
        self.take_in(FileSource(upload_id=upload.upload_id))

    def take_in(self, source: Source) -> None:
        """Import it."""
        plan_id = self.console.client.preview_import(PreviewRequest(source=source, mapping=MAPPING))
        wait_plan(self.console, plan_id)
        wait_job(self.console, self.console.client.start_import(ImportRequest(plan_id=plan_id)))

    def preview(self) -> ExportPlan:
        """The plan of an export as things are."""
        client = self.console.client
        plan_id = client.preview_export(ExportPreviewRequest(target=SheetTarget.model_validate(TARGET)))
        until(lambda: client.get_export_plan(plan_id).state is not PlanState.BUILDING, what="the plan of the export")
        plan = client.get_export_plan(plan_id)
        assert plan.state is PlanState.READY, plan.error
        return plan

    def export(self, *kills: Kill) -> int:
        """Our texts change, so does a cell of theirs; then an export that dies so often, until it is through: its calls since then."""
        self.rounds += 1
        texts = {"a": f"one {self.rounds}", "b": f"=two {self.rounds}", f"new {self.rounds}": "more"}
        self.fill(texts)
        self.tab.put(2, 0, f"theirs {self.rounds}")
        plan = self.preview()
        assert plan.counts.conflict == 0
        old, new = raw(self.tab), self._expect(texts)
        strikes = Strikes(self, kills, (old, new))
        self.emulator.on_call = strikes.on_call
        job_id = self.console.client.start_export(ExportRequest(target=plan.target, plan_id=plan.plan_id))
        job = wait_job(self.console, job_id, seconds=90)
        self.emulator.on_call = lambda _: None
        assert not strikes.left, f"it never came to {strikes.left}"
        assert strikes.seen_half == [], kills
        assert raw(self.tab) == new, (kills, job)
        assert [tab.title for tab in self.emulator.books[BOOK].tabs] == ["Other", "Knowledge"], "nothing of the staging is left"
        assert raw(self.emulator.books[BOOK].tab("Other")) == [["theirs"]]
        assert self.tab.formats[1, 2] == {"textFormat": {"bold": True}}
        gate = self.preview().gate
        assert gate is not None
        assert gate.reason_code is Reason.NOTHING_TO_DO, "what both agreed on is known"
        return strikes.number

    def _expect(self, texts: dict[str, str]) -> list[list[Cell]]:
        """The tab with our texts in it, and all else, byte for byte, as it is."""
        rows = [list(row) for row in raw(self.tab)]
        for key, text in texts.items():
            known = next((row for row in rows[1:] if row[1] == key), None)
            if known is None:
                rows.append([None, key, text, None, "ann"])
            else:
                known[2] = text
        return rows


class Strikes:
    """Looks at the tab with every call, and kills the worker at those it was told."""

    def __init__(self, exports: Exports, kills: tuple[Kill, ...], whole: tuple[Any, Any]) -> None:
        self.exports, self.left, self.whole = exports, list(kills), whole
        self.number, self.seen_half = 0, list[Any]()
        self.theirs = foreign(exports.tab, OURS)

    def on_call(self, call: Call) -> Fault | None:
        self.number += 1
        now = raw(self.exports.tab)
        if now not in self.whole or foreign(self.exports.tab, OURS)[: len(self.theirs)] != self.theirs:
            self.seen_half.append(now)
        commits = "createDeveloperMetadata" in json.dumps(call.body)
        if not self.left or self.left[0][0] not in (self.number, None) or (self.left[0][0] is None and not commits):
            return None
        _, reaches_google = self.left.pop(0)
        self.number = 0
        self.exports.console.kill9("operations-1")
        return Fault("commit_then_drop" if reaches_google else "drop")


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exports]:
    """A console, and Google's place on loopback."""
    console = Console(tmp_path_factory.mktemp("sheet_kills") / "data", environment={"SWITCHYARD_WORKERS": "1"})
    emulator = Emulator().start()
    try:
        yield Exports(console.start(), emulator)
    finally:
        console.sweep()
        emulator.stop()


@pytest.mark.feature("E3")
def test_a_worker_killed_at_any_call_of_an_export_leaves_the_old_tab_or_the_new_one(exports: Exports) -> None:
    calls = exports.export()
    assert 8 < calls < 40
    if ALL:
        for number in range(1, calls + 1):
            for reaches_google in (False, True):
                exports.export((number, reaches_google))
    dice = random.Random(SEED)
    try:  # one job dies twice: somewhere on its way, and in its next life in the very moment of its one change
        exports.export((dice.randint(1, calls - 4), dice.random() < 0.5), (None, dice.random() < 0.5))
    except BaseException as error:
        error.add_note(f"SWITCHYARD_FAULT_SEED={SEED}")
        raise
