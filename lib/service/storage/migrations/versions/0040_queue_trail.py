"""Turns by due time, failures by cause, and a trail of what happened to each item."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0071"
branch_labels = None
depends_on = None

_PENDING, _FAILED, _DISCARDED = (sa.text(f"state = '{state}'") for state in ("pending", "failed", "discarded"))


def upgrade() -> None:
    op.add_column("items", sa.Column("due_at", sa.Float(53), nullable=False, server_default="0"))
    op.add_column("items", sa.Column("shorten_to", sa.Integer()))
    op.execute("UPDATE items SET due_at = available_at - 3600 * priority")
    op.drop_index("ix_items_claim", "items")
    op.drop_index("ix_items_oldest", "items")
    _index("ix_items_claim", ["due_at", "entry_id"], _PENDING)
    _index("ix_items_oldest", [sa.text("enqueued_at DESC"), "entry_id"], _PENDING)
    _index("ix_items_cause", ["cause", sa.text("failed_at DESC"), "entry_id"], _FAILED)
    _index("ix_items_discarded", [sa.text("failed_at DESC"), "entry_id"], _DISCARDED)
    op.add_column("embeddings", sa.Column("embedded_by", sa.Text()))
    op.add_column("embeddings", sa.Column("attempts", sa.Integer()))
    op.add_column("embeddings", sa.Column("shortened_to", sa.Integer()))
    op.create_index("ix_plans_applied_by_job", "plans", ["applied_by_job"])
    op.create_index("ix_import_changes_key", "import_changes", ["key"])
    op.create_table(
        "item_events",
        sa.Column("event_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("entry_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.Float(53), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer()),
        sa.Column("cause", sa.String(32)),
        sa.Column("detail", sa.Text()),
        sa.Column("job_id", sa.String(32)),
        sa.PrimaryKeyConstraint("event_id", name="pk_item_events"),
    )
    op.create_index("ix_item_events_entry_id", "item_events", ["entry_id"])
    op.create_index("ix_item_events_at", "item_events", ["at"])
    # What failed before there were counters of causes.
    op.execute(
        "INSERT INTO counters (name, value) SELECT 'failed_' || cause, COUNT(*) FROM items WHERE state = 'failed' GROUP BY cause"
    )


def _index(name: str, columns: list[str | sa.TextClause], where: sa.TextClause) -> None:
    op.create_index(name, "items", columns, sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    op.drop_table("item_events")
    op.drop_index("ix_import_changes_key", "import_changes")
    op.drop_index("ix_plans_applied_by_job", "plans")
    for column in ("shortened_to", "attempts", "embedded_by"):
        op.drop_column("embeddings", column)
    for name in ("ix_items_discarded", "ix_items_cause", "ix_items_oldest", "ix_items_claim"):
        op.drop_index(name, "items")
    op.drop_column("items", "shorten_to")
    op.drop_column("items", "due_at")
    _index("ix_items_claim", [sa.text("priority DESC"), "entry_id"], _PENDING)
    _index("ix_items_oldest", ["enqueued_at"], _PENDING)
