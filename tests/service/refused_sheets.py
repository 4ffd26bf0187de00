"""Google sheets that may not be used, and why not: cases of ``test_reasons``."""

from __future__ import annotations

from collections.abc import Callable

import httpx2

from lib.contract.checks import Check
from lib.contract.credentials import CredentialsReading
from lib.contract.model import utc_now
from lib.contract.operations import Reason
from lib.contract.states import CheckName, CheckState, CredentialKind
from lib.service.storage import checks, credentials
from tests.service.refused_restores import Provoked
from tests.service.road import MAPPING, Road

Ask = Callable[[Road], httpx2.Response]

#: What is known of a key that was stored.
STORED_KEY = CredentialsReading(kind=CredentialKind.GOOGLE, origin="uploaded", changed_at=utc_now(), changed_by="ann")


def preview_sheet(road: Road, spreadsheet_id: str = "book-0123456789") -> httpx2.Response:
    source = {"kind": "google_sheet", "spreadsheet": spreadsheet_id, "tab": "Data"}
    return road.api.post("/api/operations/import/preview", json={"source": source, "mapping": MAPPING})


def preview_without_key(road: Road) -> Provoked:
    return preview_sheet(road), None


def compare_sheet(road: Road, spreadsheet_id: str = "book-0123456789") -> httpx2.Response:
    target = {"kind": "google_sheet", "spreadsheet": spreadsheet_id, "tab": "Data"}
    return road.api.post("/api/operations/export/preview", json={"target": target})


def with_failed_check(name: CheckName, spreadsheet_id: str = "", ask: Ask = preview_sheet) -> Callable[[Road], Provoked]:
    """As if a key were stored, and this had come of trying it."""

    def provoke(road: Road) -> Provoked:
        failed = Check(
            name=name,
            state=CheckState.FAILED,
            detail="Google said no.",
            action="Ask again.",
            spreadsheet_id=spreadsheet_id,
            seconds=0.1,
            checked_at=utc_now(),
        )
        with road.works.database.write() as connection:
            credentials.put_credentials(connection, STORED_KEY)
            checks.put_checks(connection, [failed])
        answer = ask(road)
        with road.works.database.write() as connection:
            checks.put_checks(connection, [failed.model_copy(update={"state": CheckState.PASSED})])
        return answer, None

    return provoke


REFUSED_SHEETS: dict[Reason, Callable[[Road], Provoked]] = {
    Reason.CREDENTIALS_MISSING: preview_without_key,
    Reason.CREDENTIALS_REJECTED: with_failed_check(CheckName.KEY_ACCEPTED),
    Reason.SHEET_UNREACHABLE: with_failed_check(CheckName.SHEET_REACHABLE, "book-0123456789"),
}
#: The same of an export, which must also be allowed to write.
REFUSED_TARGETS: dict[Reason, Callable[[Road], Provoked]] = {
    Reason.CREDENTIALS_REJECTED: with_failed_check(CheckName.KEY_ACCEPTED, ask=compare_sheet),
    Reason.SHEET_UNREACHABLE: with_failed_check(CheckName.MAY_WRITE, "book-0123456789", compare_sheet),
}
