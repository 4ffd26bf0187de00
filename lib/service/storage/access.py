"""The tables of access to the world outside: which secrets are stored (never what they are), and whether they work."""

from __future__ import annotations

from sqlalchemy import Column, Float, String, Table, Text

from lib.service.storage.columns import Instant, metadata

credentials = Table(
    "credentials",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("account", Text),
    Column("origin", String(16), nullable=False),
    Column("changed_at", Instant, nullable=False),
    Column("changed_by", Text, nullable=False),
    Column("stamp", Text),  # what its file was like when it was last tried: time, size, inode
)

# How each check last ended; those of the key itself have an empty spreadsheet_id.
checks = Table(
    "checks",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("spreadsheet_id", String(100), primary_key=True),
    Column("spreadsheet_title", Text, nullable=False),
    Column("tab", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("detail", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("code", String(32)),
    Column("seconds", Float(53), nullable=False),
    Column("checked_at", Instant, nullable=False),
)
