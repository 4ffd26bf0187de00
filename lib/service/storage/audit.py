"""The trace every action leaves, written in the transaction of the action itself."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from lib.contract.audit import AuditEntry
from lib.contract.model import utc_now
from lib.contract.operations import Gate
from lib.service.storage import schema


def record_action(
    connection: Connection,
    *,
    actor: str,
    action: str,
    object_id: str | None = None,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    outcome: str = "done",
    request_id: str | None = None,
) -> None:
    """Who did what, on what, from → to, and how it ended. No value given here may be a secret."""
    connection.execute(
        sa.insert(schema.audit).values(
            at=utc_now(),
            actor=actor,
            action=action,
            object_id=object_id,
            before=before,
            after=after,
            outcome=outcome,
            request_id=request_id,
        )
    )


def outcome_of(decision: Gate, *, done: str = "done") -> str:
    """How an action ended that the gate has decided: ``done``, or refused and why."""
    return done if decision.allowed else f"refused: {decision.reason_code}"


def forget_old(connection: Connection, before: datetime) -> None:
    """Drop actions by age."""
    connection.execute(sa.delete(schema.audit).where(schema.audit.c.at < before))


def list_actions(connection: Connection, *, before: int | None, limit: int, object_id: str | None = None) -> list[AuditEntry]:
    """Actions, newest first; those on one object can be asked for alone."""
    query = sa.select(schema.audit).where(*_on(object_id)).order_by(schema.audit.c.audit_id.desc()).limit(limit)
    if before:
        query = query.where(schema.audit.c.audit_id < before)
    return [AuditEntry.model_validate(dict(row._mapping)) for row in connection.execute(query)]


def count_actions(connection: Connection, *, object_id: str | None = None) -> int:
    """How many there are, or how many on one object."""
    query = sa.select(sa.func.count()).select_from(schema.audit).where(*_on(object_id))
    return int(connection.execute(query).scalar_one())


def _on(object_id: str | None) -> list[sa.ColumnElement[bool]]:
    return [schema.audit.c.object_id == object_id] if object_id else []
