"""Single columns of a plan's row can be left out"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0101"
down_revision = "0100"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("plan_rows", sa.Column("left_out", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("plans", sa.Column("left_out_cells", sa.Integer(), server_default="0", nullable=False))
