"""Try credentials and sheet for real, one check at a time and within strict time-outs. Nothing passes that was not tried."""

from __future__ import annotations

import json
import secrets
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lib.contract.checks import CHECK_TITLES, Check, CheckRequest, ChecksReading
from lib.contract.jobs import JobFailure
from lib.contract.model import utc_now
from lib.contract.states import CheckName, CheckState
from lib.service.sheets.google import IMPATIENT, GoogleSheets, Spreadsheet, parse_spreadsheet, quote_tab
from lib.service.sheets.google_errors import SheetsFailed
from lib.service.sheets.reading import UnreadableSheet, check_header

#: Seconds to connect, seconds without a byte: a person waits for the answer.
TIMEOUT = (4.0, 8.0)
#: No check begins later than this after the first.
DEADLINE_SECONDS = 25.0
MAX_SECRET_BYTES = 1 << 17
#: An empty tab of such a name is added and removed in one step, to see whether an export may write.
SCRATCH = "__switchyard_check_"


class CheckFailed(Exception):
    """What is wrong, what to do, and the failure a job would end with."""

    def __init__(self, detail: str, action: str, code: JobFailure = JobFailure.CREDENTIALS_REJECTED) -> None:
        super().__init__(detail)
        self.detail, self.action, self.code = detail, action, code


class NotAsked(Exception):
    """There is nothing to try."""


@dataclass
class Trial:
    """One run over all checks: what is tried, and what earlier checks have found."""

    path: Path
    api_url: str
    request: CheckRequest
    secret: str = ""
    account: str | None = None
    spreadsheet_id: str = ""
    spreadsheet: Spreadsheet | None = None
    sheets: GoogleSheets | None = None
    done: list[Check] = field(default_factory=list)


Step = Callable[[Trial], str]


def check_google(path: Path, *, api_url: str, request: CheckRequest) -> ChecksReading:
    """Every check of the key in ``path``, and of the sheet the request names, in order."""
    return _run(Trial(path, api_url, request), _GOOGLE)


def check_key_only(path: Path, *, api_url: str) -> ChecksReading:
    """Those checks that need no sheet."""
    return _run(Trial(path, api_url, CheckRequest()), _GOOGLE[:4])


def check_embeddings(path: Path) -> ChecksReading:
    """What can be said of an API key without spending anything on it: a line of text that only this user may read."""
    return _run(Trial(path, "", CheckRequest()), _EMBEDDINGS)


def _run(trial: Trial, steps: tuple[tuple[CheckName, Step, CheckName | None], ...]) -> ChecksReading:
    began = time.monotonic()
    for name, step, needs in steps:
        trial.done.append(_try(trial, name, step, needs, late=time.monotonic() - began > DEADLINE_SECONDS))
    return ChecksReading(account=trial.account, checks=trial.done, taken_at=utc_now())


def _try(trial: Trial, name: CheckName, step: Step, needs: CheckName | None, *, late: bool) -> Check:
    began = time.monotonic()
    state, action, code = CheckState.PASSED, "", None
    missing = next((check for check in trial.done if check.name is needs and check.state is not CheckState.PASSED), None)
    try:
        if missing:
            raise NotAsked(f"Not tried: first “{CHECK_TITLES[missing.name]}” has to pass.")
        if late:
            raise CheckFailed("Google answered too slowly to get this far.", "Check again in a minute.", JobFailure.SHEETS_UNREACHABLE)
        detail = step(trial)
    except NotAsked as reason:
        state, detail = CheckState.SKIPPED, str(reason)
    except (CheckFailed, SheetsFailed) as failed:
        state, detail, action, code = CheckState.FAILED, failed.detail, failed.action, failed.code
    return Check(
        name=name,
        state=state,
        detail=detail,
        action=action,
        code=code,
        spreadsheet_id=trial.spreadsheet_id if name in _OF_A_SHEET else "",
        spreadsheet_title=trial.spreadsheet.title if trial.spreadsheet and name in _OF_A_SHEET else "",
        tab=trial.request.tab if name in _OF_A_SHEET else "",
        seconds=round(time.monotonic() - began, 3),
        checked_at=utc_now(),
    )


def _file_readable(trial: Trial) -> str:
    try:
        if not trial.path.is_symlink() and not trial.path.exists():
            raise CheckFailed("No key is stored.", "Store one in Settings.", JobFailure.CREDENTIALS_MISSING)
        if not trial.path.is_file():  # a device or a pipe could be read for ever
            raise CheckFailed("There is no file at the registered path.", "Check the path, or upload the key instead.")
        if trial.path.stat().st_size > MAX_SECRET_BYTES:
            raise CheckFailed("The file is far too large for a key.", "Choose the key file itself, as it was downloaded.")
        trial.secret = trial.path.read_text("utf-8")
    except UnicodeError:
        raise CheckFailed("The file is not text.", "Choose the key file itself, as it was downloaded.") from None
    except OSError as error:
        raise CheckFailed(f"The file cannot be read: {error.strerror}.", "Let the user of the service read it.") from error
    return f"{len(trial.secret.encode()):,} bytes."


def _json_shape(trial: Trial) -> str:
    key = _parse(trial.secret)
    trial.account = str(key["client_email"])
    trial.sheets = GoogleSheets(key, api_url=trial.api_url, patience=IMPATIENT, timeout=TIMEOUT)
    return f"The key of {trial.account}."


