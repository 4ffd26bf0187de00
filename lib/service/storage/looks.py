"""The tables of looking: when each person last did, and what somebody wanted others to see as it was."""

from __future__ import annotations

from sqlalchemy import Column, String, Table, Text

from lib.service.storage.columns import Instant, Json, metadata

visits = Table(
    "visits",
    metadata,
    Column("actor", Text, primary_key=True),
    Column("seen_at", Instant, nullable=False),
    Column("since", Instant),  # when the visit before this one ended; null on the first
)

moments = Table(
    "moments",
    metadata,
    Column("moment_id", String(32), primary_key=True),
    Column("taken_at", Instant, nullable=False, index=True),
    Column("taken_by", Text, nullable=False),
    Column("readings", Json, nullable=False),
)
