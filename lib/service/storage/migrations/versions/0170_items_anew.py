"""Rows may be embedded again although the vector of their text is known"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0170"
down_revision = "0110"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("items", sa.Column("anew", sa.Boolean(), server_default=sa.false(), nullable=False))
