"""Saved copies of a generation."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from lib.contract.model import Reading, Request


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
    pinned: bool = Field(False, description="kept until somebody deletes it, also when it is automatic")
    bundle_sha256: str | None = Field(None, description="of the one file it is downloaded as")
    bundle_bytes: int | None = Field(None, description="the size of that file")
    fetched_at: datetime | None = Field(None, description="when somebody last downloaded a part of it; null: nobody has")


class SnapshotChange(Request):
    """What to change of a snapshot; what is left out stays."""

    name: str | None = Field(None, min_length=1, max_length=80)
    note: str | None = Field(None, max_length=500)
    pinned: bool | None = None


class SnapshotPage(Reading):
    """Snapshots, newest first. Automatic ones beyond ``kept`` are removed, oldest first, unless they are pinned."""

    items: list[Snapshot]
    kept: int
    taken_at: datetime
