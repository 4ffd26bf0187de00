"""The tables of exports to Google sheets: plans, their rows, and what sheet and table last agreed on."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Integer, LargeBinary, String, Table, Text
from sqlalchemy.types import BigInteger

from lib.service.storage.columns import Instant, Json, metadata

export_plans = Table(
    "export_plans",
    metadata,
    Column("plan_id", String(32), primary_key=True),
    Column("job_id", String(32), nullable=False),
    Column("state", String(16), nullable=False),
    Column("target", Json, nullable=False),
    Column("filter", Json, nullable=False),
    Column("columns", Json),
    Column("found", Json, nullable=False),  # counts, columns, formulas: what the comparison says as a whole
    Column("row_hashes", LargeBinary),  # packed: what each row of the sheet held, to say what has moved since
    Column("table_revision", BigInteger),
    Column("error", Json),
    Column("requested_by", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("applied_by_job", String(32)),
    Column("applied", Json),
)

export_plan_rows = Table(
    "export_plan_rows",
    metadata,
    Column("plan_id", String(32), ForeignKey("export_plans.plan_id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("row", Integer),
    Column("key", Text, nullable=False),
    Column("change", String(16), nullable=False),
    Column("cells", Json, nullable=False),
)

# What a sheet and the table last agreed on, by key; ``sheet`` is the tab, or the job whose write is under way.
agreements = Table(
    "agreements",
    metadata,
    Column("sheet", String(64), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("cells", Json, nullable=False),
)
