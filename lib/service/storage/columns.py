"""The types our columns have. Instants are seconds since the epoch in UTC, so that both databases compare and subtract them alike."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Float, Integer, MetaData
from sqlalchemy.types import JSON, BigInteger, TypeDecorator

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

#: None is NULL, not the JSON text null.
Json = JSON(none_as_null=True)
#: SQLite counts rowids in INTEGER only; PostgreSQL needs BIGINT for the same range.
BigId = BigInteger().with_variant(Integer, "sqlite")


class Instant(TypeDecorator[datetime]):
    """An aware UTC datetime in Python, seconds since the epoch in the database."""

    impl = Float(53)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: sa.Dialect) -> float | None:
        """Datetime → seconds."""
        return None if value is None else value.timestamp()

    def process_result_value(self, value: Any, _dialect: sa.Dialect) -> datetime | None:
        """Seconds → datetime."""
        return None if value is None else datetime.fromtimestamp(value, UTC)
