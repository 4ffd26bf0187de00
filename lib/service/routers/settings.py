"""Settings: read and change."""

from __future__ import annotations

from fastapi import APIRouter

from lib.contract.errors import ErrorCode
from lib.contract.settings import SettingChange, SettingReading, SettingsReading
from lib.service import settings
from lib.service.routers.deps import Admin, RequestId, ServicesDep, Viewer, problems

router = APIRouter(prefix="/api/settings", tags=["settings"])


@router.get("")
def list_settings(_: Viewer, services: ServicesDep) -> SettingsReading:
    """Every setting as it stands."""
    return settings.list_settings(services.database)


@router.put("/{name}", responses=problems(ErrorCode.NOT_FOUND, ErrorCode.CHANGED_MEANWHILE, ErrorCode.CROSS_SITE))
def put_setting(name: str, body: SettingChange, who: Admin, services: ServicesDep, request_id: RequestId) -> SettingReading:
    """Change one setting; with ``expected``, only if it is still what the person saw."""
    return settings.put_setting(services.database, name, body, actor=who.actor, request_id=request_id)
