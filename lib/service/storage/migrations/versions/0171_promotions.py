"""Which start made in production what a rehearsal had tried"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0171"
down_revision = "0190"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "promotions",
        sa.Column("rehearsal_id", sa.String(32), nullable=False),
        sa.Column("job_id", sa.String(32), nullable=False),
        sa.Column("promoted_by", sa.Text(), nullable=False),
        sa.Column("promoted_at", sa.Float(53), nullable=False),
        sa.ForeignKeyConstraint(["rehearsal_id"], ["jobs.job_id"], name=op.f("fk_promotions_rehearsal_id_jobs"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("rehearsal_id", name=op.f("pk_promotions")),
    )
