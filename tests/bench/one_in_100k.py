"""One changed row among many, as a file and as a Google sheet: how long its plan takes, what it is of a plan of all rows, what is embedded.

``python tests/bench/one_in_100k.py [rows]``. All rows are imported from a CSV file and embedded first. The Google sheet is on the emulator,
in a process of its own: the figures say how long reading, comparing and applying take, not how fast Google answers.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from lib.contract.credentials import CredentialsChange
from lib.contract.imports import FileSource, ImportRequest, Plan, PreviewRequest, SheetSource, Source
from lib.contract.states import CredentialKind
from tests.emulator.server import Emulator
from tests.faults.console import Console
from tests.faults.road import MAPPING, Sheet, wait_drained, wait_job, wait_plan

BOOK = "book-0123456789"
PATIENCE_SECONDS = 600.0


def table_of(sheet: Sheet) -> list[list[Any]]:
    """The rows of the CSV file, with its header."""
    rows = [[key, text, f"team {number % 7}"] for number, (key, text) in enumerate(sheet.texts.items())]
    return [["key", "text", "owner"], *rows]


def serve(rows: int, seed: int, pipe: Any) -> None:
    """An emulator with the sheet as the file was in the end; a word from the pipe changes one row more."""
    emulator = Emulator().start()
    sheet = Sheet(rows=rows, seed=seed)
    sheet.edit(1)
    book = emulator.add_book(BOOK, {"Data": table_of(sheet)})
    pipe.send((emulator.url, json.dumps(emulator.add_account())))
    while pipe.recv():
        sheet.edit(1)
        book.tab("Data").cells = table_of(sheet)
        pipe.send(True)


class Bench:
    """A console with the sheet in it, and how long things took."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def timed(self, what: str, act: Callable[[], Any], against: float | None = None) -> tuple[float, Any]:
        """Do it; the seconds, and the same as a share of ``against``."""
        began = time.monotonic()
        answer = act()
        seconds = time.monotonic() - began
        print(f"{what:<44} {seconds:7.1f} s{f'  {seconds / against:5.2f} of the plan of all rows' if against else ''}", flush=True)
        return seconds, answer

    def plan(self, source: Source) -> Plan:
        """The finished plan."""
        plan_id = self.console.client.preview_import(PreviewRequest(source=source, mapping=MAPPING))
        return wait_plan(self.console, plan_id, PATIENCE_SECONDS)

    def plan_file(self, sheet: Sheet) -> Plan:
        """Upload included, as a person waits for it."""
        upload = self.console.client.upload_file("sheet.csv", sheet.to_csv())
        return self.plan(FileSource(upload_id=upload.upload_id))

    def apply(self, plan: Plan) -> None:
        """And wait for its end."""
        wait_job(self.console, self.console.client.start_import(ImportRequest(plan_id=plan.plan_id)), PATIENCE_SECONDS)

    def embedded(self) -> int:
        """Texts that were ever embedded."""
        return int(self.console.value("SELECT value FROM counters WHERE name = 'embedded_total'"))

    def one_change(self, what: str, ask: Callable[[], Plan], against: float) -> None:
        """A plan with one change, its apply, and what was embedded."""
        before = self.embedded()
        _, plan = self.timed(f"{what}: plan of one change", ask, against)
        assert (plan.counts.changed, plan.counts.new, plan.to_embed) == (1, 0, 1), plan.counts
        self.timed(f"{what}: apply it", lambda: self.apply(plan))
        wait_drained(self.console)
        assert self.embedded() - before == 1
        _, plan = self.timed(f"{what}: plan of the unchanged sheet", ask, against)
        assert plan.gate is not None
        assert plan.counts.changed == 0
        print(f"  embedded: 1; the unchanged one: {plan.gate.reason_text}", flush=True)


def main() -> None:
    rows, seed = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000, random.SystemRandom().randrange(10**6)
    sheet = Sheet(rows=rows, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        console = Console(Path(folder) / "data", environment={"SWITCHYARD_WORKERS": "1"}).start()
        here, there = get_context("spawn").Pipe()
        bench, emulator = Bench(console), get_context("spawn").Process(target=serve, args=(rows, seed, there))
        try:
            console.client.put_setting("index.refresh", "manual")  # a refresh works in the same process, and an index has its own size
            whole, plan = bench.timed(f"file: plan of {rows:,} new rows", lambda: bench.plan_file(sheet))
            bench.timed("file: apply it", lambda: bench.apply(plan))
            bench.timed("embedding them", lambda: wait_drained(console, PATIENCE_SECONDS))
            sheet.edit(1)
            bench.one_change("file", lambda: bench.plan_file(sheet), whole)
            emulator.start()
            url, key = here.recv()
            console.client.put_setting("sheets.api_url", url)
            console.client.put_credentials(CredentialsChange(kind=CredentialKind.GOOGLE, content=key))
            here.send(True)
            here.recv()
            google = SheetSource(kind="google_sheet", spreadsheet=BOOK, tab="Data")
            bench.one_change("Google sheet", lambda: bench.plan(google), whole)
            here.send(False)
        finally:
            console.sweep()
            emulator.kill() if emulator.is_alive() else None


if __name__ == "__main__":
    main()
