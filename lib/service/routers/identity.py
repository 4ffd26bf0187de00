"""Who the service takes the caller for."""

from __future__ import annotations

from fastapi import APIRouter

from lib.contract.identity import IdentityReading
from lib.service.routers.deps import Viewer

router = APIRouter(prefix="/api/identity", tags=["access"])


@router.get("")
def get_identity(who: Viewer) -> IdentityReading:
    """The name the audit will carry, and the role."""
    return IdentityReading(actor=who.actor, role=who.role)
