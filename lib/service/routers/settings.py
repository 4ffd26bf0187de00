"""Settings: read and change."""

from __future__ import annotations

from fastapi import APIRouter

from lib.contract.checks import CheckRequest, ChecksReading
from lib.contract.credentials import CredentialsChange, CredentialsReading
from lib.contract.errors import ErrorCode
from lib.contract.settings import SettingChange, SettingReading, SettingsReading
from lib.contract.states import CredentialKind
from lib.service import credentials, settings
from lib.service.routers.deps import Admin, Operator, RequestId, ServicesDep, Viewer, problems

router = APIRouter(prefix="/api/settings", tags=["settings"])


@router.get("")
def list_settings(_: Viewer, services: ServicesDep) -> SettingsReading:
    """Every setting as it stands."""
    return settings.list_settings(services.database)


@router.put("/credentials", responses=problems(ErrorCode.CREDENTIALS_REJECTED, ErrorCode.CROSS_SITE))
def put_credentials(body: CredentialsChange, who: Admin, services: ServicesDep, request_id: RequestId) -> CredentialsReading:
    """Store a secret that passes its checks. It is never shown again; the one before stays until then."""
    return credentials.put_credentials(services.database, services.config, body, actor=who.actor, request_id=request_id)


@router.delete("/credentials/{kind}", status_code=204, responses=problems(ErrorCode.NOT_FOUND, ErrorCode.CROSS_SITE))
def delete_credentials(kind: CredentialKind, who: Admin, services: ServicesDep, request_id: RequestId) -> None:
    """Forget a secret. What needs it is refused until another one is stored; of a registered file only the registration goes."""
    credentials.delete_credentials(services.database, services.config, kind, actor=who.actor, request_id=request_id)


@router.post("/check", responses=problems(ErrorCode.CROSS_SITE))
def check_settings(body: CheckRequest, who: Operator, services: ServicesDep, request_id: RequestId) -> ChecksReading:
    """Try the Google key and a sheet for real; every check ends within seconds, one way or the other."""
    return credentials.check_settings(services.database, services.config, body, actor=who.actor, request_id=request_id)


@router.put("/{name}", responses=problems(ErrorCode.NOT_FOUND, ErrorCode.REFUSED, ErrorCode.CHANGED_MEANWHILE, ErrorCode.CROSS_SITE))
def put_setting(name: str, body: SettingChange, who: Admin, services: ServicesDep, request_id: RequestId) -> SettingReading:
    """Change one setting; with ``expected``, only if it is still what the person saw."""
    return settings.put_setting(services.database, name, body, actor=who.actor, request_id=request_id)
