"""Google Sheets over gspread: one connection, bounded patience, and errors in plain words.

Of gspread only ``HTTPClient`` is used, for its knowledge of the addresses; its own back-off never gives up.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

import gspread
import requests
from google.auth import exceptions as auth
from google.auth.transport.requests import AuthorizedSession
from google.auth.transport.requests import Request as AuthRequest
from google.oauth2 import service_account
from gspread.exceptions import APIError
from requests.adapters import HTTPAdapter

from lib.contract.jobs import ANSWER_WAIT, QUOTA_WAIT, JobFailure
from lib.service.sheets.google_errors import SheetsFailed, explain, explain_sign_in, is_quota

SCOPES = ("https://www.googleapis.com/auth/spreadsheets",)
#: The only hosts this connection ever speaks to, unless a setting sends all of it to an emulator.
GOOGLE_HOSTS = frozenset({"sheets.googleapis.com", "oauth2.googleapis.com"})
#: Seconds to connect, seconds without a byte. Google itself gives up after 180.
TIMEOUT = (10.0, 190.0)

_ID = re.compile(r"[A-Za-z0-9_-]{10,100}")
#: (seconds, why): waits, and says so; may raise to give up. ``why`` is ready to be shown: "waiting for …".
Wait = Callable[[float, str], None]


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How often a call is tried, and how long it is waited for in all."""

    tries: int = 8
    longest_seconds: float = 64.0
    budget_seconds: float = 300.0


IMPATIENT = Patience(tries=1)


@dataclass(frozen=True, kw_only=True)
class Tab:
    """One sheet of a spreadsheet. ``mark`` values are developer metadata that an export leaves to find its work again."""

    tab_id: int
    title: str
    rows: int
    columns: int
    hidden: bool
    marks: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Spreadsheet:
    """What a spreadsheet is called and which tabs it has, in their order."""

    spreadsheet_id: str
    title: str
    tabs: list[Tab]

    def tab(self, title: str) -> Tab:
        """The tab called so; SheetsFailed names those there are."""
        for tab in self.tabs:
            if tab.title == title:
                return tab
        there = ", ".join(tab.title for tab in self.tabs if not tab.hidden)
        detail = f"“{self.title}” has no tab called “{title}”. It has: {there}."
        raise SheetsFailed(JobFailure.TAB_MISSING, detail, "Was it renamed or deleted? Choose the tab again.")


def parse_spreadsheet(address: str) -> str:
    """The id in a pasted address, or the id itself; SheetsFailed when it is neither."""
    text = address.strip()
    if "/d/e/" in text:
        detail = "This is the address of a published copy, which cannot be read as a sheet."
        raise SheetsFailed(JobFailure.SPREADSHEET_MISSING, detail, "Paste the address you see while you edit the sheet.")
    found = re.search(r"/d/([A-Za-z0-9_-]+)", text)
    candidate = found[1] if found else text
    if not _ID.fullmatch(candidate):
        action = "Paste the whole address from the browser: https://docs.google.com/spreadsheets/d/…"
        raise SheetsFailed(JobFailure.SPREADSHEET_MISSING, "This is neither the address of a Google sheet nor an id.", action)
    return candidate


def sheet_of(book: Spreadsheet, tab: Tab) -> str:
    """What agreements about a tab are kept under."""
    return sha256(f"{book.spreadsheet_id}\n{tab.title}".encode()).hexdigest()


def quote_tab(title: str) -> str:
    """A tab's name as ranges want it."""
    return "'" + title.replace("'", "''") + "'"


def column_name(number: int) -> str:
    """1 → A, 27 → AA."""
    name = ""
    while number:
        number, rest = divmod(number - 1, 26)
        name = chr(ord("A") + rest) + name
    return name


class _OnlyThere(HTTPAdapter):
    """Sends what is meant for Google to Google or to the emulator, and nothing anywhere else (google-auth has ideas of its own)."""

    __attrs__ = [*HTTPAdapter.__attrs__, "api_url"]  # google-auth copies the session

    def __init__(self, api_url: str) -> None:
        self.api_url = api_url.rstrip("/")
        super().__init__()

    def send(self, request: requests.PreparedRequest, **how: Any) -> requests.Response:  # type: ignore[override]
        url = urlsplit(request.url or "")
        if url.hostname not in GOOGLE_HOSTS:
            raise requests.ConnectionError(f"{url.hostname} is not one of Google's addresses for sheets")
        if self.api_url:
            request.url = f"{self.api_url}{url.path}" + (f"?{url.query}" if url.query else "")
        return super().send(request, **how)


