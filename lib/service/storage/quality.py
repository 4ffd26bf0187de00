"""The tables by which an index is judged."""

from __future__ import annotations

from sqlalchemy import Column, Integer, String, Table, Text

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
