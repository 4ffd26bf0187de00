"""A plan keeps how its source was read, whatever kind of source it is"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = '0010'
down_revision = '0060'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('plans', sa.Column('read_as', sa.JSON(none_as_null=True), nullable=True))
    op.drop_column('plans', 'encoding')
    op.drop_column('plans', 'delimiter')
