"""The tables of the road: what people gave us, what waits, what came of it.

Those of work stand in ``work``, those by which the workers are run in ``fleet``, those by which an index is judged
in ``quality``, those of looking in ``looks``; all are named here.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, LargeBinary, String, Table, Text
from sqlalchemy.types import BigInteger

from lib.service.storage.access import checks, credentials
from lib.service.storage.columns import BigId, Instant, Json, metadata
from lib.service.storage.fleet import crews, paces, runs, shift_log, worker_samples
from lib.service.storage.looks import moments, visits
from lib.service.storage.quality import drift_rows, golden_questions, golden_runs, index_checks, models, promotions
from lib.service.storage.sheets import agreements, export_plan_rows, export_plans
from lib.service.storage.work import (
    audit,
    exports,
    holds,
    idempotency,
    intentions,
    job_log,
    job_steps,
    jobs,
    locks,
    settings,
    snapshots,
    workers,
)

__all__ = [
    "BigId",
    "Instant",
    "Json",
    "agreements",
    "audit",
    "checks",
    "counters",
    "credentials",
    "crews",
    "drift_rows",
    "embeddings",
    "entries",
    "export_plan_rows",
    "export_plans",
    "exports",
    "golden_questions",
    "golden_runs",
    "holds",
    "idempotency",
    "import_changes",
    "index_checks",
    "intentions",
    "item_events",
    "items",
    "job_log",
    "job_steps",
    "jobs",
    "locks",
    "mappings",
    "metadata",
    "models",
    "moments",
    "paces",
    "plan_marks",
    "plan_rows",
    "plans",
    "promotions",
    "queue_samples",
    "removals",
    "runs",
    "settings",
    "shift_log",
    "snapshots",
    "uploads",
    "vectors",
    "visits",
    "worker_samples",
    "workers",
]

# --- what people gave us ---------------------------------------------------------------------------------------------

entries = Table(
    "entries",
    metadata,
    Column("entry_id", BigId, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("text", Text, nullable=False),
    # {column: value}; with a single text column its value is null, for it is `text` itself: long cells are kept once
    Column("texts", Json, nullable=False),
    Column("fields", Json, nullable=False),
    Column("content_hash", LargeBinary(16), nullable=False),  # of the text: what is embedded
    Column("record_hash", LargeBinary(16), nullable=False),  # of all mapped columns: what an import compares
    Column("import_id", String(32), nullable=False, index=True),  # the job that wrote it last
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    sqlite_autoincrement=True,  # an id is never used twice: the index remembers ids of removed entries until it refreshes
)

uploads = Table(
    "uploads",
    metadata,
    Column("upload_id", String(32), primary_key=True),
    Column("name", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_at", Instant, nullable=False, index=True),
)

plans = Table(
    "plans",
    metadata,
    Column("plan_id", String(32), primary_key=True),
    Column("job_id", String(32), nullable=False),
    Column("state", String(16), nullable=False),
    Column("source", Json, nullable=False),
    Column("source_name", Text, nullable=False),
    Column("source_sha256", String(64)),
    Column("mapping", Json, nullable=False),
    Column("mode", String(16), nullable=False),
    Column("counts", Json, nullable=False),
    Column("to_embed", Integer),
    Column("held_removals", Integer, nullable=False, default=0),
    Column("rules", Json),  # {rule: how many rows break it}
    Column("unticked", Json),  # {change: how many rows of it a person has unticked}
    Column("left_out_cells", Integer, nullable=False, server_default="0"),  # single columns of rows that are ticked
    Column("ticks_revision", Integer, nullable=False, server_default="0"),
    Column("fingerprint", String(32)),  # of the model for which ``to_embed`` was counted
    Column("table_revision", BigInteger),
    Column("error", Json),
    Column("read_as", Json),  # contract.imports.ReadAs
    Column("requested_by", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("applied_by_job", String(32), index=True),
    Column("applied", Json),  # what applying it did, written in the same transaction
)

# Of each record a plan was made from: a mark by which it is said later which rows have moved (``sheets.row_marks``).
plan_marks = Table(
    "plan_marks",
    metadata,
    Column("plan_id", String(32), ForeignKey("plans.plan_id", ondelete="CASCADE"), primary_key=True),
    Column("marks", LargeBinary, nullable=False),
)

# How a source was mapped and read when it was last imported, by what it is called.
mappings = Table(
    "mappings",
    metadata,
    Column("source_key", Text, primary_key=True),
    Column("mapping", Json, nullable=False),
    Column("source", Json, nullable=False),
    Column("used_by", Text, nullable=False),
    Column("used_at", Instant, nullable=False),
)

plan_rows = Table(
    "plan_rows",
    metadata,
    Column("plan_id", String(32), ForeignKey("plans.plan_id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("row", Integer),
    Column("change", String(16), nullable=False),
    Column("key", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("texts", Json, nullable=False),
    Column("fields", Json, nullable=False),
    Column("content_hash", LargeBinary(16)),
    Column("record_hash", LargeBinary(16)),
    Column("entry_id", BigId),
    Column("differences", Json),
    Column("errors", Json),
    Column("ticked", Boolean, nullable=False, server_default=sa.true()),
    Column("left_out", Json),  # columns of a changed row that stay as they are; the row holds what would be written
    Index(None, "plan_id", "change", "position"),
)

# --- what waits, and what came of it ---------------------------------------------------------------------------------

items = Table(
    "items",
    metadata,
    Column("entry_id", BigId, ForeignKey("entries.entry_id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("content_hash", LargeBinary(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("priority", Integer, nullable=False, default=0),
    Column("due_at", Instant, nullable=False),  # when its turn is: the time it became available, less an hour for each priority
    Column("attempts", Integer, nullable=False, default=0),
    Column("enqueued_at", Instant, nullable=False),
    Column("available_at", Instant, nullable=False),
    Column("lease_id", String(32)),
    Column("leased_by", Text),
    Column("lease_expires_at", Instant),
    Column("cause", String(32)),
    Column("error", Text),
    Column("failed_at", Instant),
    Column("shorten_to", Integer),  # embed only so many characters of the text; null: all of it
    Column("anew", Boolean, nullable=False, server_default=sa.false()),  # embed it although the vector of its text is known
)
# Partial, so that the leased, failed and pending each pay only for the index that finds them.
_PENDING, _FAILED, _HELD = items.c.state == "pending", items.c.state == "failed", items.c.lease_id.is_not(None)
_DISCARDED = items.c.state == "discarded"
Index("ix_items_claim", items.c.due_at, items.c.entry_id, sqlite_where=_PENDING, postgresql_where=_PENDING)
Index("ix_items_oldest", items.c.enqueued_at.desc(), items.c.entry_id, sqlite_where=_PENDING, postgresql_where=_PENDING)
Index("ix_items_lease", items.c.lease_id, sqlite_where=_HELD, postgresql_where=_HELD)
Index("ix_items_failed", items.c.failed_at.desc(), items.c.entry_id, sqlite_where=_FAILED, postgresql_where=_FAILED)
Index("ix_items_cause", items.c.cause, items.c.failed_at.desc(), items.c.entry_id, sqlite_where=_FAILED, postgresql_where=_FAILED)
Index("ix_items_discarded", items.c.failed_at.desc(), items.c.entry_id, sqlite_where=_DISCARDED, postgresql_where=_DISCARDED)

# What happened to an item besides going well, which its embedding says itself: one row for each attempt that failed and
# each decision of a person. No foreign key: the trail outlives the entry.
item_events = Table(
    "item_events",
    metadata,
    Column("event_id", BigId, primary_key=True),
    Column("entry_id", BigId, nullable=False, index=True),
    Column("at", Instant, nullable=False, index=True),
    Column("kind", String(16), nullable=False),
    Column("actor", Text, nullable=False),  # the worker, or the person
    Column("attempt", Integer),
    Column("cause", String(32)),
    Column("detail", Text),
    Column("job_id", String(32)),
)

embeddings = Table(
    "embeddings",
    metadata,
    Column("entry_id", BigId, ForeignKey("entries.entry_id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("content_hash", LargeBinary(16), nullable=False),
    Column("fingerprint", String(32), nullable=False),
    Column("revision", BigInteger, nullable=False, index=True),  # a generation holds all revisions up to its own
    Column("embedded_at", Instant, nullable=False),
    Column("embedded_by", Text),  # the worker; null when the vector was known already
    Column("attempts", Integer),
    Column("shortened_to", Integer),  # the vector is of so many characters; null: of the whole text
)

vectors = Table(
    "vectors",
    metadata,
    Column("vector_id", BigId, primary_key=True),
    Column("content_hash", LargeBinary(16), nullable=False),
    Column("fingerprint", String(32), nullable=False),
    Column("vector", LargeBinary, nullable=False),  # float32, little endian, unit norm
    sa.UniqueConstraint("content_hash", "fingerprint"),
)

removals = Table(
    "removals",
    metadata,
    Column("entry_id", BigId, primary_key=True, autoincrement=False),
    Column("revision", BigInteger, nullable=False, index=True),
)

counters = Table(
    "counters",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", BigInteger, nullable=False),
)

# One tier of samples for each window of the charts: whatever the window, about as many rows are read.
queue_samples = Table(
    "queue_samples",
    metadata,
    Column("step_seconds", Integer, primary_key=True, autoincrement=False),
    Column("at", Instant, primary_key=True),
    Column("capacity", Integer),  # embedding workers that took rows
    Column("pending", Integer, nullable=False),
    Column("leased", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("arrived_total", BigInteger, nullable=False),
    Column("embedded_total", BigInteger, nullable=False),
)

# What each import found in its place, so that it can be taken back; null columns: there was nothing.
import_changes = Table(
    "import_changes",
    metadata,
    Column("job_id", String(32), primary_key=True),
    Column("entry_id", BigId, primary_key=True, autoincrement=False),
    Column("key", Text, nullable=False, index=True),
    Column("change", String(16), nullable=False),
    Column("after_hash", LargeBinary(16)),  # the record hash the import left; null when it removed the entry
    Column("text", Text),
    Column("texts", Json),
    Column("fields", Json),
    Column("content_hash", LargeBinary(16)),
    Column("record_hash", LargeBinary(16)),
    Column("created_at", Instant),
    Column("agreed", Json),  # what the sheet and the table had agreed on before, of an import from a Google sheet
    Column("outcome", String(16)),  # what the undo did; null while there was none
)
