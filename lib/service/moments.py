"""Moments: what a link shows beside the present, long after."""

from __future__ import annotations

from datetime import timedelta
from secrets import token_hex
from typing import Any

from lib.contract.errors import ErrorCode
from lib.contract.model import utc_now
from lib.contract.moments import Moment
from lib.service.errors import ServiceError
from lib.service.storage import moments as rows
from lib.service.storage.audit import record_action
from lib.service.storage.database import Database
from lib.service.telemetry import Telemetry

KEEP_MOMENTS = timedelta(days=30)
#: The topics a moment keeps. Settings are not among them: who changed them from what to what stands in the audit.
KEPT = ("queue", "workers", "jobs", "index")


def create_moment(database: Database, telemetry: Telemetry, *, actor: str, request_id: str) -> Moment:
    """Keep what is known now."""
    snapshot, taken_at = telemetry.snapshot(), utc_now()
    readings = {topic: getattr(snapshot, topic).model_dump(mode="json") for topic in KEPT}
    moment_id = f"{taken_at:%Y%m%dT%H%M%SZ}-{token_hex(3)}"
    with database.write() as connection:
        rows.insert_moment(connection, moment_id=moment_id, taken_at=taken_at, taken_by=actor, readings=readings)
        record_action(connection, actor=actor, action="create_moment", object_id=moment_id, request_id=request_id)
    return get_moment(database, moment_id)


def get_moment(database: Database, moment_id: str) -> Moment:
    """What was known then."""
    with database.read() as connection:
        row: Any = rows.get_moment(connection, moment_id)
    if row is None:
        detail = "No moment has this id, or it was removed: moments are kept for 30 days."
        raise ServiceError(ErrorCode.NOT_FOUND, detail)
    about = {"moment_id": row.moment_id, "taken_at": row.taken_at, "taken_by": row.taken_by, "expires_at": row.taken_at + KEEP_MOMENTS}
    return Moment.model_validate(about | row.readings)
