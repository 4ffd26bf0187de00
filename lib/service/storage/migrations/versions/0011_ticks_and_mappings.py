"""Rows of a plan can be unticked; how a source was mapped is remembered"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = '0011'
down_revision = '0080'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('mappings',
    sa.Column('source_key', sa.Text(), nullable=False),
    sa.Column('mapping', sa.JSON(none_as_null=True), nullable=False),
    sa.Column('source', sa.JSON(none_as_null=True), nullable=False),
    sa.Column('used_by', sa.Text(), nullable=False),
    sa.Column('used_at', sa.Float(53), nullable=False),
    sa.PrimaryKeyConstraint('source_key', name=op.f('pk_mappings'))
    )
    op.add_column('plans', sa.Column('rules', sa.JSON(none_as_null=True), nullable=True))
    op.add_column('plans', sa.Column('unticked', sa.JSON(none_as_null=True), nullable=True))
    op.add_column('plans', sa.Column('ticks_revision', sa.Integer(), nullable=False, server_default='0'))
    op.add_column('plans', sa.Column('fingerprint', sa.String(length=32), nullable=True))
    op.add_column('plan_rows', sa.Column('ticked', sa.Boolean(), nullable=False, server_default=sa.true()))
