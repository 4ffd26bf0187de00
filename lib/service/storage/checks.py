"""How each check last ended."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy import Connection

from lib.contract.checks import Check
from lib.contract.states import CheckName, CheckState
from lib.service.storage.access import checks

#: Checks of so many spreadsheets are kept; those not tried for the longest time are forgotten first.
KEEP_SPREADSHEETS = 20
_PLACE = {name: place for place, name in enumerate(CheckName)}


def list_checks(connection: Connection) -> list[Check]:
    """Those of the key first, then by spreadsheet, the one tried last first; each in the order of ``CheckName``."""
    found = [Check.model_validate(dict(row._mapping)) for row in connection.execute(sa.select(checks))]
    tried = {
        spreadsheet_id: max(check.checked_at for check in found if check.spreadsheet_id == spreadsheet_id) for spreadsheet_id in _ids(found)
    }
    found.sort(key=lambda check: _PLACE[check.name])
    found.sort(key=lambda check: (check.spreadsheet_id == "", tried[check.spreadsheet_id]), reverse=True)
    return found


def _ids(found: Iterable[Check]) -> set[str]:
    return {check.spreadsheet_id for check in found}


def put_checks(connection: Connection, done: Iterable[Check]) -> None:
    """Remember how these ended. What was skipped says nothing new: the last real outcome stands."""
    for check in done:
        if check.state is not CheckState.SKIPPED:
            connection.execute(sa.delete(checks).where(checks.c.name == check.name, checks.c.spreadsheet_id == check.spreadsheet_id))
            connection.execute(sa.insert(checks).values(**check.model_dump()))
    newest = sa.func.max(checks.c.checked_at)
    query = (
        sa.select(checks.c.spreadsheet_id).where(checks.c.spreadsheet_id != "").group_by(checks.c.spreadsheet_id).order_by(newest.desc())
    )
    old = connection.execute(query.offset(KEEP_SPREADSHEETS).limit(1000)).scalars().all()
    if old:
        connection.execute(sa.delete(checks).where(checks.c.spreadsheet_id.in_(old)))


def forget_sheets(connection: Connection) -> None:
    """Drop what is known of every spreadsheet; what is known of the key stays."""
    connection.execute(sa.delete(checks).where(checks.c.spreadsheet_id != ""))


def forget_all(connection: Connection) -> None:
    """Drop what is known of the key and of every spreadsheet."""
    connection.execute(sa.delete(checks))


def get_check(connection: Connection, name: CheckName, spreadsheet_id: str = "") -> Check | None:
    """How this one last ended."""
    query = sa.select(checks).where(checks.c.name == name, checks.c.spreadsheet_id == spreadsheet_id)
    row = connection.execute(query).one_or_none()
    return Check.model_validate(dict(row._mapping)) if row else None
