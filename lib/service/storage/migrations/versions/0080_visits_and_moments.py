"""When people last looked, and moments kept for links"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0080"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "visits",
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.Float(53), nullable=False),
        sa.Column("since", sa.Float(53), nullable=True),
        sa.PrimaryKeyConstraint("actor", name=op.f("pk_visits")),
    )
    op.create_table(
        "moments",
        sa.Column("moment_id", sa.String(length=32), nullable=False),
        sa.Column("taken_at", sa.Float(53), nullable=False),
        sa.Column("taken_by", sa.Text(), nullable=False),
        sa.Column("readings", sa.JSON(none_as_null=True), nullable=False),
        sa.PrimaryKeyConstraint("moment_id", name=op.f("pk_moments")),
    )
    op.create_index(op.f("ix_moments_taken_at"), "moments", ["taken_at"])
