"""The tables by which the workers are run: how many, how fast, and what people noted of it."""

from __future__ import annotations

from sqlalchemy import Column, Float, Integer, String, Table, Text
from sqlalchemy.types import BigInteger

from lib.service.storage.columns import BigId, Instant, metadata

# What each worker had processed at a moment of the last quarter of an hour, or of the one before its last work.
worker_samples = Table(
    "worker_samples",
    metadata,
    Column("worker_id", Text, primary_key=True),
    Column("at", Instant, primary_key=True),
    Column("processed", BigInteger, nullable=False),
)

# How many embedding workers the service of a machine keeps running.
crews = Table(
    "crews",
    metadata,
    Column("host", Text, primary_key=True),
    Column("embedding", Integer, nullable=False),
    Column("changed_by", Text),  # null while it is what the environment said
    Column("changed_at", Instant),
)

# How long batches took, by embedder and size (the next power of two): what a change of the batch size would do.
paces = Table(
    "paces",
    metadata,
    Column("fingerprint", String(32), primary_key=True),
    Column("size", Integer, primary_key=True, autoincrement=False),
    Column("batches", Float(53), nullable=False),
    Column("rows", Float(53), nullable=False),
    Column("seconds", Float(53), nullable=False),
)

# What imports took, from the moment they were applied until nothing waited; null: not done yet.
runs = Table(
    "runs",
    metadata,
    Column("run_id", BigId, primary_key=True),
    Column("job_id", String(32), nullable=False),
    Column("fingerprint", String(32), nullable=False),
    Column("waiting", Integer, nullable=False),  # its rows, and all that waited with them
    Column("workers", Integer, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("ended_at", Instant),
)

shift_log = Table(
    "shift_log",
    metadata,
    Column("entry_id", BigId, primary_key=True),
    Column("at", Instant, nullable=False, index=True),
    Column("kind", String(16), nullable=False),
    Column("actor", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("job_id", String(32)),
)
