"""Tiers of history, the workers' pace and crews, and the shift log"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0050"
down_revision = "0072"
branch_labels = None
depends_on = None

STEPS = (5, 20, 480, 3360)
VALUES = "at, pending, leased, failed, arrived_total, embedded_total"


def upgrade() -> None:
    op.rename_table("queue_samples", "queue_samples_before")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE queue_samples_before RENAME CONSTRAINT pk_queue_samples TO pk_queue_samples_before")
    op.create_table(
        "queue_samples",
        sa.Column("step_seconds", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.Float(53), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=True),
        sa.Column("pending", sa.Integer(), nullable=False),
        sa.Column("leased", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("arrived_total", sa.BigInteger(), nullable=False),
        sa.Column("embedded_total", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("step_seconds", "at", name=op.f("pk_queue_samples")),
    )
    for step in STEPS:  # what was sampled so far, at the pace of each tier
        op.execute(
            f"INSERT INTO queue_samples (step_seconds, {VALUES}) SELECT {step}, {VALUES} FROM queue_samples_before "
            f"WHERE at IN (SELECT MAX(at) FROM queue_samples_before GROUP BY CAST(at / {step} AS BIGINT))"
        )
    op.drop_table("queue_samples_before")
    op.create_table(
        "worker_samples",
        sa.Column("worker_id", sa.Text(), nullable=False),
        sa.Column("at", sa.Float(53), nullable=False),
        sa.Column("processed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("worker_id", "at", name=op.f("pk_worker_samples")),
    )
    op.create_table(
        "crews",
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("embedding", sa.Integer(), nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=True),
        sa.Column("changed_at", sa.Float(53), nullable=True),
        sa.PrimaryKeyConstraint("host", name=op.f("pk_crews")),
    )
    op.create_table(
        "paces",
        sa.Column("fingerprint", sa.String(length=32), nullable=False),
        sa.Column("size", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("batches", sa.Float(53), nullable=False),
        sa.Column("rows", sa.Float(53), nullable=False),
        sa.Column("seconds", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", "size", name=op.f("pk_paces")),
    )
    op.create_table(
        "shift_log",
        sa.Column("entry_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.Float(53), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("job_id", sa.String(length=32), nullable=True),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_shift_log")),
    )
    op.create_index(op.f("ix_shift_log_at"), "shift_log", ["at"], unique=False)
    with op.batch_alter_table("workers") as batch_op:
        batch_op.add_column(sa.Column("drain_ends_at", sa.Float(53), nullable=True))
        batch_op.add_column(sa.Column("holding", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("busy_rate_per_second", sa.Float(53), nullable=True))
        batch_op.add_column(sa.Column("last_failure_cause", sa.String(length=32), nullable=True))
        batch_op.add_column(sa.Column("last_failure_at", sa.Float(53), nullable=True))
