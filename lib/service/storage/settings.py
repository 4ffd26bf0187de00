"""Values that people changed; everything else has its declared default."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from lib.contract.settings import EMBEDDER_SETTINGS, SETTINGS, SettingReading, SettingValue
from lib.contract.states import EmbedderKind
from lib.service.storage.schema import settings


def list_settings(connection: Connection) -> list[SettingReading]:
    """Every declared setting in the declared order, as it stands."""
    changed = {row.name: row for row in connection.execute(sa.select(settings))}
    return [
        SettingReading(
            name=name,
            value=changed[name].value if name in changed else setting.default,
            default=setting.default,
            changed_at=changed[name].changed_at if name in changed else None,
            changed_by=changed[name].changed_by if name in changed else None,
        )
        for name, setting in SETTINGS.items()
    ]


def get_setting(connection: Connection, name: str) -> SettingValue:
    """The value of one declared setting."""
    found: SettingValue | None = connection.execute(sa.select(settings.c.value).where(settings.c.name == name)).scalar_one_or_none()
    return SETTINGS[name].default if found is None else found


def get_values(connection: Connection) -> dict[str, SettingValue]:
    """The value of every declared setting by name."""
    return {setting.name: setting.value for setting in list_settings(connection)}


def get_embedder_settings(connection: Connection) -> dict[str, SettingValue]:
    """The values by name of those settings that choose the embedder."""
    return {name: value for name, value in get_values(connection).items() if name in EMBEDDER_SETTINGS}


def get_model(connection: Connection) -> list[SettingValue]:
    """What decides which vectors a text gets; equal for two moments when their vectors may be mixed."""
    kind = get_setting(connection, "embedding.embedder")
    more = ("embedding.model", "embedding.dimension") if kind == EmbedderKind.OPENAI else ()
    return [kind, *(get_setting(connection, name) for name in more)]


def put_setting(connection: Connection, name: str, value: SettingValue, *, by: str, now: datetime) -> None:
    """Store a checked value."""
    row = {"value": value, "changed_by": by, "changed_at": now}
    if not connection.execute(sa.update(settings).where(settings.c.name == name).values(**row)).rowcount:
        connection.execute(sa.insert(settings).values(name=name, **row))
