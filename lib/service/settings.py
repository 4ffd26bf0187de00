"""Read and change settings: checked against their declaration, with a trace."""

from __future__ import annotations

from lib.contract.errors import ErrorCode, FieldError
from lib.contract.model import utc_now
from lib.contract.operations import Reason
from lib.contract.settings import SETTINGS, SettingChange, SettingReading, SettingsReading
from lib.service import gate
from lib.service.errors import GateRefused, ServiceError
from lib.service.storage import settings as rows
from lib.service.storage.audit import outcome_of, record_action
from lib.service.storage.checks import list_checks
from lib.service.storage.credentials import list_credentials
from lib.service.storage.database import Database


def list_settings(database: Database) -> SettingsReading:
    """Every setting as it stands."""
    with database.read() as connection:
        return SettingsReading(
            settings=rows.list_settings(connection),
            credentials=list_credentials(connection),
            checks=list_checks(connection),
            taken_at=utc_now(),
        )


def put_setting(database: Database, name: str, change: SettingChange, *, actor: str, request_id: str) -> SettingReading:
    """Change one setting; 404 when there is none of that name, 422 out of bounds, 409 when it changed since it was shown."""
    setting = SETTINGS.get(name)
    if setting is None:
        raise ServiceError(ErrorCode.NOT_FOUND, f"No setting is called {name}.")
    if why := setting.check(change.value):
        raise ServiceError(ErrorCode.INVALID, why, errors=[FieldError(pointer="/body/value", detail=why)])
    with database.write() as connection:
        stands = next(reading for reading in rows.list_settings(connection) if reading.name == name)
        decision = gate.decide_setting(stands, expected=change.expected)
        if decision.allowed:
            decision = gate.decide_embedder(connection, name, change.value)
        if decision.allowed:
            rows.put_setting(connection, name, change.value, by=actor, now=utc_now())
        record_action(
            connection,
            actor=actor,
            action="put_setting",
            object_id=name,
            before={"value": stands.value},
            after={"value": change.value},
            outcome=outcome_of(decision),
            request_id=request_id,
        )
        now_is = next(reading for reading in rows.list_settings(connection) if reading.name == name)
    if decision.reason_code is Reason.CHANGED_SINCE_SHOWN:
        raise ServiceError(ErrorCode.CHANGED_MEANWHILE, decision.reason_text, gate=decision)
    if not decision.allowed:
        raise GateRefused(decision)
    return now_is
