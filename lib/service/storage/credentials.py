"""Which secrets are stored, by whom and since when. What they are stands in their files alone."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from lib.contract.credentials import CredentialsReading
from lib.contract.states import CredentialKind
from lib.service.storage.access import credentials


def list_credentials(connection: Connection) -> list[CredentialsReading]:
    """Those that are stored, by kind."""
    query = sa.select(*(credentials.c[name] for name in CredentialsReading.model_fields)).order_by(credentials.c.kind)
    return [CredentialsReading.model_validate(dict(row._mapping)) for row in connection.execute(query)]


def get_credentials(connection: Connection, kind: CredentialKind) -> CredentialsReading | None:
    """What is known of the secret of this kind."""
    return next((reading for reading in list_credentials(connection) if reading.kind is kind), None)


def get_stamp(connection: Connection, kind: CredentialKind) -> str | None:
    """What the file was like when it was last tried."""
    return connection.execute(sa.select(credentials.c.stamp).where(credentials.c.kind == kind)).scalar_one_or_none()


def delete_credentials(connection: Connection, kind: CredentialKind) -> None:
    """Nothing is stored of this kind any more."""
    connection.execute(sa.delete(credentials).where(credentials.c.kind == kind))


def put_credentials(connection: Connection, reading: CredentialsReading, stamp: str | None = None) -> None:
    """Remember that a secret was stored, and what its file was like."""
    row = reading.model_dump() | {"stamp": stamp}
    kind = row.pop("kind")
    if not connection.execute(sa.update(credentials).where(credentials.c.kind == kind).values(**row)).rowcount:
        connection.execute(sa.insert(credentials).values(kind=kind, **row))
