"""The tables by which an index is judged."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Integer, String, Table, Text
from sqlalchemy.types import BigInteger

from lib.service.storage.columns import Instant, Json, metadata

golden_questions = Table(
    "golden_questions",
    metadata,
    Column("question_id", String(32), primary_key=True),
    Column("text", Text, nullable=False),
    Column("expected_keys", Json, nullable=False),
    Column("k", Integer, nullable=False),
    Column("note", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("changed_at", Instant, nullable=False),
)

golden_runs = Table(
    "golden_runs",
    metadata,
    Column("run_id", String(32), primary_key=True),
    Column("generation", Integer, nullable=False),
    Column("embedder", Text, nullable=False),
    Column("job_id", String(32), nullable=False, index=True),
    Column("asked_at", Instant, nullable=False, index=True),
    Column("questions", Integer, nullable=False),
    Column("passed", Integer, nullable=False),
    Column("answers", Json, nullable=False),
)

index_checks = Table(
    "index_checks",
    metadata,
    Column("check_id", String(32), primary_key=True),
    Column("checked_at", Instant, nullable=False, index=True),
    Column("reading", Json, nullable=False),
)

drift_rows = Table(
    "drift_rows",
    metadata,
    Column("check_id", String(32), ForeignKey("index_checks.check_id", ondelete="CASCADE"), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("entry_id", BigInteger, nullable=False),
    Column("key", Text),
    Column("detail", Text, nullable=False),
)

# How a model that may still be served is opened, kept when the settings move on to another.
models = Table(
    "models",
    metadata,
    Column("fingerprint", String(32), primary_key=True),
    Column("settings", Json, nullable=False),
    Column("noted_at", Instant, nullable=False),
)

# Which start made in production what a rehearsal had tried; it goes with the rehearsal's job.
promotions = Table(
    "promotions",
    metadata,
    Column("rehearsal_id", String(32), ForeignKey("jobs.job_id", ondelete="CASCADE"), primary_key=True),
    Column("job_id", String(32), nullable=False),
    Column("promoted_by", Text, nullable=False),
    Column("promoted_at", Instant, nullable=False),
)
