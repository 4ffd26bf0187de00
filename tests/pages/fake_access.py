"""The fake service's credentials, checks and Google sheets."""

from __future__ import annotations

from typing import Any

from lib.contract.checks import Check, ChecksReading
from lib.contract.credentials import CredentialsReading
from lib.contract.events import Topic
from lib.contract.imports import ReadAs, SheetColumns, SheetTab, SheetTabs
from lib.contract.settings import SettingsReading
from lib.contract.states import CheckName, CheckState, CredentialKind, SheetFormat
from tests.pages.canned import now, settings

EMAIL = "bot@project.iam.gserviceaccount.com"
STORED = CredentialsReading(kind=CredentialKind.GOOGLE, account=EMAIL, origin="uploaded", changed_at=now(), changed_by="ann")
TABS = SheetTabs(
    spreadsheet_id="book-0123456789", title="Playbook", tabs=[SheetTab(title=title, rows=10, columns=3) for title in ("Data", "Notes")]
)
COLUMNS = SheetColumns(
    columns=["key", "advice"], sample=[["k1", "call back"]], read_as=ReadAs(format=SheetFormat.GOOGLE_SHEET, header_row=1, tab="Data")
)


def check(name: CheckName, state: CheckState = CheckState.PASSED, **more: Any) -> Check:
    return Check.model_validate({"name": name, "state": state, "detail": f"What {name} found.", "seconds": 0.2, "checked_at": now()} | more)


def with_access(*checks: Check, credentials: tuple[CredentialsReading, ...] = (STORED,)) -> dict[Topic, SettingsReading]:
    """The settings topic of a service that knows these."""
    return {Topic.SETTINGS: settings().model_copy(update={"credentials": list(credentials), "checks": list(checks)})}


class FakeAccess:
    """The client's part."""

    _act: Any
    _note: Any

    def put_credentials(self, change: Any) -> CredentialsReading:
        self._act("put_credentials", change)
        return STORED

    def delete_credentials(self, kind: CredentialKind) -> None:
        self._act("delete_credentials", kind)

    def check_settings(self, request: Any) -> ChecksReading:
        self._act("check_settings", request)
        failed = check(CheckName.SHEET_REACHABLE, CheckState.FAILED)
        return ChecksReading(account=EMAIL, checks=[check(CheckName.KEY_ACCEPTED), failed], taken_at=now())

    def list_tabs(self, spreadsheet: str) -> SheetTabs:
        self._note("list_tabs", spreadsheet)
        return TABS

    def get_tab_columns(self, spreadsheet: str, tab: str, header_row: int | None = None) -> SheetColumns:
        self._note("get_tab_columns", spreadsheet, tab, header_row)
        return COLUMNS
