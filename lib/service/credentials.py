"""Secrets: one file per kind (0600), or a link to a file registered elsewhere. Nothing else of the service ever holds one."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from uuid import uuid4

from sqlalchemy import Connection

from lib.contract.checks import Check, CheckRequest, ChecksReading
from lib.contract.credentials import CredentialsChange, CredentialsReading
from lib.contract.errors import ErrorCode
from lib.contract.jobs import JobFailure
from lib.contract.model import utc_now
from lib.contract.states import CheckName, CheckState, CredentialKind
from lib.service import checks
from lib.service.config import Config
from lib.service.errors import ServiceError
from lib.service.secret_files import read_secret
from lib.service.sheets.google import TIMEOUT, GoogleSheets, Patience, Wait, sleep
from lib.service.sheets.google_errors import SheetsFailed
from lib.service.storage import checks as check_rows
from lib.service.storage import credentials as rows
from lib.service.storage.audit import record_action
from lib.service.storage.database import Database
from lib.service.storage.settings import get_setting

#: A secret on its way in whose process died is removed after this long.
CANDIDATE_SECONDS = 3600.0
_CANDIDATE = ".candidate-"


def open_sheets(
    database: Database, config: Config, *, wait: Wait = sleep, patience: Patience | None = None, timeout: tuple[float, float] = TIMEOUT
) -> GoogleSheets:
    """A connection with the stored key; SheetsFailed when there is none or it is damaged."""
    secret = read_secret(config, CredentialKind.GOOGLE)
    if secret is None:
        raise SheetsFailed(JobFailure.CREDENTIALS_MISSING, "No Google key is stored.", "Store one in Settings.")
    with database.read() as connection:
        api_url = str(get_setting(connection, "sheets.api_url"))
    try:
        key = json.loads(secret)
    except ValueError:  # its message may quote the key
        raise SheetsFailed(JobFailure.CREDENTIALS_REJECTED, "The stored Google key is damaged.", "Store it again in Settings.") from None
    return GoogleSheets(key, api_url=api_url, wait=wait, patience=patience, timeout=timeout)


def put_credentials(database: Database, config: Config, change: CredentialsChange, *, actor: str, request_id: str) -> CredentialsReading:
    """Store a secret that passes its checks; the one before stays until then, and is never shown again either way."""
    candidate = _write_candidate(config.credentials_dir, change)
    try:
        tried = _check(database, candidate, change.kind)
        with database.write() as connection:
            failed = next((check for check in tried.checks if check.state is CheckState.FAILED), None)
            before = rows.get_credentials(connection, change.kind)
            reading = CredentialsReading(
                kind=change.kind,
                account=tried.account,
                origin="registered" if change.path else "uploaded",
                changed_at=utc_now(),
                changed_by=actor,
            )
            record_action(
                connection,
                actor=actor,
                action="put_credentials",
                object_id=change.kind,
                before=_describe(before),
                after=_describe(reading),
                outcome=f"refused: {failed.name}" if failed else "done",
                request_id=request_id,
            )
            if not failed:
                _take_over(connection, before, reading, tried, stamp=_stamp(candidate))
                candidate.replace(config.credentials_dir / change.kind)
    finally:
        candidate.unlink(missing_ok=True)
    if failed:
        kept = " What was stored before stays in use." if before else ""
        raise ServiceError(ErrorCode.CREDENTIALS_REJECTED, f"{failed.detail}{kept}", action=failed.action)
    return reading


def _write_candidate(folder: Path, change: CredentialsChange) -> Path:
    for old in folder.glob(f"{_CANDIDATE}*"):
        if time.time() - old.lstat().st_mtime > CANDIDATE_SECONDS:
            old.unlink(missing_ok=True)
    candidate = folder / f"{_CANDIDATE}{uuid4().hex}"
    if change.path:
        candidate.symlink_to(change.path)
        return candidate
    with os.fdopen(os.open(candidate, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(change.content or "")
        file.flush()
        os.fsync(file.fileno())
    return candidate


def _check(database: Database, path: Path, kind: CredentialKind) -> ChecksReading:
    if kind is CredentialKind.EMBEDDINGS:
        return checks.check_embeddings(path)
    with database.read() as connection:
        api_url = str(get_setting(connection, "sheets.api_url"))
    return checks.check_key_only(path, api_url=api_url)


def _take_over(
    connection: Connection, before: CredentialsReading | None, reading: CredentialsReading, tried: ChecksReading, *, stamp: str
) -> None:
    rows.put_credentials(connection, reading, stamp)
    if reading.kind is CredentialKind.GOOGLE:
        if before and before.account != reading.account:
            check_rows.forget_sheets(connection)  # what the other account was allowed says nothing of this one
        check_rows.put_checks(connection, tried.checks)


def _stamp(path: Path) -> str:
    """What a file is like, followed through its link: another one when it was written to or replaced."""
    try:
        found = path.stat()
    except OSError:
        return "missing"
    return f"{found.st_mtime_ns}:{found.st_size}:{found.st_ino}"


def recheck_changed(database: Database, config: Config, *, actor: str) -> None:
    """Try every registered file that has changed since it was last tried: whoever keeps it there tells nobody."""
    for kind in CredentialKind:
        path = config.credentials_dir / kind
        with database.read() as connection:
            reading, before = rows.get_credentials(connection, kind), rows.get_stamp(connection, kind)
        stamp = _stamp(path)
        if reading is not None and reading.origin == "registered" and stamp != before:
            _recheck(database, reading, _check(database, path, kind), before=before, stamp=stamp, actor=actor)


def _recheck(database: Database, reading: CredentialsReading, tried: ChecksReading, *, before: str | None, stamp: str, actor: str) -> None:
    failed = next((check for check in tried.checks if check.state is CheckState.FAILED), None)
    now = reading.model_copy(update={"account": tried.account or reading.account})
    with database.write() as connection:
        if rows.get_stamp(connection, reading.kind) != before:  # replaced meanwhile, or another worker was faster
            return
        _take_over(connection, reading, now, tried, stamp=stamp)
        record_action(
            connection,
            actor=actor,
            action="recheck_credentials",
            object_id=reading.kind,
            before=_describe(reading),
            after=_describe(now),
            outcome=f"failed: {failed.name}" if failed else "passed",
        )


def delete_credentials(database: Database, config: Config, kind: CredentialKind, *, actor: str, request_id: str) -> None:
    """Forget a secret and what was found out with it; of a registered file only the registration. 404 when none is stored."""
    with database.write() as connection:
        before = rows.get_credentials(connection, kind)
        if before is None:
            raise ServiceError(ErrorCode.NOT_FOUND, f"No secret of the kind {kind} is stored.", action="It may have been deleted already.")
        rows.delete_credentials(connection, kind)
        if kind is CredentialKind.GOOGLE:
            check_rows.forget_all(connection)
        was, action = _describe(before), "delete_credentials"
        record_action(connection, actor=actor, action=action, object_id=kind, before=was, outcome="done", request_id=request_id)
        (config.credentials_dir / kind).unlink(missing_ok=True)


def _describe(reading: CredentialsReading | None) -> dict[str, str | None] | None:
    return {"account": reading.account, "origin": reading.origin} if reading else None


def check_settings(database: Database, config: Config, request: CheckRequest, *, actor: str, request_id: str) -> ChecksReading:
    """Try the stored Google key, and the sheet the request names; remembered, so that banners and the gate know."""
    with database.read() as connection:
        api_url = str(get_setting(connection, "sheets.api_url"))
    tried = checks.check_google(config.credentials_dir / CredentialKind.GOOGLE, api_url=api_url, request=request)
    with database.write() as connection:
        remember(connection, tried.checks)
        record_action(
            connection,
            actor=actor,
            action="check_settings",
            object_id=next((check.spreadsheet_id for check in tried.checks if check.spreadsheet_id), "google"),
            after={check.name: check.state for check in tried.checks},
            outcome="passed" if tried.passed else "failed",
            request_id=request_id,
        )
    return tried


def remember(connection: Connection, tried: list[Check]) -> None:
    """Keep how these ended. A spreadsheet whose address is none has no place to be kept at."""
    of_a_key = {CheckName.FILE_READABLE, CheckName.JSON_SHAPE, CheckName.PRIVATE_MODE, CheckName.KEY_ACCEPTED}
    check_rows.put_checks(connection, [check for check in tried if check.spreadsheet_id or check.name in of_a_key])
