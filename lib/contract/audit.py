"""Who did what."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from lib.contract.model import Reading


class AuditEntry(Reading):
    """One action of a person: on what, from → to, and how it ended; refusals included."""

    audit_id: int
    at: datetime
    actor: str
    action: str
    object_id: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    outcome: str
    request_id: str | None


class AuditPage(Reading):
    """Actions, newest first."""

    items: list[AuditEntry]
    next_cursor: str | None = None
    total: int | None = None  #: how many match, on all pages; null when the service does not say
    taken_at: datetime