def _parse(text: str) -> dict[str, Any]:
    try:
        key = json.loads(text)
    except ValueError as error:
        where = f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        raise CheckFailed(f"The key file is not valid JSON{where}.", "Download it again from Google Cloud.") from None
    if not isinstance(key, dict) or key.get("type") != "service_account":
        oauth = isinstance(key, dict) and ("installed" in key or "web" in key)
        what = "This is an OAuth client's file" if oauth else "This is not a service account's key file"
        action = "In Google Cloud: IAM → Service accounts → Keys → Add key → JSON."
        raise CheckFailed(f"{what}; the key of a service account is needed.", action)
    if missing := [name for name in ("client_email", "private_key", "token_uri") if not key.get(name)]:
        raise CheckFailed(f"The key file lacks {', '.join(missing)}.", "Download it again from Google Cloud.")
    return key


def _private_mode(trial: Trial) -> str:
    mode = stat.S_IMODE(trial.path.stat().st_mode)
    if mode & 0o077:
        raise CheckFailed(f"Others on this machine may read it: its mode is {mode:04o}.", "On that machine: chmod 600 and the file's path.")
    return f"Mode {mode:04o}."


def _key_accepted(trial: Trial) -> str:
    assert trial.sheets is not None  # noqa: S101 - json_shape has passed
    trial.sheets.sign_in()
    return f"Google signed {trial.account} in."


def _sheet_reachable(trial: Trial) -> str:
    assert trial.sheets is not None  # noqa: S101 - json_shape has passed
    if not trial.request.spreadsheet.strip():
        raise NotAsked("No spreadsheet was named.")
    trial.spreadsheet_id = parse_spreadsheet(trial.request.spreadsheet)
    trial.spreadsheet = trial.sheets.describe(trial.spreadsheet_id)
    return f"“{trial.spreadsheet.title}” has {len(trial.spreadsheet.tabs):,} tabs."


def _tab_exists(trial: Trial) -> str:
    assert trial.spreadsheet is not None  # noqa: S101 - sheet_reachable has passed
    if not trial.request.tab:
        raise NotAsked("No tab was named.")
    tab = trial.spreadsheet.tab(trial.request.tab)
    return f"{tab.rows:,} rows, {tab.columns:,} columns."


def _headers_fit(trial: Trial) -> str:
    assert trial.sheets is not None  # noqa: S101 - json_shape has passed
    rows = trial.sheets.read(trial.spreadsheet_id, f"{quote_tab(trial.request.tab)}!1:1")
    try:
        header = check_header(rows[0] if rows else [])
    except UnreadableSheet as error:
        raise CheckFailed(error.detail, error.action, JobFailure.UNREADABLE_SOURCE) from error
    if missing := [name for name in trial.request.columns if name not in header]:
        detail = f"It has no column called {', '.join(missing)}. It has: {', '.join(header)}."
        raise CheckFailed(detail, "Map the columns again, or correct the header.", JobFailure.COLUMNS_MISSING)
    return f"{len(header):,} columns: {', '.join(header[:6])}{' …' if len(header) > 6 else ''}"


def _may_write(trial: Trial) -> str:
    assert trial.sheets is not None  # noqa: S101 - json_shape has passed
    if not trial.request.writing:
        raise NotAsked("Not asked for: this sheet is only read.")
    tab_id = secrets.randbelow(2**31 - 2) + 1
    new = {"sheetId": tab_id, "title": f"{SCRATCH}{tab_id}", "hidden": True, "gridProperties": {"rowCount": 1, "columnCount": 1}}
    trial.sheets.change(trial.spreadsheet_id, [{"addSheet": {"properties": new}}, {"deleteSheet": {"sheetId": tab_id}}])
    return "An empty tab was added and removed in one step."


def _one_line(trial: Trial) -> str:
    key = trial.secret.strip()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise CheckFailed("An API key is one line without spaces.", "Copy it again from the service's own page.")
    return "One line of text. Whether the service accepts it shows with the first text that is embedded."


_OF_A_SHEET = frozenset({CheckName.SHEET_REACHABLE, CheckName.TAB_EXISTS, CheckName.HEADERS_FIT, CheckName.MAY_WRITE})
#: check, how it is tried, and the check that must have passed before
_GOOGLE: tuple[tuple[CheckName, Step, CheckName | None], ...] = (
    (CheckName.FILE_READABLE, _file_readable, None),
    (CheckName.JSON_SHAPE, _json_shape, CheckName.FILE_READABLE),
    (CheckName.PRIVATE_MODE, _private_mode, CheckName.FILE_READABLE),
    (CheckName.KEY_ACCEPTED, _key_accepted, CheckName.JSON_SHAPE),
    (CheckName.SHEET_REACHABLE, _sheet_reachable, CheckName.KEY_ACCEPTED),
    (CheckName.TAB_EXISTS, _tab_exists, CheckName.SHEET_REACHABLE),
    (CheckName.HEADERS_FIT, _headers_fit, CheckName.TAB_EXISTS),
    (CheckName.MAY_WRITE, _may_write, CheckName.SHEET_REACHABLE),
)
_EMBEDDINGS: tuple[tuple[CheckName, Step, CheckName | None], ...] = (
    (CheckName.FILE_READABLE, _file_readable, None),
    (CheckName.JSON_SHAPE, _one_line, CheckName.FILE_READABLE),
    (CheckName.PRIVATE_MODE, _private_mode, CheckName.FILE_READABLE),
)
