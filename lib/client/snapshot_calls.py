"""Saved copies of the index: list, rename, pin, download, delete."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlencode

from lib.client.paths import path_of
from lib.client.transfers import download_to
from lib.client.transport import Call, Transport
from lib.contract.snapshots import Snapshot, SnapshotChange, SnapshotPage


class SnapshotsClient:
    """The part of the client that is about saved copies."""

    transport: Transport

    def list_snapshots(self) -> SnapshotPage:
        """Saved copies of the index, newest first."""
        return self.transport.get(SnapshotPage, "/api/snapshots")

    def change_snapshot(self, snapshot_id: str, change: SnapshotChange) -> Snapshot:
        """Another name, another note, a pin or none."""
        return self.transport.put(Snapshot, path_of("/api/snapshots", snapshot_id), change)

    def download_snapshot(self, snapshot_id: str, path: Path) -> Path:
        """The complete set as one file, checked against its digest, at ``path``."""
        return download_to(self.transport, snapshot_path(snapshot_id), path)

    def snapshot_link(self, snapshot_id: str, ticket: str, base_url: str | None = None) -> str:
        """The address a browser downloads the set from. ``base_url`` as the browser sees it; ``""`` for a link on the same site."""
        base = self.transport.connection.base_url if base_url is None else base_url
        return f"{base}{snapshot_path(snapshot_id)}?{urlencode({'ticket': ticket})}"

    def delete_snapshot(self, snapshot_id: str, typed_name: str) -> None:
        """Remove a snapshot for good; Refused unless its name was typed."""
        self.transport.send(Call("DELETE", path_of("/api/snapshots", snapshot_id), {"typed_name": typed_name}))


def snapshot_path(snapshot_id: str) -> str:
    """The API path of a snapshot's file; what a ticket for it is made for."""
    return path_of("/api/snapshots", snapshot_id, "file")
