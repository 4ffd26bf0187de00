"""The tables of work: who works, on what, and who asked."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Column, Float, ForeignKey, Index, Integer, String, Table, Text
from sqlalchemy.types import BigInteger, Boolean

from lib.service.storage.columns import BigId, Instant, Json, metadata

jobs = Table(
    "jobs",
    metadata,
    Column("seq", BigId, primary_key=True),
    Column("job_id", String(32), nullable=False, unique=True),
    Column("operation", String(16), nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("cancel_requested", Boolean, nullable=False, default=False),
    Column("progress", Json),
    Column("requested_by", Text, nullable=False),
    Column("arguments", Json, nullable=False),
    Column("worker_id", Text),
    Column("attempt", Integer, nullable=False, default=0),
    Column("created_at", Instant, nullable=False),
    Column("started_at", Instant),
    Column("finished_at", Instant),
    Column("result", Json),
    Column("error", Json),
    Index(None, "operation", "seq"),
)

locks = Table(
    "locks",
    metadata,
    Column("job_id", String(32), ForeignKey("jobs.job_id", ondelete="CASCADE"), primary_key=True),
    Column("operation", String(16), nullable=False),
    Column("since", Instant, nullable=False),
)

holds = Table(
    "holds",
    metadata,
    Column("job_id", String(32), ForeignKey("jobs.job_id", ondelete="CASCADE"), primary_key=True),
    Column("operation", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("since", Instant, nullable=False),
)

intentions = Table(
    "intentions",
    metadata,
    Column("intention_id", String(32), primary_key=True),
    Column("operation", String(16), nullable=False),
    Column("arguments", Json, nullable=False),
    Column("request_sha256", String(64), nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("requested_by", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("job_id", String(32)),
    Column("detail", Text),
)

job_log = Table(
    "job_log",
    metadata,
    Column("line_id", BigId, primary_key=True),
    Column("job_id", String(32), ForeignKey("jobs.job_id", ondelete="CASCADE"), nullable=False, index=True),
    Column("at", Instant, nullable=False),
    Column("level", String(8), nullable=False),
    Column("message", Text, nullable=False),
)

job_steps = Table(
    "job_steps",
    metadata,
    Column("step_id", BigId, primary_key=True),
    Column("job_id", String(32), ForeignKey("jobs.job_id", ondelete="CASCADE"), nullable=False, index=True),
    Column("attempt", Integer, nullable=False),
    Column("worker_id", Text),
    Column("name", Text, nullable=False),
    Column("started_at", Instant, nullable=False),
)

exports = Table(
    "exports",
    metadata,
    Column("export_id", String(32), primary_key=True),
    Column("job_id", String(32), nullable=False),
    Column("name", Text, nullable=False),
    Column("format", String(16), nullable=False),
    Column("rows", Integer, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False, index=True),
)

snapshots = Table(
    "snapshots",
    metadata,
    Column("snapshot_id", String(32), primary_key=True),
    Column("name", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("vectors", Integer, nullable=False),
    Column("dimension", Integer, nullable=False),
    Column("embedder", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("taken_at", Instant, nullable=False, index=True),
    Column("taken_by", Text, nullable=False),
    Column("job_id", String(32), nullable=False),
    Column("automatic", Boolean, nullable=False),
    Column("pinned", Boolean, nullable=False, default=False, server_default=sa.false()),
    Column("bundle_sha256", String(64)),  # of all of it as one file; null: taken before digests of that were kept
    Column("bundle_bytes", BigInteger),
    Column("fetched_at", Instant),  # when a part of it was last downloaded
)

workers = Table(
    "workers",
    metadata,
    Column("worker_id", Text, primary_key=True),
    Column("incarnation", String(32), nullable=False),  # one process's life; an older one that wakes up sees it lost its place
    Column("role", String(16), nullable=False),
    Column("host", Text, nullable=False),
    Column("pid", Integer),
    Column("desired", String(16), nullable=False),
    Column("desired_by", Text),
    Column("desired_reason", Text),
    Column("desired_since", Instant),
    Column("drain_ends_at", Instant),  # a drain's deadline
    Column("actual", String(16), nullable=False),
    Column("doing", Text),
    Column("doing_since", Instant),
    Column("holding", Integer, nullable=False, default=0),
    Column("embedder", Text),
    Column("processed", BigInteger, nullable=False, default=0),
    Column("failed", BigInteger, nullable=False, default=0),
    Column("rate_per_second", Float(53)),
    Column("busy_rate_per_second", Float(53)),  # while it has a batch in hand
    Column("last_failure_cause", String(32)),
    Column("last_failure_at", Instant),
    Column("started_at", Instant),
    Column("heartbeat_at", Instant),
)

settings = Table(
    "settings",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", Json, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Column("changed_by", Text, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("audit_id", BigId, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", String(64), nullable=False),
    Column("object_id", Text),
    Column("before", Json),
    Column("after", Json),
    Column("outcome", Text, nullable=False),
    Column("request_id", String(64)),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("key", String(255), primary_key=True),
    Column("actor", Text, primary_key=True),
    Column("request_sha256", String(64), nullable=False),
    Column("job_id", String(32), nullable=False),
    Column("created_at", Instant, nullable=False, index=True),
)
