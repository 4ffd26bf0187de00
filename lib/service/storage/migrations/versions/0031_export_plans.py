"""Plans of exports to Google sheets, and what a sheet and the table last agreed on.

Revision ID: 0031
Revises: 0050
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0050"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "export_plans",
        sa.Column("plan_id", sa.String(32), nullable=False),
        sa.Column("job_id", sa.String(32), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("target", sa.JSON(), nullable=False),
        sa.Column("filter", sa.JSON(), nullable=False),
        sa.Column("columns", sa.JSON(), nullable=True),
        sa.Column("found", sa.JSON(), nullable=False),
        sa.Column("row_hashes", sa.LargeBinary(), nullable=True),
        sa.Column("table_revision", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.JSON(), nullable=True),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(53), nullable=False),
        sa.Column("expires_at", sa.Float(53), nullable=False),
        sa.Column("applied_by_job", sa.String(32), nullable=True),
        sa.Column("applied", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("plan_id", name=op.f("pk_export_plans")),
    )
    op.create_table(
        "export_plan_rows",
        sa.Column("plan_id", sa.String(32), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("row", sa.Integer(), nullable=True),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("change", sa.String(16), nullable=False),
        sa.Column("cells", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["plan_id"], ["export_plans.plan_id"], name=op.f("fk_export_plan_rows_plan_id_export_plans"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("plan_id", "position", name=op.f("pk_export_plan_rows")),
    )
    op.create_table(
        "agreements",
        sa.Column("sheet", sa.String(64), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("cells", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("sheet", "key", name=op.f("pk_agreements")),
    )


def downgrade() -> None:
    op.drop_table("agreements")
    op.drop_table("export_plan_rows")
    op.drop_table("export_plans")
