"""What an import and a sheet agreed on before, and a mark of each row a plan was made from"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0100"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("import_changes", sa.Column("agreed", sa.JSON(none_as_null=True), nullable=True))
    op.create_table(
        "plan_marks",
        sa.Column("plan_id", sa.String(length=32), nullable=False),
        sa.Column("marks", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.plan_id"], name=op.f("fk_plan_marks_plan_id_plans"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("plan_id", name=op.f("pk_plan_marks")),
    )