class _Client(gspread.HTTPClient):
    """One bounded policy. What may have been done is not sent twice: a reading, a PUT and a refusal for quota may."""

    patience: Patience
    wait: Wait

    def request(self, method: str, endpoint: str, *arguments: Any, **how: Any) -> requests.Response:
        repeatable = method.lower() in ("get", "put") or endpoint.endswith((":clear", "values:batchUpdate"))
        began, attempt = time.monotonic(), 0
        while True:
            attempt += 1
            try:
                answer: requests.Response = super().request(method, endpoint, *arguments, **how)
                return answer
            except (APIError, requests.RequestException, auth.TransportError) as error:
                seconds = self._pause(error, attempt, repeatable=repeatable)
                spent = time.monotonic() - began
                if seconds is None or attempt >= self.patience.tries or spent + seconds > self.patience.budget_seconds:
                    raise
                quota = isinstance(error, APIError) and is_quota(error)
                self.wait(seconds, QUOTA_WAIT if quota else ANSWER_WAIT)

    def _pause(self, error: Exception, attempt: int, *, repeatable: bool) -> float | None:
        """How long to wait before the same call is sent again; None when it must not be."""
        asked = ""
        if isinstance(error, APIError):
            passing = error.response.status_code in (408, 500, 502, 503, 504)
            if not is_quota(error) and not (passing and repeatable):
                return None
            asked = error.response.headers.get("Retry-After", "")
        elif not repeatable:
            return None
        if asked.isdecimal():
            return float(asked)
        return min(self.patience.longest_seconds, 2.0 ** (attempt - 1)) * random.uniform(0.5, 1.5)  # noqa: S311 - spread, not secrecy


def sleep(seconds: float, why: str) -> None:
    """The plainest way to wait."""
    del why
    time.sleep(seconds)


class GoogleSheets:
    """A connection on behalf of one service account. Every method raises SheetsFailed when it cannot do what it says."""

    def __init__(
        self, key: dict[str, Any], *, api_url: str = "", wait: Wait = sleep, patience: Patience | None = None, timeout: Any = TIMEOUT
    ) -> None:
        """``key``: the parsed key file. ``api_url``: an emulator instead of Google. ``wait`` is asked to wait between tries."""
        self.email = str(key.get("client_email", ""))
        try:
            credentials = service_account.Credentials.from_service_account_info(key, scopes=SCOPES)  # type: ignore[no-untyped-call]
        except (ValueError, auth.GoogleAuthError):  # its message may quote the key
            detail = "The private key inside the credentials is damaged."
            raise SheetsFailed(JobFailure.CREDENTIALS_REJECTED, detail, "Download the key file again and store it in Settings.") from None
        self._auth_session = requests.Session()
        session = AuthorizedSession(credentials, auth_request=AuthRequest(self._auth_session))  # type: ignore[no-untyped-call]
        for each in (session, self._auth_session):
            each.mount("https://", _OnlyThere(api_url))
            each.mount("http://", _OnlyThere(api_url))
            each.trust_env = each.trust_env and not api_url  # no proxy stands between us and loopback
        self._credentials = credentials
        self._client = _Client(credentials, session)
        self._client.set_timeout(timeout)
        self._client.wait, self._client.patience = wait, patience or Patience()

    def sign_in(self) -> None:
        """Ask Google for a token: whether the key is accepted."""
        try:
            self._credentials.refresh(AuthRequest(self._auth_session))
        except auth.RefreshError as error:
            raise explain_sign_in(error) from error
        except (auth.GoogleAuthError, requests.RequestException) as error:
            raise explain(error, self.email, writing=False) from error

    def describe(self, spreadsheet_id: str) -> Spreadsheet:
        """Its title and tabs, in one call."""
        fields = "properties.title,sheets(properties,developerMetadata)"
        found = self._call(False, self._client.fetch_sheet_metadata, spreadsheet_id, {"includeGridData": "false", "fields": fields})
        tabs = [_read_tab(sheet) for sheet in found.get("sheets", []) if sheet["properties"].get("sheetType", "GRID") == "GRID"]
        return Spreadsheet(spreadsheet_id=spreadsheet_id, title=found["properties"]["title"], tabs=tabs)

    def read(self, spreadsheet_id: str, a1: str, *, formulas: bool = False) -> list[list[str]]:
        """The cells of a range exactly as the person sees them (or as they were entered); empty ends are left out."""
        render = "FORMULA" if formulas else "FORMATTED_VALUE"
        found = self._call(False, self._client.values_get, spreadsheet_id, a1, {"valueRenderOption": render, "majorDimension": "ROWS"})
        return [[str(cell) for cell in line] for line in found.get("values", [])]

    def write(self, spreadsheet_id: str, a1: str, table: list[list[str]]) -> int:
        """Store text as text, never as a formula; how many rows were written. Safe to repeat."""
        body = {"values": table}
        found = self._call(True, self._client.values_update, spreadsheet_id, a1, {"valueInputOption": "RAW"}, body)
        return int(found.get("updatedRows", 0))

    def change(self, spreadsheet_id: str, requests_: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """All these requests at once, or none. Never repeated by itself: when it breaks off, ``maybe_done`` says so."""
        found = self._call(True, self._client.batch_update, spreadsheet_id, {"requests": requests_})
        replies: list[dict[str, Any]] = found.get("replies", [])
        return replies

    def _call(self, writing: bool, function: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return function(*arguments)
        except (APIError, auth.GoogleAuthError, requests.RequestException) as error:
            raise explain(error, self.email, writing=writing) from error


def _read_tab(sheet: dict[str, Any]) -> Tab:
    properties, grid = sheet["properties"], sheet["properties"].get("gridProperties", {})
    return Tab(
        tab_id=properties.get("sheetId", 0),
        title=properties["title"],
        rows=grid.get("rowCount", 0),
        columns=grid.get("columnCount", 0),
        hidden=properties.get("hidden", False),
        marks={each["metadataKey"]: each.get("metadataValue", "") for each in sheet.get("developerMetadata", [])},
    )
