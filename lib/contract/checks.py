"""Whether credentials and sheet work: one check for each thing that can be wrong, tried for real."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from lib.contract.model import Reading, Request
from lib.contract.states import CheckName, CheckState

#: check → what it is called on the page
CHECK_TITLES: dict[CheckName, str] = {
    CheckName.FILE_READABLE: "Key file can be read",
    CheckName.JSON_SHAPE: "It is a service account's key",
    CheckName.PRIVATE_MODE: "Only this user may read it",
    CheckName.KEY_ACCEPTED: "Google accepts the key",
    CheckName.SHEET_REACHABLE: "The spreadsheet can be opened",
    CheckName.TAB_EXISTS: "The tab is there",
    CheckName.HEADERS_FIT: "Its header row fits",
    CheckName.MAY_WRITE: "An export may write to it",
}


class Check(Reading):
    """One check as it last ended. Those of the key have no spreadsheet. ``code``: the failure a job would end with."""

    name: CheckName
    state: CheckState
    detail: str
    action: str = ""
    code: str | None = None
    spreadsheet_id: str = ""
    spreadsheet_title: str = ""
    tab: str = ""
    seconds: float
    checked_at: datetime


class CheckRequest(Request):
    """Try the Google key; with a ``spreadsheet`` (address or id) that too. ``columns``: what its header must name."""

    spreadsheet: str = Field("", max_length=500)
    tab: str = Field("", max_length=200)
    columns: list[str] = Field([], max_length=256)
    writing: bool = Field(True, description="also whether an export may write: adds an empty tab and removes it in one step")


class ChecksReading(Reading):
    """Every check in its order, and the account the sheet has to be shared with."""

    account: str | None = None
    checks: list[Check]
    taken_at: datetime

    @property
    def passed(self) -> bool:
        """Nothing failed."""
        return all(check.state is not CheckState.FAILED for check in self.checks)
