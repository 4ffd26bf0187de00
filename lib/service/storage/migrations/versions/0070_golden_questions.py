"""Golden questions and the runs that asked them"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0070"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "golden_questions",
        sa.Column("question_id", sa.String(length=32), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("expected_keys", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("k", sa.Integer(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(53), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint("question_id", name=op.f("pk_golden_questions")),
    )
    op.create_table(
        "golden_runs",
        sa.Column("run_id", sa.String(length=32), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("embedder", sa.Text(), nullable=False),
        sa.Column("job_id", sa.String(length=32), nullable=False),
        sa.Column("asked_at", sa.Float(53), nullable=False),
        sa.Column("questions", sa.Integer(), nullable=False),
        sa.Column("passed", sa.Integer(), nullable=False),
        sa.Column("answers", sa.JSON(none_as_null=True), nullable=False),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_golden_runs")),
    )
    op.create_index(op.f("ix_golden_runs_asked_at"), "golden_runs", ["asked_at"])
    op.create_index(op.f("ix_golden_runs_job_id"), "golden_runs", ["job_id"])
