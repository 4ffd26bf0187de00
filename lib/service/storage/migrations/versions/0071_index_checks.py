"""Checks of the index, and the rows behind their numbers"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0071"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "index_checks",
        sa.Column("check_id", sa.String(length=32), nullable=False),
        sa.Column("checked_at", sa.Float(53), nullable=False),
        sa.Column("reading", sa.JSON(none_as_null=True), nullable=False),
        sa.PrimaryKeyConstraint("check_id", name=op.f("pk_index_checks")),
    )
    op.create_index(op.f("ix_index_checks_checked_at"), "index_checks", ["checked_at"])
    op.create_table(
        "drift_rows",
        sa.Column("check_id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("entry_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["check_id"], ["index_checks.check_id"], name=op.f("fk_drift_rows_check_id_index_checks"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("check_id", "kind", "position", name=op.f("pk_drift_rows")),
    )
