"""A table, a Google sheet on the emulator, and the road between them; with ways to break the road."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from lib.contract.states import CredentialKind
from lib.service.sheets.google import GoogleSheets, Patience
from lib.service.storage.credentials import put_credentials
from tests.emulator.server import Emulator
from tests.emulator.workbook import Cell, Formula, Tab
from tests.service.refused_sheets import STORED_KEY
from tests.service.road import Road, csv_of

BOOK = "book-0123456789"
MAPPING = {"key": "key", "text": ["text"], "fields": ["owner"]}
TARGET = {"kind": "google_sheet", "spreadsheet": BOOK, "tab": "Knowledge"}


class Killed(BaseException):
    """kill -9: nothing of ours may handle it."""


class SheetWorld:
    """``kill_at``: die before or after so many calls of Google."""

    def __init__(self, road: Road, emulator: Emulator, monkeypatch: Any) -> None:
        self.road, self.emulator = road, emulator
        self.kill_at: tuple[int, bool] | None = None
        self.calls = 0
        self.before_call: Callable[[int], None] = lambda _: None
        road.works.config.credentials_dir.mkdir(exist_ok=True)
        (road.works.config.credentials_dir / CredentialKind.GOOGLE).write_text(json.dumps(emulator.add_account()))
        with road.works.database.write() as connection:
            put_credentials(connection, STORED_KEY)
        monkeypatch.setattr("lib.service.operations.sheet_exports.connect_sheets", self._connect)
        real = GoogleSheets._call

        def call(sheets: GoogleSheets, writing: bool, function: Any, *arguments: Any) -> Any:
            self.calls += 1
            self.before_call(self.calls)
            if self.kill_at == (self.calls, True):
                raise Killed
            answer = real(sheets, writing, function, *arguments)
            if self.kill_at == (self.calls, False):
                raise Killed
            return answer

        monkeypatch.setattr(GoogleSheets, "_call", call)

    def _connect(self, context: Any) -> GoogleSheets:
        key = json.loads((context.config.credentials_dir / CredentialKind.GOOGLE).read_text())
        patience = Patience(tries=4, budget_seconds=60)
        return GoogleSheets(key, api_url=self.emulator.url, wait=lambda *_: None, patience=patience, timeout=(5.0, 5.0))

    def add_tab(self, *rows: list[Cell]) -> Tab:
        return self.emulator.add_book(BOOK, {"Other": [["theirs"]], "Knowledge": rows}).tab("Knowledge")

    @property
    def tab(self) -> Tab:
        return self.emulator.books[BOOK].tab("Knowledge")

    def fill(self, **texts: str) -> None:
        """The table holds exactly these, by key; the owner is always ann."""
        job = self.road.import_sheet(csv_of(*((key, text, "ann") for key, text in texts.items())), MAPPING, "mirror", approve_removals=999)
        assert job["state"] == "succeeded"

    def preview(self, **more: Any) -> dict[str, Any]:
        """The finished plan."""
        answer = self.road.api.post("/api/operations/export/preview", json={"target": TARGET, **more})
        assert answer.status_code == 202, answer.text
        self.road.works.perform_all()
        plan: dict[str, Any] = self.road.get(answer.headers["Location"], limit=200)
        return plan

    def start(self, plan: dict[str, Any], **choices: Any) -> Any:
        return self.road.start("export", target=TARGET, plan_id=plan["plan_id"], **choices)

    def write(self, plan: dict[str, Any] | None = None, **choices: Any) -> dict[str, Any]:
        """The ended export of this plan, or of a fresh one."""
        answer = self.start(plan or self.preview(), **choices)
        assert answer.status_code == 202, answer.text
        self.road.works.perform_all()
        return self.road.job(answer.json()["job_id"])

    def perform_until_it_ends(self, job_id: str) -> dict[str, Any]:
        """As often as it takes, as recovery does after each kill."""
        for attempt in range(4):
            try:
                self.road.works.runner(f"operations-{attempt}").perform_job(job_id)
                break
            except Killed:
                self.kill_at = None
        return self.road.job(job_id)

    def staging_tabs(self) -> list[str]:
        return [tab.title for tab in self.emulator.books[BOOK].tabs if tab.title.startswith("__")]


def raw(tab: Tab) -> list[list[Cell]]:
    """Every cell as it is kept, formulas and types included, without empty ends."""
    rows = [list(row) for row in tab.cells]
    for row in rows:
        while row and row[-1] in ("", None):
            row.pop()
    while rows and not rows[-1]:
        rows.pop()
    return rows


def foreign(tab: Tab, ours: set[str]) -> list[list[Any]]:
    """Everything in columns that are not ours, and every formula anywhere."""
    header = [str(cell) for cell in tab.cells[0]] if tab.cells else []

    def keep(place: int, cell: Cell) -> Cell:
        return cell if place >= len(header) or header[place] not in ours or isinstance(cell, Formula) else ""

    return raw(Tab(0, "", [[keep(place, cell) for place, cell in enumerate(row)] for row in raw(tab)]))
