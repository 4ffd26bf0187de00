"""Snapshots as people see them: listed, renamed, pinned, downloaded, and deleted by typing their name."""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from lib.contract.errors import ErrorCode, FieldError
from lib.contract.model import utc_now
from lib.contract.names import is_seen, is_typed
from lib.contract.operations import Reason
from lib.contract.snapshots import Snapshot, SnapshotChange, SnapshotPage
from lib.service import gate
from lib.service.config import Config
from lib.service.errors import GateRefused, ServiceError
from lib.service.index.bundle import SUFFIX, Bundle, BundleFacts
from lib.service.storage import snapshots as rows
from lib.service.storage.audit import record_action
from lib.service.storage.database import Database

#: Safety snapshots beyond these are removed, oldest first; those people took or pinned stay until people delete them.
KEPT_AUTOMATIC = 5
#: One of them that somebody fetched a part of stays so long: a broken download can go on.
KEPT_FOR_DOWNLOAD = timedelta(hours=6)
_NOTED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True)
class Download:
    """A snapshot as one file."""

    bundle: Bundle
    sha256: str
    name: str


def list_snapshots(database: Database) -> SnapshotPage:
    """The newest first."""
    with database.read() as connection:
        return SnapshotPage(items=rows.list_snapshots(connection), kept=KEPT_AUTOMATIC, taken_at=utc_now())


def get_snapshot(database: Database, snapshot_id: str) -> Snapshot:
    """The snapshot; 404 when there is none."""
    with database.read() as connection:
        return _found(rows.get_snapshot(connection, snapshot_id), snapshot_id)


def _found(snapshot: Snapshot | None, snapshot_id: str) -> Snapshot:
    if snapshot is None:
        raise ServiceError(ErrorCode.NOT_FOUND, f"There is no snapshot {snapshot_id}.")
    return snapshot


def change_snapshot(database: Database, snapshot_id: str, change: SnapshotChange, *, actor: str, request_id: str) -> Snapshot:
    """Another name, another note, a pin or none; 404 when there is no such snapshot."""
    values = {name: value.strip() if isinstance(value, str) else value for name, value in change.model_dump(exclude_none=True).items()}
    if not is_seen(values.get("name", snapshot_id)):
        raise ServiceError(ErrorCode.INVALID, "A snapshot needs a name.", errors=[FieldError(pointer="/name", detail="It is empty.")])
    with database.write() as connection:
        before = _found(rows.get_snapshot(connection, snapshot_id), snapshot_id).model_dump()
        if values:
            rows.change_snapshot(connection, snapshot_id, **values)
        record_action(
            connection,
            actor=actor,
            action="change_snapshot",
            object_id=snapshot_id,
            before={name: before[name] for name in values},
            after=values,
            outcome="done",
            request_id=request_id,
        )
        return _found(rows.get_snapshot(connection, snapshot_id), snapshot_id)


def open_download(database: Database, config: Config, snapshot_id: str) -> Download:
    """The snapshot as one file, ready to be sent; 404 when there is none."""
    snapshot = get_snapshot(database, snapshot_id)
    try:
        bundle = Bundle(config.snapshots_dir / snapshot_id)
        facts = _facts_of(database, snapshot, bundle)
    except FileNotFoundError as missing:
        raise ServiceError(ErrorCode.NOT_FOUND, f"The files of snapshot “{snapshot.name}” are gone.", action="Take another.") from missing
    now = utc_now()
    if snapshot.fetched_at is None or now - snapshot.fetched_at > _NOTED_EVERY:
        with database.write() as connection:
            rows.change_snapshot(connection, snapshot_id, fetched_at=now)
    return Download(bundle, facts.sha256, _file_name(snapshot))


def _facts_of(database: Database, snapshot: Snapshot, bundle: Bundle) -> BundleFacts:
    if snapshot.bundle_sha256 and snapshot.bundle_bytes:
        return BundleFacts(snapshot.bundle_sha256, snapshot.bundle_bytes)
    facts = bundle.facts()
    with database.write() as connection:
        rows.change_snapshot(connection, snapshot.snapshot_id, bundle_sha256=facts.sha256, bundle_bytes=facts.size_bytes)
    return facts


def _file_name(snapshot: Snapshot) -> str:
    """Recognisable, and harmless wherever it is saved."""
    words = "".join(each if each.isascii() and each.isalnum() else "-" for each in snapshot.name).strip("-")
    return f"{words or 'snapshot'}-generation-{snapshot.generation}{SUFFIX}"


def delete_snapshot(database: Database, config: Config, snapshot_id: str, *, typed_name: str, actor: str, request_id: str) -> None:
    """Remove a snapshot for good; 404 when there is none, 409 when the typed name is another."""
    with database.write() as connection:
        snapshot = _found(rows.get_snapshot(connection, snapshot_id), snapshot_id)
        right = is_typed(typed_name, snapshot.name)
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
        for snapshot_id in rows.list_expendable(connection, keep=KEPT_AUTOMATIC, fetched_before=utc_now() - KEPT_FOR_DOWNLOAD):
            rows.delete_snapshot(connection, snapshot_id)
    with database.read() as connection:
        known = {snapshot.snapshot_id for snapshot in rows.list_snapshots(connection)}
    hour_ago = utc_now().timestamp() - 3600  # a younger folder may be of a job that has not written its row yet
    for folder in config.snapshots_dir.iterdir():
        with suppress(FileNotFoundError):  # a copy got its final name this moment, or another worker sweeps too
            if folder.name not in known and folder.stat().st_mtime < hour_ago:
                shutil.rmtree(folder, ignore_errors=True)
