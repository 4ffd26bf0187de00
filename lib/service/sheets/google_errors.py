"""What Google says when it says no, in words a person can act on. The one error of this package's Google half lives here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import requests
from google.auth import exceptions as auth
from gspread.exceptions import APIError

from lib.contract.jobs import JobFailure
from lib.service.sheets.reading import UnreadableSheet

#: Google's reasons inside a 403 that mean "slow down", not "you may not".
_TOO_FAST = frozenset({"RATE_LIMIT_EXCEEDED", "rateLimitExceeded", "userRateLimitExceeded"})


class SheetsFailed(UnreadableSheet):
    """A call to Google did not do what was asked. ``maybe_done``: a write broke off, and nobody knows whether it took effect."""

    def __init__(self, code: JobFailure, detail: str, action: str, maybe_done: bool = False) -> None:
        super().__init__(detail, action, code)
        self.args = (code, detail, action, maybe_done)  # a checkpoint pickles the exception, and a restart rebuilds it from these
        self.maybe_done = maybe_done


def is_quota(error: APIError) -> bool:
    """Whether Google asks to slow down: nothing was done, and the same call may be sent again."""
    return error.response.status_code == 429 or bool(_TOO_FAST & set(_reasons(error)))


def _reasons(error: APIError) -> Iterator[str]:
    for part in (error.error or {}).get("details", []):
        if reason := part.get("reason"):
            yield str(reason)


def explain(error: Exception, email: str, *, writing: bool) -> SheetsFailed:
    """``error`` of gspread, google-auth or requests, in our words."""
    if isinstance(error, APIError):
        return _explain_answer(error, email, writing=writing)
    if isinstance(error, auth.RefreshError):
        return explain_sign_in(error)
    return SheetsFailed(
        JobFailure.SHEETS_UNREACHABLE,
        f"Google Sheets could not be reached: {_words(error)}.",
        "Check this machine's connection, then try again. Nothing was taken for an empty sheet.",
        maybe_done=writing,
    )


def _words(error: Exception) -> str:
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    # The message of a broken connection names addresses and object ids, which help nobody.
    return "the connection was refused or broke off"


def _explain_answer(error: APIError, email: str, *, writing: bool) -> SheetsFailed:
    http, said = error.response.status_code, str((error.error or {}).get("message", ""))
    if is_quota(error):
        return SheetsFailed(JobFailure.SHEETS_QUOTA, "Google's limit of calls per minute is used up.", "Wait a minute, then try again.")
    if http in (401, 403):
        return _explain_refusal(error, email, writing=writing)
    if http >= 500:
        detail = f"Google Sheets has a problem of its own (HTTP {http})."
        return SheetsFailed(JobFailure.SHEETS_UNREACHABLE, detail, "Try again in a few minutes.", maybe_done=writing)
    return _explain_request(http, said, email)


def _explain_request(http: int, said: str, email: str) -> SheetsFailed:
    if http == 404:
        detail = f"There is no spreadsheet with this address, or it is not visible to {email}."
        return SheetsFailed(JobFailure.SPREADSHEET_MISSING, detail, f"Check the address, and share the sheet with {email}.")
    if "Unable to parse range" in said:
        detail = f"The spreadsheet has no such tab: {said.partition(': ')[2]}."
        return SheetsFailed(JobFailure.TAB_MISSING, detail, "Was it renamed? Choose the tab again.")
    if "not supported for this document" in said:
        detail = "This is an Office file that lies in Drive, not a Google sheet."
        return SheetsFailed(JobFailure.UNREADABLE_SOURCE, detail, "Open it in Drive and choose File → Save as Google Sheets.")
    return SheetsFailed(JobFailure.SHEETS_REFUSED, f"Google refused the call: {said[:200].rstrip('.')}.", "The log has the details.")


def _explain_refusal(error: APIError, email: str, *, writing: bool) -> SheetsFailed:
    if "SERVICE_DISABLED" in _reasons(error):
        detail = "The Google Sheets API is switched off in the key's Google Cloud project."
        return SheetsFailed(JobFailure.CREDENTIALS_REJECTED, detail, "Enable the Google Sheets API in that project, then check again.")
    if error.response.status_code == 401:
        detail = f"Google no longer accepts the sign-in of {email}."
        return SheetsFailed(JobFailure.CREDENTIALS_REJECTED, detail, "Make a new key for this account and store it in Settings.")
    right, what = ("Editor", "write to") if writing else ("Viewer", "read")
    detail = f"{email} may not {what} this spreadsheet."
    return SheetsFailed(JobFailure.SHEET_NOT_SHARED, detail, f"In the sheet choose Share, and add {email} as {right}.")


def explain_sign_in(error: auth.RefreshError) -> SheetsFailed:
    """Why Google gave no token for the key."""
    said = _said(error)
    if "reasonable timeframe" in said:
        what, action = "This machine's clock is off by more than a few minutes.", "Set the clock, then check again."
    elif "account not found" in said:
        what, action = "The service account of this key does not exist any more.", "Make a new account and key, and store it in Settings."
    elif "invalid_grant" in said or "invalid_client" in said:
        what, action = "Google does not accept this key: it was revoked, or belongs to another account.", "Make a new key, and store it."
    else:
        return SheetsFailed(JobFailure.SHEETS_UNREACHABLE, "Google's sign-in could not be reached.", "Try again in a few minutes.")
    return SheetsFailed(JobFailure.CREDENTIALS_REJECTED, what, action)


def _said(error: auth.RefreshError) -> str:
    """Google's own words, whatever shape google-auth passes them on in."""
    parts: list[Any] = [part if isinstance(part, str) else json.dumps(part, default=str) for part in error.args]
    return " ".join(parts)
