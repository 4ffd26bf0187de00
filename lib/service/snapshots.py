"""Snapshots as people see them: listed, and deleted by typing their name."""

from __future__ import annotations

import shutil
from contextlib import suppress

from lib.contract.errors import ErrorCode
from lib.contract.model import utc_now
from lib.contract.operations import Reason
from lib.contract.snapshots import SnapshotPage
from lib.service import gate
from lib.service.config import Config
from lib.service.errors import GateRefused, ServiceError
from lib.service.storage import snapshots as rows
from lib.service.storage.audit import record_action
from lib.service.storage.database import Database

#: Safety snapshots beyond these are removed, oldest first; those people took stay until people delete them.
KEPT_AUTOMATIC = 5


def list_snapshots(database: Database) -> SnapshotPage:
    """The newest first."""
    with database.read() as connection:
        return SnapshotPage(items=rows.list_snapshots(connection), kept=KEPT_AUTOMATIC, taken_at=utc_now())


def delete_snapshot(database: Database, config: Config, snapshot_id: str, *, typed_name: str, actor: str, request_id: str) -> None:
    """Remove a snapshot for good; 404 when there is none, 409 when the typed name is another."""
    with database.write() as connection:
        snapshot = rows.get_snapshot(connection, snapshot_id)
        if snapshot is None:
            raise ServiceError(ErrorCode.NOT_FOUND, f"There is no snapshot {snapshot_id}.")
        right = typed_name.strip() == snapshot.name
        if right:
            rows.delete_snapshot(connection, snapshot_id)
        record_action(
            connection,
            actor=actor,
            action="delete_snapshot",
            object_id=snapshot_id,
            before=snapshot.model_dump(mode="json"),
            outcome="done" if right else f"refused: {Reason.NAME_NOT_TYPED}",
            request_id=request_id,
        )
    if not right:
        text = f"To delete a snapshot for good, type its name: {snapshot.name}"
        raise GateRefused(gate.refuse(Reason.NAME_NOT_TYPED, text, holder=snapshot_id, link="/Index"))
    # After the commit: a row without files would be a lie, files without a row are swept.
    shutil.rmtree(config.snapshots_dir / snapshot_id, ignore_errors=True)


def sweep_snapshots(database: Database, config: Config) -> None:
    """Drop old safety snapshots, and folders no row names."""
    with database.write() as connection:
        for snapshot in rows.list_snapshots(connection, automatic=True)[KEPT_AUTOMATIC:]:
            rows.delete_snapshot(connection, snapshot.snapshot_id)
    with database.read() as connection:
        known = {snapshot.snapshot_id for snapshot in rows.list_snapshots(connection)}
    hour_ago = utc_now().timestamp() - 3600  # a younger folder may be of a job that has not written its row yet
    for folder in config.snapshots_dir.iterdir():
        with suppress(FileNotFoundError):  # a copy got its final name this moment, or another worker sweeps too
            if folder.name not in known and folder.stat().st_mtime < hour_ago:
                shutil.rmtree(folder, ignore_errors=True)
