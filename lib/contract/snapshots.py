"""Saved copies of a generation."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from lib.contract.model import Reading


class Snapshot(Reading):
    """One saved copy: the FAISS file, its ids and a manifest with a checksum of each."""

    snapshot_id: str
    name: str
    note: str
    generation: int
    vectors: int
    dimension: int
    embedder: str
    size_bytes: int
    sha256: str = Field(description="of the FAISS file")
    taken_at: datetime
    taken_by: str
    job_id: str
    automatic: bool = Field(description="a safety snapshot the service took by itself before something destructive")


class SnapshotPage(Reading):
    """Snapshots, newest first. Automatic ones beyond ``kept`` are removed, oldest first."""

    items: list[Snapshot]
    kept: int
    taken_at: datetime
