"""Export files have a format.

Revision ID: 0030
Revises: 0010
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("exports", sa.Column("format", sa.String(16), nullable=False, server_default="csv"))
    with op.batch_alter_table("exports") as batch_op:
        batch_op.alter_column("format", server_default=None, existing_type=sa.String(16))


def downgrade() -> None:
    with op.batch_alter_table("exports") as batch_op:
        batch_op.drop_column("format")
