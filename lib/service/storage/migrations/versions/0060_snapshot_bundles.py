"""Snapshots can be pinned, and are downloaded as one file with a digest"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = '0060'
down_revision = '0070'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('snapshots', schema=None) as batch_op:
        batch_op.add_column(sa.Column('pinned', sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.add_column(sa.Column('bundle_sha256', sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column('bundle_bytes', sa.BigInteger(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table('snapshots', schema=None) as batch_op:
        batch_op.drop_column('bundle_bytes')
        batch_op.drop_column('bundle_sha256')
        batch_op.drop_column('pinned')
