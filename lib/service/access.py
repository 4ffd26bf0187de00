"""May a Google sheet be used now? An input of the gate: what the checks found when they were last tried."""

from __future__ import annotations

from sqlalchemy import Connection

from lib.contract.checks import Check
from lib.contract.jobs import JobFailure
from lib.contract.operations import Gate, Reason
from lib.contract.states import CheckName, CheckState, CredentialKind
from lib.service.storage.checks import get_check
from lib.service.storage.credentials import get_credentials

#: Where a person mends it.
PAGE = "/Settings?tab=Access"
#: What passes by itself must not keep the gate shut: only what a person has to mend does.
_PASSES_BY_ITSELF = frozenset({JobFailure.SHEETS_UNREACHABLE, JobFailure.SHEETS_QUOTA})


def decide_sheet(connection: Connection, spreadsheet_id: str, *, writing: bool = False) -> Gate:
    """Whether there is a key, Google accepted it, and the sheet could be opened; unknown counts as yes."""
    if get_credentials(connection, CredentialKind.GOOGLE) is None:
        text = "No Google key is stored, so no Google sheet can be opened. Store the key of a service account in Settings."
        return Gate(allowed=False, reason_code=Reason.CREDENTIALS_MISSING, reason_text=text, holder=CredentialKind.GOOGLE, fix_link=PAGE)
    for name in (CheckName.FILE_READABLE, CheckName.JSON_SHAPE, CheckName.KEY_ACCEPTED):
        if failed := _failure(get_check(connection, name)):
            return _refuse(Reason.CREDENTIALS_REJECTED, failed, holder=CredentialKind.GOOGLE)
    for name in (CheckName.SHEET_REACHABLE, *((CheckName.MAY_WRITE,) if writing else ())):
        if failed := _failure(get_check(connection, name, spreadsheet_id)):
            return _refuse(Reason.SHEET_UNREACHABLE, failed, holder=spreadsheet_id)
    return Gate(allowed=True)


def _failure(check: Check | None) -> Check | None:
    return check if check and check.state is CheckState.FAILED and check.code not in _PASSES_BY_ITSELF else None


def _refuse(reason: Reason, failed: Check, *, holder: str) -> Gate:
    text = f"{failed.detail} {failed.action} Then check again in Settings."
    return Gate(allowed=False, reason_code=reason, reason_text=text, holder=holder, since=failed.checked_at, fix_link=PAGE)
